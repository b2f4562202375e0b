// Elements, axes, colours and numbers, for all views.

const data = JSON.parse(document.getElementById("data").textContent);
const SVG = document.querySelector("svg").namespaceURI;
const byId = (id) => document.getElementById(id);
const metricOf = new Map(data.metrics.map((metric) => [metric.key, metric]));

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  for (const child of children) if (child !== null) element.append(child);
  return element;
}
const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
const html = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

const minus = (text) => text.replace(/^-(?=[0.]*$)/, "").replaceAll("-", "\u2212");
const withUnit = (text, unit) => (unit ? `${text} ${unit}` : text);
const inUnit = (label, unit) => (unit ? `${label} [${unit}]` : label);

function decimalsFor(step) {
  return Math.min(8, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
}

function plain(value) {
  if (value === null) return "\u2013";
  if (Number.isInteger(value)) return minus(String(value));
  const size = Math.abs(value);
  return minus(size >= 1000 ? value.toFixed(0) : size >= 1e-3 ? String(Number(value.toPrecision(3))) : value.toExponential(1));
}

// Decimals of a column of values without uncertainties: two digits of their range.
const DECIMALS = { " bin": 0, n_stars: 0, ess_min: 0, rhat_max: 3 };
function decimalsOf(column) {
  if (column.key in DECIMALS) return DECIMALS[column.key];
  const known = column.values.filter((value) => value !== null);
  const range = Math.max(...known) - Math.min(...known);
  return range > 0 ? Math.min(6, Math.max(0, (column.digits ?? 2) - 1 - Math.floor(Math.log10(range)))) : 2;
}

// A value and its uncertainty, with two digits of the latter.
function measured(value, uncertainty) {
  if (value === null) return ["\u2013", ""];
  if (uncertainty === null || uncertainty === undefined) return [plain(value), ""];
  if (uncertainty <= 0) return [plain(value), ""];
  const decimals = Math.max(0, 1 - Math.floor(Math.log10(uncertainty)));
  if (decimals > 6) return [value === 0 ? "0" : minus(value.toExponential(1)), uncertainty.toExponential(1)];
  return [minus(value.toFixed(decimals)), uncertainty.toFixed(decimals)];
}

function measuredText(metric, index) {
  const [value, spread] = measured(metric.values[index], metric.uncertainties && metric.uncertainties[index]);
  return withUnit(spread ? `${value} \u00b1 ${spread}` : value, value === "\u2013" ? null : metric.unit);
}

function ticks(low, high, wanted) {
  // The smallest round step with no more than the wanted number of ticks.
  const power = 10 ** Math.floor(Math.log10((high - low) / wanted));
  const count = (step) => Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1;
  const step = power * ([0.5, 1, 2, 5, 10].find((factor) => count(factor * power) <= wanted) ?? 20);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) found.push(k * step);
  const decimals = decimalsFor(step);
  return found.map((value) => [value, minus(Math.abs(value) < step / 2 ? "0" : value.toFixed(decimals))]);
}

// Colours at equal steps; positions between them are interpolated.
const scales = Object.fromEntries(Object.entries(data.scales).map(([name, text]) => [
  name, text.match(/.{6}/g).map((color) => [0, 2, 4].map((k) => parseInt(color.slice(k, k + 2), 16))),
]));

function colorAt(scale, share) {
  const colors = scales[scale];
  const place = Math.min(1, Math.max(0, share)) * (colors.length - 1);
  const k = Math.min(colors.length - 2, Math.floor(place));
  const mixed = colors[k].map((c, j) => Math.round(c + (place - k) * (colors[k + 1][j] - c)));
  return `rgb(${mixed.join(",")})`;
}
