// Follows the stream of events, and reconnects whatever happened.
//
// A browser opens six connections to a server, so the tabs of one browser share a stream: the tab that holds
// a lock passes each event on to the others. A tab has a stream of its own until it hears the first of them,
// and again when it hears nothing for too long, as from a tab that the browser has frozen. Browsers offer
// locks on secure pages only (https, or this machine); elsewhere every tab has a stream.

const IDLE_TIMEOUT_MS = 6000; // an open connection without an event for this long is dead
const RETRY_MS = 2000; // the browser gave up: reconnect after this
const HIDDEN_MS = 60000; // a hidden tab then closes its connection and releases the lock

export function follow(url, handlers) {
  const name = `stream ${url}`;
  const channel = navigator.locks ? new BroadcastChannel(name) : null;
  let source = null;
  let complete = false; // whether this source has sent what is behind the history
  let receivedMs = performance.now();
  let hiddenSince = null;
  let waiting = null; // ends the wait for the lock
  let stopLeading = null; // releases it

  function open() {
    close();
    receivedMs = performance.now();
    source = new EventSource(url);
    for (const event of Object.keys(handlers)) {
      source.addEventListener(event, ({ data }) => {
        if (stopLeading) channel.postMessage({ event, data });
        receive(event, data);
        complete ||= event !== "history";
      });
    }
  }

  function close() {
    source?.close();
    source = null;
    complete = false;
  }

  function receive(event, data) {
    receivedMs = performance.now();
    handlers[event](JSON.parse(data));
  }

  function hear({ data: { event, data } }) {
    if (stopLeading || isOpening()) return;
    close();
    receive(event, data);
  }

  // Whether a stream of its own will soon have brought the history: not if it is refused, or finds no connection.
  function isOpening() {
    if (!source || complete || source.readyState === EventSource.CLOSED) return false;
    return performance.now() - receivedMs < RETRY_MS;
  }

  function compete() {
    if (!channel || waiting) return;
    waiting = new AbortController();
    const lead = () => {
      if (source === null) open();
      return new Promise((resolve) => { stopLeading = resolve; });
    };
    navigator.locks.request(name, { signal: waiting.signal }, lead).catch(() => {}); // aborted
  }

  function leave() {
    close();
    waiting?.abort();
    stopLeading?.();
    waiting = stopLeading = null;
  }

  function check() {
    const now = performance.now();
    hiddenSince = document.hidden ? (hiddenSince ?? now) : null;
    if (hiddenSince !== null && now - hiddenSince > HIDDEN_MS) return leave();
    const timeoutMs = source?.readyState === EventSource.CLOSED ? RETRY_MS : IDLE_TIMEOUT_MS;
    if (now - receivedMs > timeoutMs) open();
    compete();
  }

  function resume() {
    if (document.hidden) return;
    hiddenSince = null;
    if (performance.now() - receivedMs > RETRY_MS) open();
    compete();
  }

  channel?.addEventListener("message", hear);
  open();
  compete();
  setInterval(check, 500);
  window.addEventListener("pagehide", leave);
  for (const [target, event] of [[document, "visibilitychange"], [document, "resume"], [window, "pageshow"], [window, "online"]]) {
    target.addEventListener(event, resume);
  }
}
