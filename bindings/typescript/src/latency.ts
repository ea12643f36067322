/**
 * How long each hop takes: medians of the newest few, as one slow reading says nothing.
 */

const READINGS = 9;

/** The newest readings of one hop. */
export class Hop {
  readonly #readings: number[] = [];

  /** A reading, in milliseconds. */
  add(ms: number): void {
    this.#readings.push(ms);
    if (this.#readings.length > READINGS) this.#readings.shift();
  }

  /** Their median, in milliseconds; `undefined` before the first. */
  get ms(): number | undefined {
    return this.#readings.toSorted((a, b) => a - b)[this.#readings.length >> 1];
  }
}
