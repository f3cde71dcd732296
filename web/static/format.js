// The texts that only the browser can make: times of day in its own zone, and the delay until it painted a figure.
// All other texts come ready from the server.

const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

export function timeOfDay(moment) {
  return moment == null ? "–" : time.format(new Date(moment));
}

export function ms(value) {
  const size = Math.abs(value);
  return value.toFixed(size < 100 ? 2 : size < 1000 ? 1 : 0).replace("-", "−");
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
