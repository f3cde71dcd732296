// Shows each snapshot as it arrives. The server has filled in the first one, and formats all texts.

import { Chart, row } from "./chart.js";
import { ms, setText, timeOfDay } from "./format.js";
import { drawHistogram, drawHops } from "./histogram.js";
import { PaintDelay } from "./paint_delay.js";
import { follow } from "./stream.js";

const STALE_MS = 2500; // without a snapshot for this long the connection counts as lost

const byId = (id) => document.getElementById(id);
const chart = new Chart(byId("chart"), byId("chart-table"));
let shown = JSON.parse(byId("first").textContent);
let receivedMs = performance.now();
const paintDelay = new PaintDelay(shown.last_arrival_at);

function show(id, text) {
  const element = byId(id);
  setText(element, text);
  if (!element.classList.contains("ms")) return;
  element.classList.toggle("minus", text.startsWith("−"));
  element.classList.toggle("none", !/\d/.test(text));
}

function showDetail(detail) {
  for (const [id, text] of Object.entries(detail.texts)) show(id, text);
  for (const [id, moment] of Object.entries(detail.times)) show(id, timeOfDay(moment));
  showHighest(detail.highest);
  drawHops(byId("hops-bar"), detail.hops_ms);
  drawHistogram(byId("histogram"), detail.histogram);
  markLost(byId("run-missing"));
  byId("runs").replaceChildren(...detail.runs.map(runRow));
  byId("events").replaceChildren(...detail.events.map(eventItem));
}

function showHighest(groups) {
  const element = byId("highest");
  const digits = groups.join("");
  if (element.textContent === digits) return;
  element.dataset.digits = digits.length;
  element.replaceChildren(...groups.map((group) => {
    const span = document.createElement("span");
    span.textContent = group;
    return span;
  }));
}

function runRow(run) {
  const cells = [run.highest_number, run.stored, run.lost, run.duplicates, run.late];
  const element = row([run.id, timeOfDay(run.first_arrival_at), ...cells]);
  markLost(element.cells[4]);
  return element;
}

function markLost(element) {
  element.classList.toggle("lost", Number(element.textContent) > 0);
}

function eventItem({ at, kind, text }) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  item.dataset.kind = kind;
  time.dateTime = at;
  time.textContent = timeOfDay(at);
  item.append(time, ` ${text}`);
  return item;
}

function showState() {
  const silentMs = performance.now() - receivedMs;
  const lost = silentMs > STALE_MS;
  const { level, text, at } = lost
    ? { level: "bad", text: "Connection lost at {time}; reconnecting", at: shown.at }
    : shown.states.find(({ after_ms: afterMs }) => silentMs >= afterMs);
  byId("state").dataset.level = level;
  show("state", at ? text.replace("{time}", timeOfDay(at)) : text);
  document.body.classList.toggle("disconnected", lost);
}

showDetail(shown);
showState();
setInterval(showState, 250);
follow("/fizzbuzz/stream?detail=1", {
  history: ({ points }) => chart.add(points),
  detail: (detail) => {
    shown = detail;
    receivedMs = performance.now();
    chart.add([detail.point]);
    showDetail(detail);
    showState();
    paintDelay.record(detail.last_arrival_at, (delayMs) => show("hop-shown", ms(delayMs)));
  },
});
