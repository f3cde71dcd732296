// The last hop of a message: from its arrival until this browser painted a figure that counts it.

const KEPT = 10; // snapshots with new messages: the same span as the other averages

export class PaintDelay {
  #delaysMs = [];
  #newest;

  // newest: the last arrival that is on the page already.
  constructor(newest) {
    this.#newest = newest;
  }

  // Calls report with the mean delay in ms from the newest message's arrival until it is painted. The arrival
  // is by the consumer's clock, the painting by this browser's; neither is corrected by the other.
  // A hidden tab paints nothing, and so reports nothing.
  record(newest, report) {
    if (newest == null || newest === this.#newest) return;
    this.#newest = newest;
    requestAnimationFrame(() => {
      this.#delaysMs = [...this.#delaysMs, Date.now() - Date.parse(newest)].slice(-KEPT);
      report(this.#delaysMs.reduce((sum, ms) => sum + ms, 0) / this.#delaysMs.length);
    });
  }
}
