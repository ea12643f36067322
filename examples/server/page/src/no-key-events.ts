/**
 * Stands in for the key events of the scroll bars' framework, which the scroll bars of xterm.js do not listen to.
 */

export class StandardKeyboardEvent {
  readonly browserEvent: KeyboardEvent;

  constructor(event: KeyboardEvent) {
    this.browserEvent = event;
  }
}
