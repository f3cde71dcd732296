// Follows the stream of readings, and finds back to it whatever happened.

const DEAF_MS = 6000; // an open line that says nothing for so long is dead
const AGAIN_MS = 2000; // the browser gave up: try again after this
const HIDDEN_MS = 60000; // a tab that nobody looks at lets go of its line: a browser has six for one server

export function follow(url, handlers) {
  let source = null;
  let heard = performance.now();
  let hiddenSince = null;

  function open() {
    close();
    heard = performance.now();
    source = new EventSource(url);
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        heard = performance.now();
        handle(JSON.parse(event.data));
      });
    }
  }

  function close() {
    source?.close();
    source = null;
  }

  function watch() {
    const now = performance.now();
    hiddenSince = document.hidden ? (hiddenSince ?? now) : null;
    if (hiddenSince !== null && now - hiddenSince > HIDDEN_MS) return close();
    const patience = source?.readyState === EventSource.CLOSED ? AGAIN_MS : DEAF_MS;
    if (source === null || now - heard > patience) open();
  }

  function look() {
    if (!document.hidden && (source === null || performance.now() - heard > AGAIN_MS)) open();
  }

  open();
  setInterval(watch, 500);
  for (const [target, name] of [[document, "visibilitychange"], [document, "resume"], [window, "pageshow"], [window, "online"]]) {
    target.addEventListener(name, look);
  }
}
