// The histogram of the window, and the bar of the hops.

const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export function drawHistogram(list, note, { bounds_ms: bounds, counts }) {
  const most = Math.max(1, ...(counts ?? [0]));
  [...list.children].forEach((item, index) => {
    const count = counts?.[index] ?? 0;
    say(item.querySelector(".count"), count ? short.format(count) : "");
    item.querySelector(".bar").style.height = `${(100 * count) / most}%`;
    say(item.querySelector(".said"), `${range(bounds, index)}: ${count}`);
  });
  const early = counts?.[0] ?? 0;
  say(note, early ? `${early} arrived before they were sent: the clocks differ` : "ms, each bar up to its number");
}

export function drawHops(bar, hops) {
  [...bar.children].forEach((part, index) => {
    // A negative hop, of two clocks that differ, has no length; its figure stands below, marked.
    part.style.flexGrow = Math.max(0, hops[index] ?? 0);
  });
}

function range(bounds, index) {
  if (index === 0) return `${bounds[0]} ms or less`;
  if (index === bounds.length) return `more than ${bounds.at(-1)} ms`;
  return `${bounds[index - 1]} to ${bounds[index]} ms`;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
