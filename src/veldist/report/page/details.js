// What is known of the chosen bin, in numbers and in words.

const GROUPS = [
  ["Moments", ["v_mean", "sigma", "skewness", "kurtosis"]],
  ["Percentiles", ["v_median", "v_asymmetry", "iqr", "sigma_iqr", "sigma_percentile", "bowley_skewness", "moors_kurtosis", "tail_weight"]],
  ["Gauss\u2013Hermite", ["gh_v", "gh_sigma", "h3", "h4", "h5", "h6", "gh_converged"]],
  ["Members", ["n_members", "member_fraction"]],
  ["Peaks", ["bimodality_score", "p_multimodal", "peak1_v", "peak1_mass", "peak2_v", "peak2_mass"]],
];
// Said in words.
const SAID = ["n_stars", "ess_min", "rhat_max", "log_bayes_factor"];
const PRIOR = "the prior weighs more than the data";
const SERIES = "the data do not determine the Gauss\u2013Hermite series";

// Says why a value is not to be relied on; null if there is nothing to say.
function dagger(metric, index) {
  if (metric.values[index] === null) return null;
  const reasons = [metric.dominated.includes(index) ? PRIOR : null, metric.undetermined.includes(index) ? SERIES : null];
  const said = reasons.filter((reason) => reason).join("; ");
  return said ? html("abbr", { class: "prior", title: said, "aria-label": said }, "\u2020") : null;
}

function drawDetails(index) {
  const box = byId("details");
  box.replaceChildren();
  if (!data.bins[index]) return;
  const grouped = new Set(GROUPS.flatMap(([, keys]) => keys));
  const others = data.metrics.map((metric) => metric.key).filter((key) => !grouped.has(key) && !SAID.includes(key));
  for (const [caption, keys] of [...GROUPS, ["Other", others]]) {
    const rows = keys.map((key) => metricOf.get(key)).filter((metric) => metric && metric.values[index] !== null);
    if (!rows.length) continue;
    const body = html("tbody");
    for (const metric of rows) {
      const [value, spread] = measured(metric.values[index], metric.uncertainties && metric.uncertainties[index]);
      body.append(html("tr", {},
        html("th", { scope: "row", title: metric.key }, metric.label),
        html("td", {}, spread ? `${value} \u00b1 ${spread}` : value, metric.unit ? html("span", { class: "unit" }, ` ${metric.unit}`) : null,
          dagger(metric, index))));
    }
    box.append(html("table", {}, html("caption", {}, caption), body));
  }
}

// The scale of Kass & Raftery (1995, J. Am. Stat. Assoc. 90, 773), in natural logarithms.
function evidenceInWords(log) {
  const size = Math.abs(log);
  const strength = size < 1 ? null : size < 3 ? "some" : size < 5 ? "strong" : "very strong";
  const shape = log > 0 ? "against a Gaussian" : "for a Gaussian";
  return strength ? `${strength} evidence ${shape}` : "no evidence for or against a Gaussian";
}

function judgement(index) {
  const bin = data.bins[index];
  if (!bin) return { bad: false, text: "This bin has too few stars, or its fit is missing." };
  const sentences = [];
  const found = bin.diagnostics;
  if (found) {
    const [ess, rhat, k, acceptance, log] = found.numbers;
    sentences.push(found.converged ? "The draws have converged" : `The draws have NOT converged (${found.messages.join("; ") || "no reason given"})`);
    const figures = [["effective sample size at least ", ess === null ? null : plain(Math.round(ess))],
      ["nested R\u2011hat at most ", rhat === null ? null : rhat.toFixed(3)], ["Pareto k ", k === null ? null : minus(k.toFixed(2))],
      ["acceptance ", acceptance === null ? null : acceptance.toFixed(2)]];
    sentences[0] += `: ${figures.filter(([, figure]) => figure !== null).map((pair) => pair.join("")).join(", ")}.`;
    if (log !== null) {
      const sentence = evidenceInWords(log);
      sentences.push(`${sentence[0].toUpperCase()}${sentence.slice(1)} (log Bayes factor ${minus(log.toFixed(1))}).`);
    }
  }
  sentences.push(...bin.messages);
  if (bin.outside > 0.001) sentences.push(`${plain(100 * bin.outside)} % of the LOSVD lies outside the velocity grid.`);
  const weak = data.metrics.filter((metric) => metric.dominated.includes(index)).map((metric) => metric.name);
  if (weak.length) sentences.push(`The prior weighs more than the data on: ${weak.join(", ")}.`);
  if (data.metrics.some((metric) => metric.undetermined.includes(index))) {
    const share = Math.floor(100 * metricOf.get("gh_converged").values[index]);
    sentences.push(`The Gauss\u2013Hermite series is not determined by the data here: the fits of only ${share} % of the draws converged.`);
  }
  return { bad: bin.messages.length > 0 || (found ? !found.converged : false), text: sentences.join(" ") };
}
