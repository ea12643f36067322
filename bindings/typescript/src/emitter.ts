/**
 * Events with types, and nothing else.
 */

/** Whoever listens, by event. A listener that throws breaks no other, and no link. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Calls `listener` at each `event`, until the returned function is called. */
  on<E extends keyof Events>(event: E, listener: (event: Events[E]) => void): () => void {
    const set = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, set);
    set.add(listener);
    return () => void set.delete(listener);
  }

  protected listens(event: keyof Events): boolean {
    return (this.#listeners.get(event)?.size ?? 0) > 0;
  }

  protected emit<E extends keyof Events>(event: E, what: Events[E]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        (listener as (event: Events[E]) => void)(what);
      } catch (error) {
        // Where an error of the application's belongs: into its console, not into our link.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
