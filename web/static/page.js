// Shows each snapshot as it arrives. The server has filled in the first one, and formats all texts.

import { Chart, row } from "./chart.js";
import { duration, localized, setText, timeOfDay } from "./browser_texts.js";
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
  setText(element, localized(text));
  if (!element.classList.contains("ms")) return;
  element.classList.toggle("minus", text.startsWith("−"));
  element.classList.toggle("none", !/\d/.test(text));
}

function showDetail(detail) {
  for (const [id, text] of Object.entries(detail.texts)) if (byId(id)) show(id, text);
  for (const [id, moment] of Object.entries(detail.times)) if (byId(id)) show(id, timeOfDay(moment));
  byId("ledger").classList.toggle("lost", detail.alarm);
  byId("run-parts").replaceChildren(...parts(detail.run_parts));
  byId("run-label").title = detail.texts["run-id"];
  showHighest(detail.highest);
  drawHops(byId("hops-bar"), detail.hops_ms);
  drawHistogram(byId("histogram"), detail.histogram);
  byId("failed").hidden = !detail.failed.length;
  byId("failed-jobs").replaceChildren(...detail.failed.map(failedItem));
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
  const element = row([localized(run.label), run.highest_number, ""]);
  element.cells[0].title = run.id;
  element.cells[2].replaceChildren(...parts(run.parts));
  return element;
}

// "1,690 stored, 2 lost", each part marked as the server says.
function parts(some) {
  return some.flatMap(([text, mark], index) => {
    const span = document.createElement("span");
    span.className = mark;
    span.textContent = text;
    return index ? [", ", span] : [span];
  });
}

function failedItem({ job, reason }) {
  const item = document.createElement("li");
  const id = document.createElement("span");
  id.className = "id";
  id.textContent = job;
  item.append(`${reason} `, id);
  return item;
}

function eventItem({ at, kind, text }) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  item.dataset.kind = kind;
  time.dateTime = at;
  time.textContent = timeOfDay(at);
  item.append(time, ` ${localized(text)}`);
  return item;
}

// The conditions; while the connection is lost, that alone: what else is wrong can't be known.
function showState() {
  const lost = performance.now() - receivedMs > STALE_MS;
  const states = lost
    ? [{ level: "bad", text: `Connection lost at {${shown.at}}; reconnecting` }]
    : shown.states;
  const element = byId("state");
  element.dataset.level = states[0].level;
  while (element.children.length > states.length) element.lastChild.remove();
  states.forEach(({ level, text }, index) => {
    const line = element.children[index] ?? element.appendChild(document.createElement("p"));
    line.dataset.level = level;
    setText(line, localized(text));
  });
  announce(states);
  document.body.classList.toggle("disconnected", lost);
}

// For screen readers, which read what changes: once for each condition, not with each number in its sentence.
let announced;
function announce(states) {
  const conditions = states.map(({ text }) => text.replace(/\{[^}]*\}|(?<![-\w])\d[\d.,]*/g, "")).join();
  if (conditions !== announced) setText(byId("spoken-state"), states.map(({ text }) => localized(text)).join(" "));
  announced = conditions;
}

document.documentElement.dataset.script = "runs"; // else the page is loaded again
showDetail(shown);
showState();
setInterval(showState, 250);
follow("/fizzbuzz/stream?detail=1", {
  history: ({ points }) => chart.add(points),
  detail: (detail) => {
    chart.add([detail.point]);
    showDetail(detail);
    shown = detail;
    receivedMs = performance.now();
    showState();
    paintDelay.record(detail.last_arrival_at, (delayMs) => show("hop-shown", duration(delayMs)));
  },
});
