// The LOSVD of the chosen bin.

const TICKS_OF_RUG = 4000;
const plot = { width: 600, height: 360, left: 58, right: 12, top: 10, bottom: 62, rug: 14 };

// Part of the grid where the LOSVD differs from nothing: velocities (km/s) and the peak's density.
function extentOf(bin) {
  const grid = data.grids[bin.grid];
  const upper = bin.curves[4];
  const peak = Math.max(...upper);
  const seen = upper.map((mass, k) => (mass > 0.01 * peak ? k : -1)).filter((k) => k >= 0);
  return {
    low: grid.left + grid.width * Math.max(0, seen[0] - 1),
    high: grid.left + grid.width * Math.min(grid.n, seen[seen.length - 1] + 2),
    peak: peak * bin.mass / grid.width,
  };
}

const extents = data.bins.map((bin) => bin && extentOf(bin));
const commonExtent = extents.filter((e) => e).reduce((a, b) => ({
  low: Math.min(a.low, b.low), high: Math.max(a.high, b.high), peak: Math.max(a.peak, b.peak),
}));

function velocitiesOf(bin) {
  const grid = data.grids[bin.grid];
  let tick = 0;
  return bin.rug.map((step) => {
    tick += step;
    return grid.left + grid.width * grid.n * tick / TICKS_OF_RUG;
  });
}

// Corners of a histogram, from left to right or back.
function steps(masses, toX, toY, grid, backwards) {
  const corners = [];
  masses.forEach((mass, k) => {
    const y = toY(mass).toFixed(1);
    corners.push(`${toX(grid.left + k * grid.width).toFixed(1)} ${y}`, `${toX(grid.left + (k + 1) * grid.width).toFixed(1)} ${y}`);
  });
  return (backwards ? corners.reverse() : corners).join("L");
}

function drawLosvd(index) {
  const bin = data.bins[index];
  const picture = svg("svg", { viewBox: `0 0 ${plot.width} ${plot.height}`, role: "img", id: "losvd-plot" });
  byId("losvd").replaceChildren(picture);
  const name = `LOSVD of bin ${index + 1}: probability density against velocity, with 68 and 95 % bands`;
  picture.setAttribute("aria-label", bin ? name : `Bin ${index + 1} has no LOSVD`);
  const right = plot.width - plot.right, base = plot.height - plot.bottom;
  if (!bin) {
    picture.append(svg("text", { x: plot.width / 2, y: plot.height / 2, "text-anchor": "middle" },
      "no LOSVD: the bin was skipped or is not fitted"));
    return;
  }
  const grid = data.grids[bin.grid];
  const extent = byId("common").checked ? commonExtent : extents[index];
  const toX = (v) => plot.left + (v - extent.low) / (extent.high - extent.low) * (right - plot.left);
  const toDensity = (density) => base - density / (1.06 * extent.peak) * (base - plot.top);
  const toY = (mass) => toDensity(mass * bin.mass / grid.width);
  picture.append(svg("title", {}, name), svg("clipPath", { id: "inside" },
    svg("rect", { x: plot.left, y: 0, width: right - plot.left, height: plot.height })));
  const curves = svg("g", { "clip-path": "url(#inside)" });
  const [c2, c16, c50, c84, c97] = bin.curves;
  for (const [lower, upper, style] of [[c2, c97, "outer"], [c16, c84, "inner"]]) {
    curves.append(svg("path", { class: style,
      d: `M${steps(upper, toX, toY, grid)}L${steps(lower, toX, toY, grid, true)}z` }));
  }
  curves.append(svg("path", { class: "median", id: "losvd-median", d: `M${steps(c50, toX, toY, grid)}` }));
  const v = metricOf.get("v_mean")?.values[index], sigma = metricOf.get("sigma")?.values[index];
  if (Number.isFinite(v) && sigma > 0) {
    const points = Array.from({ length: 161 }, (_, k) => {
      const at = extent.low + (extent.high - extent.low) * k / 160;
      const density = Math.exp(-0.5 * ((at - v) / sigma) ** 2) / (sigma * Math.sqrt(2 * Math.PI));
      return `${toX(at).toFixed(1)} ${toDensity(density).toFixed(1)}`;
    });
    curves.append(svg("path", { class: "gaussian", d: `M${points.join("L")}` }));
  }
  const stars = velocitiesOf(bin);
  curves.append(svg("path", { class: "rug",
    d: stars.map((at) => `M${toX(at).toFixed(1)} ${base + 3}v${plot.rug - 4}`).join("") || "M0 0" }));
  picture.append(curves, svg("line", { class: "zero", x1: plot.left, x2: right, y1: base, y2: base }));
  const floor = base + plot.rug;
  picture.append(svg("path", { class: "frame", d: `M${plot.left} ${plot.top}V${floor}H${right}` }));
  for (const [value, text] of ticks(extent.low, extent.high, 7)) {
    const x = toX(value);
    picture.append(svg("path", { class: "tick", d: `M${x} ${floor}v4` }),
      svg("text", { x, y: floor + 17, "text-anchor": "middle" }, text));
  }
  for (const [value, text] of ticks(0, 1.06 * extent.peak, 7)) {
    const y = toDensity(value);
    picture.append(svg("path", { class: "tick", d: `M${plot.left} ${y}h-4` }),
      svg("text", { x: plot.left - 7, y: y + 4, "text-anchor": "end" }, text));
  }
  const middle = (plot.top + base) / 2;
  picture.append(
    svg("text", { class: "label", x: (plot.left + right) / 2, y: plot.height - 8, "text-anchor": "middle" }, "velocity [km/s]"),
    svg("text", { class: "label", x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` },
      "density [1/(km/s)]"));
  const hidden = stars.filter((at) => at < extent.low || at > extent.high).length;
  const remarks = [bin.thinned ? `${stars.length} of the stars drawn` : null,
    hidden ? `${hidden} beyond this range` : null, bin.beyond ? `${bin.beyond} outside the velocity grid` : null];
  byId("rug-key").lastChild.textContent = ["stars, observed velocities", ...remarks.filter((r) => r)].join("; ");
}
