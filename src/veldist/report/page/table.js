// The table of all bins. Keys with a space in front are no quantity of the maps.

const sorting = { key: " bin", descending: false };
let rowOf = [];

function columnsOf() {
  const place = (k) => data.shapes.positions.map((p) => p && p[k]);
  const places = data.shapes ? [["x", 0], ["y", 1]].map(([name, k]) => ({ key: ` ${name}`, name, unit: "arcsec", label: `${name} position`, digits: 3, values: place(k) })) : [];
  const keys = byId("all-columns").checked ? data.metrics.map((metric) => metric.key) : data.columns;
  return [
    { key: " bin", name: "bin", unit: null, label: "number of the bin", values: data.bins.map((_, k) => k + 1) },
    ...places, ...keys.map((key) => metricOf.get(key)),
  ];
}

// Bins without a value come last, whichever way the column is sorted.
function ordered(values) {
  const direction = sorting.descending ? -1 : 1;
  return values.map((_, k) => k).sort((a, b) => {
    if (values[a] === null || values[b] === null) return (values[a] === null) - (values[b] === null) || a - b;
    return direction * (values[a] - values[b]) || a - b;
  });
}

function cell(column, decimals, index) {
  const number = column.values[index];
  const [value, spread] = column.uncertainties ? measured(number, column.uncertainties[index])
    : [number === null ? "\u2013" : minus(number.toFixed(decimals)), ""];
  return html("td", {}, value, spread ? html("small", {}, ` \u00b1 ${spread}`) : null,
    column.dominated ? dagger(column, index) : null);
}

// Rows are moved, not made again: there may be thousands.
function sortTable(columns) {
  const chosen = columns.find((column) => column.key === sorting.key);
  columns.forEach((column, k) => {
    const heading = byId("table").tHead.rows[0].cells[k];
    if (column === chosen) heading.setAttribute("aria-sort", sorting.descending ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  });
  byId("table").tBodies[0].append(...ordered(chosen.values).map((index) => rowOf[index]));
}

function drawTable(state) {
  const columns = columnsOf();
  const decimals = columns.map(decimalsOf);
  if (!columns.some((column) => column.key === sorting.key)) Object.assign(sorting, { key: " bin", descending: false });
  const head = html("tr");
  for (const column of columns) {
    const button = html("button", { type: "button", title: column.label, "data-key": column.key },
      html("span", {}, column.name), html("small", {}, column.unit || "\u00a0"));
    button.addEventListener("click", () => {
      sorting.descending = sorting.key === column.key && !sorting.descending;
      sorting.key = column.key;
      sortTable(columns);
    });
    head.append(html("th", { scope: "col" }, button));
  }
  head.append(html("th", { scope: "col" }, html("span", { class: "unseen" }, "remarks")));
  const body = html("tbody");
  rowOf = data.bins.map((bin, index) => {
    const remark = !bin ? "not fitted" : bin.diagnostics && !bin.diagnostics.converged ? "not converged" : "";
    const row = html("tr", { "data-bin": index, class: bin ? "" : "empty", tabindex: "-1" },
      ...columns.map((column, k) => cell(column, decimals[k], index)), html("td", { class: "words" }, remark));
    return row;
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) state.choose(Number(row.getAttribute("data-bin")), "table");
  });
  byId("table").replaceChildren(html("caption", { class: "unseen" }, "Summaries of all bins"), html("thead", {}, head), body);
  sortTable(columns);
  markRow(state.index, false);
}

function markRow(index, scroll) {
  for (const row of byId("table").querySelectorAll("tr[aria-selected]")) {
    row.removeAttribute("aria-selected");
    row.tabIndex = -1;
  }
  const row = rowOf[index];
  row.setAttribute("aria-selected", "true");
  row.tabIndex = 0;
  if (!scroll) return;
  // Only the table's own box is scrolled, never the page.
  const box = document.querySelector(".scroll");
  const top = row.offsetTop - row.closest("table").tHead.offsetHeight;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight) {
    box.scrollTop = row.offsetTop + row.offsetHeight - box.clientHeight;
  }
}
