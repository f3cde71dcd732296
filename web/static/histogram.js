// The histogram of the window, and the bar of the hops.

import { setText } from "./browser_texts.js";

export function drawHistogram(list, { counts, labels }) {
  const highest = Math.max(1, ...(counts ?? []));
  [...list.children].forEach((item, index) => {
    const count = counts?.[index] ?? 0;
    setText(item.querySelector(".count"), labels[index] ?? "");
    setText(item.querySelector(".number"), String(count));
    item.querySelector(".bar").style.height = `${(100 * count) / highest}%`;
  });
}

export function drawHops(bar, hops) {
  [...bar.children].forEach((segment, index) => {
    // A negative hop, caused by two clocks that differ, has no length; its time is shown below, marked.
    segment.style.flexGrow = Math.max(0, hops[index] ?? 0);
  });
}
