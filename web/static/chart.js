// The chart of the last 5 minutes. Its scale is linear near 0 and logarithmic further out, so that both
// a few milliseconds and the minutes after an outage are readable; nothing is cut off.

import { timeOfDay } from "./browser_texts.js";

const SPAN_MS = 300_000;
const GAP_MS = 2_500; // snapshots further apart than this are not connected
const ROW_MS = 30_000; // one row of the table per this
const SECOND = 1e3, MINUTE = 6e4, HOUR = 3.6e6, DAY = 8.64e7;
const STEPS = [
  0, 1, 3, 10, 30, 100, 300, SECOND, 3 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 10 * MINUTE, HOUR, 10 * HOUR,
  ...[1, 10, 100, 1e3, 1e4, 1e5].map((days) => days * DAY),
];
const MAX_TICKS = 7;
const MIN_TICK_DISTANCE = 0.07; // of the height: ticks nearer to 0 than this would overlap its label

const scaled = (value) => Math.sign(value) * Math.log10(1 + Math.abs(value));

export class Chart {
  #points = new Map(); // Unix ms → { average, p99, averageText, p99Text }

  constructor(root, table) {
    this.svg = root.querySelector("svg");
    this.ticks = root.querySelector(".ticks");
    this.rows = table.querySelector("tbody");
    table.addEventListener("toggle", () => table.open && this.#fillTable());
  }

  add(points) {
    for (const [at, average, p99, averageText, p99Text] of points) {
      this.#points.set(at, { at, average, p99, averageText, p99Text });
    }
    const newest = points.at(-1)?.[0]; // after the server's clock was set back, what was ahead is no longer shown
    for (const at of this.#points.keys()) if (at > newest) this.#points.delete(at);
    const sorted = [...this.#points].sort((a, b) => a[0] - b[0]);
    this.now = sorted.at(-1)?.[0] ?? Date.now();
    this.#points = new Map(sorted.filter(([at]) => at > this.now - SPAN_MS));
    this.#draw();
  }

  #draw() {
    const values = [...this.#points.values()].flatMap(({ average, p99 }) => [average, p99]).filter((value) => value != null);
    const range = limits(values);
    const y = (value) => 100 - (100 * (scaled(value) - scaled(range.low))) / (scaled(range.high) - scaled(range.low));
    this.svg.replaceChildren(
      ...range.ticks.map((tick) => shape("line", { x1: 0, x2: 300, y1: y(tick), y2: y(tick) })),
      ...this.#segments().flatMap((segment) => {
        const [average, p99] = ["average", "p99"].map((name) => this.#xy(segment, name, y));
        return [
          shape("path", { class: "band", d: line(p99) + "L" + line([...average].reverse()).slice(1) + "Z" }),
          shape("path", { class: "p99", d: line(p99) }),
          shape("path", { class: "average", d: line(average) }),
        ];
      }),
    );
    this.ticks.replaceChildren(...range.ticks.map((tick) => label(tick, y(tick))));
    this.svg.setAttribute("aria-label", this.#description());
  }

  // Points without a gap between them, in time or in values.
  #segments() {
    const segments = [];
    let last = -Infinity;
    for (const point of this.#points.values()) {
      if (point.average == null || point.p99 == null) continue;
      if (point.at - last > GAP_MS) segments.push([]);
      segments.at(-1).push(point);
      last = point.at;
    }
    return segments;
  }

  #xy(segment, name, y) {
    return segment.map((point) => [300 - ((this.now - point.at) * 300) / SPAN_MS, y(point[name])]);
  }

  #description() {
    const points = this.#segments().flat();
    if (!points.length) return "No messages in the last 5 minutes";
    const averages = [...points].sort((a, b) => a.average - b.average);
    const slowest = points.reduce((a, b) => (b.p99 > a.p99 ? b : a));
    const last = points.at(-1);
    return `Average from ${averages[0].averageText} to ${averages.at(-1).averageText} ms, last ${last.averageText} ms; ` +
      `99th percentile up to ${slowest.p99Text} ms, last ${last.p99Text} ms`;
  }

  #fillTable() {
    const rows = [];
    let next = Infinity;
    for (const { at, averageText, p99Text } of [...this.#points.values()].reverse()) {
      if (at > next) continue;
      next = at - ROW_MS;
      rows.push(row([timeOfDay(at), averageText, p99Text]));
    }
    this.rows.replaceChildren(...rows);
  }
}

function limits(values) {
  const high = STEPS.find((step) => step >= Math.max(10, ...values)) ?? Math.max(...values);
  const low = -(STEPS.find((step) => step >= -Math.min(0, ...values)) ?? -Math.min(...values)) || 0;
  const inside = [...STEPS.slice(1).map((step) => -step), ...STEPS].filter((step) => step >= low && step <= high);
  const near = (step) => step !== 0 && Math.abs(scaled(step)) < MIN_TICK_DISTANCE * (scaled(high) - scaled(low));
  const clear = inside.filter((step) => !near(step));
  const every = Math.ceil(clear.length / MAX_TICKS);
  return { high, low, ticks: clear.filter((step, index) => step === 0 || (clear.length - 1 - index) % every === 0) };
}

function line(points) {
  const one = points.length === 1 ? [...points, [points[0][0] + 0.5, points[0][1]]] : points;
  return "M" + one.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join("L");
}

function shape(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function tickText(ms) {
  const [length, unit] = [[DAY, " d"], [HOUR, " h"], [MINUTE, " min"], [SECOND, " s"]].find(([one]) => Math.abs(ms) >= one) ?? [1, ""];
  return `${ms / length}${unit}`;
}

function label(tick, top) {
  const element = document.createElement("li");
  element.textContent = tickText(tick).replace("-", "−");
  element.style.top = `${top}%`;
  return element;
}

export function row(cells) {
  const element = document.createElement("tr");
  element.append(...cells.map((text, index) => {
    const cell = document.createElement(index ? "td" : "th");
    if (!index) cell.scope = "row";
    cell.textContent = text;
    return cell;
  }));
  return element;
}
