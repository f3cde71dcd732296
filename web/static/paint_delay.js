// The last hop of a message: from its arrival until this browser painted a figure that counts it.

const KEPT = 10; // snapshots with new messages: the same span as the other averages

export class PaintDelay {
  #delaysMs = [];
  #newest;
  #frame = 0;

  // newest: the last arrival that is on the page already.
  constructor(newest) {
    this.#newest = newest;
  }

  // Calls report with the mean delay in ms from the newest message's arrival until it is painted. The arrival
  // is by the consumer's clock, the painting by this browser's; neither is corrected by the other.
  // A hidden tab paints nothing, and so reports nothing: its frames would all come when it is shown again.
  record(newest, report) {
    if (newest == null || newest === this.#newest) return;
    const isEarlier = Date.parse(newest) < Date.parse(this.#newest); // messages were deleted: nothing arrived
    this.#newest = newest;
    if (isEarlier) return;
    cancelAnimationFrame(this.#frame);
    if (document.hidden) return;
    this.#frame = requestAnimationFrame(() => {
      this.#delaysMs = [...this.#delaysMs, Date.now() - Date.parse(newest)].slice(-KEPT);
      report(this.#delaysMs.reduce((sum, ms) => sum + ms, 0) / this.#delaysMs.length);
    });
  }
}
