// The last moment of a message: when this browser painted a figure that counts it.

const KEPT = 10; // readings that brought something new: as many seconds as the other figures look back

export class Shown {
  #ms = [];
  #newest;

  // newest: the last arrival that is on the page already.
  constructor(newest) {
    this.#newest = newest;
  }

  // Calls tell with the mean wait in ms from the newest message's arrival until it is painted. The arrival
  // is by the consumer's clock, the painting by this browser's; nothing corrects the one by the other.
  // A tab that nobody looks at paints nothing, and so tells nothing.
  note(newest, tell) {
    if (newest == null || newest === this.#newest) return;
    this.#newest = newest;
    requestAnimationFrame(() => {
      this.#ms = [...this.#ms, Date.now() - Date.parse(newest)].slice(-KEPT);
      tell(this.#ms.reduce((sum, ms) => sum + ms, 0) / this.#ms.length);
    });
  }
}
