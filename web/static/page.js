// Shows each reading as it comes. The server has filled in the first one.

import { drawHistogram, drawHops } from "./bars.js";
import { Chart, row } from "./chart.js";
import { Shown } from "./shown.js";
import { state } from "./state.js";
import { follow } from "./stream.js";
import { clock, clocks, duration, groups, ms, whole } from "./text.js";

const JOURNAL_LINES = 6;
const HOPS = ["gateway", "consumer", "queue", "store"];

const at = (id) => document.getElementById(id);
const chart = new Chart(at("chart"), at("chart-table"));
let shown = JSON.parse(at("first").textContent);
const painted = new Shown(shown.stats.last_arrival_at);
let heard = performance.now();

function show(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

function showMs(id, value, text = ms(value)) {
  show(id, text);
  at(id).classList.toggle("minus", value < 0);
  at(id).classList.toggle("none", value == null);
}

function showAverage(value) {
  const [text, unit] = duration(value);
  showMs("average", value, text);
  show("average-unit", unit);
}

function showStats(stats) {
  showHighest(stats.highest_number);
  for (const [id, value] of Object.entries({
    p50: stats.p50_ms, p95: stats.p95_ms, p99: stats.p99_ms, max: stats.max_ms,
  })) showMs(id, value);
  showAverage(stats.average_transmission_ms);
  show("run-id", stats.run.id ?? "–");
  show("run-highest", whole(stats.run.highest_number));
  show("run-stored", whole(stats.run.stored));
  show("run-first", clock(stats.run.first_arrival_at));
  show("window-count", whole(stats.window_count));
  show("stored-total", whole(stats.stored_total));
  show("queue-depth", whole(stats.queue_depth));
  show("last-arrival", clock(stats.last_arrival_at));
  for (const hop of HOPS) showMs(`hop-${hop}`, stats.hops_ms[hop]);
  drawHops(at("hops-bar"), HOPS.map((hop) => stats.hops_ms[hop]));
}

function showHighest(value) {
  const element = at("highest");
  if (element.textContent === whole(value)) return;
  element.dataset.digits = whole(value).length;
  element.replaceChildren(...groups(value).map((digits) => {
    const group = document.createElement("span");
    group.textContent = digits;
    return group;
  }));
}

function showDetail({ histogram, runs, journal, clock: difference }) {
  show("clock-difference", clocks(difference));
  drawHistogram(at("histogram"), at("clocks"), histogram);
  const lost = runs[0]?.lost ?? null;
  show("run-missing", whole(lost));
  at("run-missing").classList.toggle("lost", lost > 0);
  at("runs").replaceChildren(...runs.map((run) => {
    const cells = [run.highest_number, run.stored, run.lost, run.duplicates, run.late].map(whole);
    const element = row([run.id, clock(run.first_arrival_at), ...cells]);
    element.cells[4].classList.toggle("lost", run.lost > 0);
    return element;
  }));
  showJournal(journal);
}

function showJournal(journal) {
  at("journal").replaceChildren(...journal.slice(0, JOURNAL_LINES).map((line) => {
    const item = document.createElement("li");
    const time = document.createElement("time");
    item.dataset.kind = line.kind;
    time.dateTime = line.at;
    time.textContent = clock(line.at);
    item.append(time, ` ${line.text}`);
    return item;
  }));
}

function showState() {
  const { level, text, silent = false } = state(shown, performance.now() - heard);
  at("state").dataset.level = level;
  show("state", text);
  document.body.classList.toggle("silent", silent);
}

showStats(shown.stats);
showDetail(shown.detail);
showState();
setInterval(showState, 250);
follow("/fizzbuzz/stream?detail=1", {
  history: ({ points }) => chart.add(points),
  detail: (detail) => {
    shown = { ...shown, detail };
  },
  stats: (stats) => {
    shown = { ...shown, stats };
    heard = performance.now();
    chart.add([[Date.parse(stats.at), stats.average_transmission_ms, stats.p99_ms]]);
    showStats(stats);
    showDetail(shown.detail);
    showState();
    painted.note(stats.last_arrival_at, (wait) => showMs("hop-shown", wait));
  },
});
