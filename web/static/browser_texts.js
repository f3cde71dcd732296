// The texts that only the browser can make: times of day in its own zone, and the delay until it painted a figure.
// All other texts come ready from the server.

const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

// A text that is no moment stays as it is.
export function timeOfDay(moment) {
  if (moment == null) return "–";
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? String(moment) : time.format(date);
}

// A moment in a sentence is RFC 3339 in braces; see web/moments.py.
export function localized(text) {
  return text.replace(/\{(\d{4}-\d\d-\d\dT[\d:.]+Z)\}/g, (_, moment) => timeOfDay(moment));
}

export function duration(ms) {
  const [value, unit] = Math.abs(ms) < 10_000 ? [ms, "ms"] : [ms / 1000, "s"];
  const size = Math.abs(value);
  return `${value.toFixed(size < 100 ? 2 : size < 1000 ? 1 : 0)} ${unit}`.replace("-", "−");
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
