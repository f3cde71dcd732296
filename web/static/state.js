// What is wrong, in words, most serious first; one calm word where nothing is.

import { clock } from "./text.js";

export const STALE_MS = 2500;

// silentMs: time since the last reading came, by this browser's own clock.
export function state({ stats, detail }, silentMs) {
  if (silentMs > STALE_MS) {
    return { level: "bad", silent: true, text: `No news since ${clock(stats.at)}. Trying to reach the service again.` };
  }
  const wrong = [...failures(stats), ...losses(stats, detail)];
  if (wrong.length) return { level: "bad", text: wrong.join(" ") };
  const odd = silence(stats, silentMs) ?? clocks(stats, detail);
  return odd ? { level: "quiet", text: odd } : { level: "fine", text: "Live" };
}

function* failures(stats) {
  if (stats.error) yield `${stats.error}. Figures are the last known ones.`;
  if (stats.queue_depth == null) yield "The queue can’t be read.";
}

function* losses(stats, detail) {
  const lost = detail.runs.find((run) => run.id === stats.run.id)?.lost;
  if (lost) yield `Missing in run ${stats.run.id}: ${lost}.`;
}

// Both moments are the servers' own, so that this browser's clock may be wrong.
function silence(stats, silentMs) {
  if (stats.last_arrival_at == null) return "No message has arrived yet.";
  const age = Date.parse(stats.at) - Date.parse(stats.last_arrival_at) + silentMs;
  return age > STALE_MS ? `No message has arrived since ${clock(stats.last_arrival_at)}.` : null;
}

function clocks(stats, detail) {
  const early = detail.histogram.counts?.[0] > 0;
  const negative = early || Object.values(stats.hops_ms).some((ms) => ms < 0);
  return negative ? "Live, with negative times: the clocks of two parts differ." : null;
}
