// Figures as text; web/text.py says them in the same way before this script runs.

export const NOTHING = "–";

export function whole(value) {
  return value == null ? NOTHING : String(value);
}

export function ms(value) {
  if (value == null) return NOTHING;
  const size = Math.abs(value);
  return value.toFixed(size < 100 ? 2 : size < 1000 ? 1 : 0).replace("-", "−");
}

const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

export function clock(moment) {
  return moment == null ? NOTHING : time.format(new Date(moment));
}

// Digits in groups of three, as separate pieces, so that the text itself stays a plain number.
export function groups(value) {
  return value == null ? [NOTHING] : String(value).split(/(?=(?:\d{3})+$)/);
}

// How far the sender's and the consumer's clocks are apart.
export function clocks(difference) {
  if (!difference) return "How far the two clocks are apart is not known.";
  const { offset_ms: offset, error_ms: error } = difference;
  return `The consumer's clock minus the sender's: ${ms(offset)} ± ${ms(error)} ms, ` +
    "estimated from the requests. No time is corrected by it.";
}
