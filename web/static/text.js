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

const UNITS = [[1e4, "ms", 1], [6e5, "s", 1e3], [3.6e7, "min", 6e4], [8.64e8, "h", 3.6e6], [Infinity, "days", 8.64e7]];

// Milliseconds in a unit that leaves few digits, and that unit.
export function duration(value) {
  const [, unit, length] = UNITS.find(([below]) => Math.abs(value ?? 0) < below);
  return [ms(value == null ? null : value / length), unit];
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
  const text = `${ms(offset)} ± ${ms(error)} ms`;
  if (Math.abs(offset) <= error) return `The sender's and the consumer's clocks agree, as far as their requests tell (${text}).`;
  return `The consumer's clock minus the sender's: ${text}, estimated from the requests. No time is corrected by it.`;
}
