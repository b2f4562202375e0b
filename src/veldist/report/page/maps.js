// Maps of the bins. All panels have the same geometry.

const panels = [];
const field = { left: 40, right: 14, top: 34, bottom: 34, width: 252 };

function layOut(shapes) {
  const extent = shapes.size.map((n, k) => n * shapes.unit[k]);
  const gap = 0.02 * Math.max(...extent);
  const low = shapes.origin.map((start) => start - gap);
  const high = shapes.origin.map((start, k) => start + extent[k] + gap);
  const scale = Math.min(field.width / (high[0] - low[0]), 380 / (high[1] - low[1]));
  const width = scale * (high[0] - low[0]), height = Math.max(40, scale * (high[1] - low[1]));
  const left = field.left + (field.width - width) / 2;
  const toX = (x) => left + scale * (x - low[0]);
  const toY = (y) => field.top + height - scale * (y - low[1]);
  const [sx, sy] = [scale * shapes.unit[0], -scale * shapes.unit[1]];
  const [x0, y0] = [toX(shapes.origin[0]), toY(shapes.origin[1])];
  const round = (number) => Number(number.toFixed(2));
  const paths = shapes.paths.map((path) => path && path
    .replace(/M(-?\d+) (-?\d+)/g, (_, x, y) => `m_${round(x0 + sx * x)}_${round(y0 + sy * y)}`)
    .replace(/h(-?\d+)/g, (_, dx) => `h${round(sx * dx)}`)
    .replace(/v(-?\d+)/g, (_, dy) => `v${round(sy * dy)}`)
    .replace(/l([^z]*)/g, (_, pairs) => "l" + pairs.split(" ").map((n, k) => round((k % 2 ? sy : sx) * n)).join(" "))
    .replace(/m_(-?[\d.]+)_(-?[\d.]+)/g, "M$1 $2"));
  return { left, width, height, low, high, toX, toY, paths };
}

const layout = data.shapes && layOut(data.shapes);

function menu(chosen) {
  const select = html("select");
  const values = html("optgroup", { label: "Posterior medians and diagnostics" });
  const spreads = html("optgroup", { label: "Uncertainties" });
  for (const metric of data.metrics) {
    const title = metric.name === metric.label ? metric.label : `${metric.name}: ${metric.label}`;
    values.append(html("option", { value: metric.key }, inUnit(title, metric.unit)));
    if (metric.uncertainties) {
      spreads.append(html("option", { value: `${metric.key} uncertainty` }, inUnit(`Uncertainty of ${metric.name}`, metric.unit)));
    }
  }
  select.append(values, spreads);
  select.value = chosen;
  return select;
}

// What a choice of the menu shows.
function shownBy(choice) {
  const spread = !metricOf.has(choice);
  const metric = metricOf.get(spread ? choice.replace(/ uncertainty$/, "") : choice);
  return {
    metric,
    label: inUnit(spread ? `Uncertainty of ${metric.name}` : metric.label, metric.unit),
    values: spread ? metric.uncertainties : metric.values,
    limits: spread ? metric.uncertainty_limits : metric.limits,
    scale: spread || metric.center === null ? "sequential" : "diverging",
    // Both kinds are hatched alike.
    doubtful: spread ? [] : metric.dominated.concat(metric.undetermined.filter((k) => metric.values[k] !== null && !metric.dominated.includes(k))),
  };
}

function colorBar(shown, number) {
  const [low, high] = shown.limits;
  const group = svg("g");
  const gradient = svg("linearGradient", { id: `colors-${number}` });
  for (let k = 0; k <= 32; k += 1) {
    gradient.append(svg("stop", { offset: k / 32, "stop-color": colorAt(shown.scale, k / 32) }));
  }
  const { left, right, width } = { left: field.left, right: field.left + field.width, width: field.width };
  group.append(gradient, svg("rect", { class: "frame", x: left, y: 4, width, height: 8, style: `fill:url(#colors-${number})` }));
  // Pointed where values lie beyond the limits.
  const known = shown.values.filter((value) => value !== null);
  if (Math.min(...known) < low) group.append(svg("path", { d: `M${left - 2} 4v8l-6 -4z`, fill: colorAt(shown.scale, 0) }));
  if (Math.max(...known) > high) group.append(svg("path", { d: `M${right + 2} 4v8l6 -4z`, fill: colorAt(shown.scale, 1) }));
  for (const [value, text] of ticks(low, high, 5)) {
    const x = left + (value - low) / (high - low) * width;
    group.append(svg("path", { class: "tick", d: `M${x} 12v3` }), svg("text", { x, y: 25, "text-anchor": "middle" }, text));
  }
  return group;
}

function axes() {
  const { left, width, height, low, high, toX, toY } = layout;
  const base = field.top + height;
  const group = svg("g", {}, svg("rect", { class: "frame", x: left, y: field.top, width, height }));
  for (const [value, text] of ticks(low[0], high[0], 4)) {
    group.append(svg("path", { class: "tick", d: `M${toX(value)} ${base}v3` }),
      svg("text", { x: toX(value), y: base + 13, "text-anchor": "middle" }, text));
  }
  for (const [value, text] of ticks(low[1], high[1], Math.max(2, Math.round(4 * height / field.width)))) {
    group.append(svg("path", { class: "tick", d: `M${left} ${toY(value)}h-3` }),
      svg("text", { x: left - 5, y: toY(value) + 3.5, "text-anchor": "end" }, text));
  }
  const middle = field.top + height / 2;
  group.append(
    svg("text", { class: "label", x: left + width / 2, y: base + 28, "text-anchor": "middle" }, "x [arcsec]"),
    svg("text", { class: "label", x: left - 32, y: middle, "text-anchor": "middle", transform: `rotate(-90 ${left - 32} ${middle})` },
      "y [arcsec]"));
  return group;
}

function drawPanel(panel) {
  const shown = shownBy(panel.select.value);
  const picture = panel.picture;
  picture.setAttribute("aria-label",
    `Map of ${shown.label}. Arrow keys move to the neighbouring bin, a click selects one.`);
  const areas = svg("g");
  const [low, high] = shown.limits;
  layout.paths.forEach((path, index) => {
    if (!path) return;
    const value = shown.values[index];
    const color = value === null ? "url(#skipped)" : colorAt(shown.scale, (value - low) / (high - low));
    const text = data.bins[index] ? `Bin ${index + 1}: ${shown.metric.name} = ${measuredText(shown.metric, index)}` : `Bin ${index + 1}: not fitted`;
    areas.append(svg("path", { class: "area", d: path, fill: color, stroke: color, "data-bin": index }, svg("title", {}, text)));
  });
  const borders = svg("path", { class: "border", d: layout.paths.filter((path) => path).join("") });
  const overlay = svg("path", { class: "overlay", fill: "url(#dominated)", d: shown.doubtful.map((k) => layout.paths[k]).join("") || "M0 0" });
  panel.marks = [svg("path", { class: "chosen under" }), svg("path", { class: "chosen over" })];
  picture.replaceChildren(colorBar(shown, panel.number), areas, borders, overlay, axes(), ...panel.marks);
}

function markPanel(panel, index) {
  for (const mark of panel.marks) mark.setAttribute("d", layout.paths[index] || "M0 0");
}

function drawMaps(state) {
  if (!layout) {
    byId("maps").hidden = true;
    document.querySelector("main").classList.add("mapless");
    return;
  }
  data.panels.forEach((key, number) => {
    const picture = svg("svg", {
      viewBox: `0 0 ${field.left + field.width + field.right} ${field.top + layout.height + field.bottom}`,
      role: "group", tabindex: "0",
    });
    const panel = { number, picture, select: menu(key), marks: [] };
    panel.select.setAttribute("aria-label", `Quantity in map ${number + 1}`);
    panel.select.addEventListener("change", () => { drawPanel(panel); markPanel(panel, state.index); });
    picture.addEventListener("click", (event) => {
      const area = event.target.closest("[data-bin]");
      if (area) state.choose(Number(area.getAttribute("data-bin")));
    });
    panels.push(panel);
    byId("panels").append(html("figure", { class: "panel" }, panel.select, picture));
    drawPanel(panel);
  });
  const doubts = [[PRIOR, "dominated"], [SERIES, "undetermined"]]
    .filter(([, kind]) => data.metrics.some((metric) => metric[kind].length)).map(([text]) => text);
  const parts = [["skipped", "skipped or not fitted", data.bins.includes(null)],
    ["dominated", doubts.join(", or "), doubts.length > 0]];
  for (const [pattern, text, there] of parts) {
    if (!there) continue;
    byId("legend").append(html("span", { style: "margin-right:18px" },
      svg("svg", { class: "swatch", width: 22, height: 12, "aria-hidden": "true" }, svg("rect", { width: 22, height: 12, fill: `url(#${pattern})` })), text));
  }
  byId("legend").append("Choose another quantity in the title of a map. Click a bin or use the arrow keys.");
}
