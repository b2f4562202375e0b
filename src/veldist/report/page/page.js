// The chosen bin, and what changes it.

const state = { index: -1, choose };

function choose(index, origin) {
  if (index < 0 || index >= data.bins.length) return;
  state.index = index;
  const bin = data.bins[index];
  byId("bin-title").textContent = `Bin ${index + 1}`;
  byId("numbers-title").textContent = `Bin ${index + 1} in numbers`;
  byId("numbers").hidden = !bin;
  const place = data.shapes && data.shapes.positions[index];
  const stars = metricOf.get("n_stars")?.values[index];
  byId("bin-place").textContent = [bin && stars ? `${stars} stars` : null,
    place ? `x = ${plain(place[0])}, y = ${plain(place[1])} arcsec` : null].filter((text) => text).join(" \u00b7 ");
  drawLosvd(index);
  drawDetails(index);
  const verdict = judgement(index);
  byId("judgement").textContent = verdict.text;
  byId("judgement").hidden = !verdict.text;
  byId("judgement").classList.toggle("bad", verdict.bad);
  for (const panel of panels) markPanel(panel, index);
  markRow(index, origin !== "table");
  const said = ["v_mean", "sigma"].filter((key) => bin && metricOf.has(key))
    .map((key) => `${metricOf.get(key).label} ${measuredText(metricOf.get(key), index)}`);
  byId("status").textContent = [`Bin ${index + 1}`, ...(bin ? said : ["not fitted"])].join(", ");
}

// The nearest bin within 45 degrees of a direction; distances across it count twice.
function neighbour(dx, dy) {
  const positions = data.shapes.positions;
  const here = positions[state.index];
  let best = null, least = Infinity;
  if (here) {
    positions.forEach((there, index) => {
      if (!there || index === state.index) return;
      const along = (there[0] - here[0]) * dx + (there[1] - here[1]) * dy;
      const across = Math.abs((there[0] - here[0]) * dy) + Math.abs((there[1] - here[1]) * dx);
      const distance = Math.hypot(along, 2 * across);
      if (along > 0 && across <= along && distance < least) { best = index; least = distance; }
    });
  }
  return best;
}

// Up and down in the order in which the table shows the bins.
function stepInTable(step) {
  const row = rowOf[state.index];
  const other = step < 0 ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  choose(Number(other.getAttribute("data-bin")));
  other.focus({ preventScroll: true });
}

const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

document.addEventListener("keydown", (event) => {
  const direction = DIRECTIONS[event.key];
  if (!direction || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest("select, input, textarea")) return;
  if (event.target.closest(".scroll")) {
    if (!direction[1]) return;
    event.preventDefault();
    stepInTable(-direction[1]);
    return;
  }
  // Elsewhere up and down scroll the page.
  if (direction[1] && !event.target.closest("#maps, #bin")) return;
  event.preventDefault();
  if (data.shapes) {
    const found = neighbour(...direction);
    if (found !== null) choose(found);
  } else {
    choose(state.index + direction[0] - direction[1]);
  }
});

function overview() {
  const fitted = data.bins.filter((bin) => bin);
  const diagnosed = fitted.filter((bin) => bin.diagnostics);
  const failed = diagnosed.filter((bin) => !bin.diagnostics.converged).length;
  const stars = (metricOf.get("n_stars")?.values || []).reduce((sum, n) => sum + n, 0);
  const decided = diagnosed.filter((bin) => bin.diagnostics.numbers[4] > 3).length;
  const parts = [`${fitted.length} of ${data.bins.length} bins fitted`];
  if (stars) parts.push(`${stars.toLocaleString("en")} stars`);
  if (diagnosed.length) parts.push(`${diagnosed.length - failed} converged`, `${decided} clearly not Gaussian (log Bayes factor above 3)`);
  byId("overview").textContent = parts.join(" \u00b7 ");
  byId("alarm").hidden = !failed;
  byId("alarm").textContent = `The draws of ${failed} bins have not converged: do not rely on them. The table names them.`;
  byId("remarks").hidden = !data.remarks.length;
  byId("remarks").textContent = data.remarks.join(" ");
}

function list(title, rows) {
  const box = html("dl", rows.length > 8 ? { class: "long" } : {});
  for (const [name, value] of rows) box.append(html("dt", {}, name), html("dd", {}, value));
  return [html("h3", {}, title), box];
}

function howMade() {
  const grids = data.grids.map((grid, k) => [data.grids.length > 1 ? `grid ${k + 1}` : "range",
    `${plain(grid.left)} to ${plain(grid.left + grid.n * grid.width)} km/s in ${grid.n} bins of ${plain(grid.width)} km/s`]);
  byId("settings").append(...list("Velocity grid", grids), ...list("Versions", Object.entries(data.versions)),
    ...(data.settings.length ? list("Settings", data.settings) : []));
}

overview();
howMade();
drawMaps(state);
state.index = Math.max(0, data.bins.findIndex((bin) => bin));
drawTable(state);
byId("previous").addEventListener("click", () => choose(state.index - 1));
byId("next").addEventListener("click", () => choose(state.index + 1));
byId("common").addEventListener("change", () => drawLosvd(state.index));
byId("all-columns").addEventListener("change", () => drawTable(state));
choose(state.index);
