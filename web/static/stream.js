// Follows the stream of events, and reconnects whatever happened.

const IDLE_TIMEOUT_MS = 6000; // an open connection without an event for this long is dead
const RETRY_MS = 2000; // the browser gave up: reconnect after this
const HIDDEN_MS = 60000; // a hidden tab then closes its connection: a browser has six per server

export function follow(url, handlers) {
  let source = null;
  let receivedMs = performance.now();
  let hiddenSince = null;

  function open() {
    close();
    receivedMs = performance.now();
    source = new EventSource(url);
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        receivedMs = performance.now();
        handle(JSON.parse(event.data));
      });
    }
  }

  function close() {
    source?.close();
    source = null;
  }

  function check() {
    const now = performance.now();
    hiddenSince = document.hidden ? (hiddenSince ?? now) : null;
    if (hiddenSince !== null && now - hiddenSince > HIDDEN_MS) return close();
    const timeoutMs = source?.readyState === EventSource.CLOSED ? RETRY_MS : IDLE_TIMEOUT_MS;
    if (source === null || now - receivedMs > timeoutMs) open();
  }

  function resume() {
    if (!document.hidden && (source === null || performance.now() - receivedMs > RETRY_MS)) open();
  }

  open();
  setInterval(check, 500);
  for (const [target, name] of [[document, "visibilitychange"], [document, "resume"], [window, "pageshow"], [window, "online"]]) {
    target.addEventListener(name, resume);
  }
}
