// Anomalies by their cause.
(() => {
  if (!run.clusters.length) return;
  const {anomalous, anomalous_kept: kept} = run.kept;
  const sentence = ({records, anomaly, failure, how}) => {
    const many = `${count(records.length)} ${anomaly}`;
    if (how === "untold") return `${many}: this file does not keep ${records.length === 1 ? "its way" : "their ways"}`;
    if (!failure) return `${many}: nothing is known to have carried ${records.length === 1 ? "it" : "them"}`;
    const did = failure.call ? `${failure.who} called ${failure.call}` : `${failure.who} was invoked`;
    if (how === "own") return `${many}: ${did}, and that failed`;
    if (how === "beside") return `${many}: in the same invocation, ${did}, and that failed`;
    if (how === "overcome") return `${many}: ${did}, which failed, and was repeated with success`;
    if (how === "logged") return `${many}: ${did}, and logged an error`;
    return `${many}: ${did}, and nothing failed`;
  };
  section("causes", "What went wrong",
    make("p", {class: "quiet"}, `${plural(run.clusters.length, "group")} of ${plural(anomalous, "record")} with an anomaly, by where, what was said there and the faults that met it.`
      + (kept < anomalous ? ` This file keeps ${count(kept)} of them; anomalies.parquet has all.` : "")),
    run.clusters.map((cluster, place) => make("article", {class: "cluster"},
      make("h3", {}, sentence(cluster)),
      facts([
        ["the answer", cluster.failure?.said ? make("code", {}, cluster.failure.said) : null],
        ["planned faults", cluster.failure?.faults.join(", ")],
        ["logged", cluster.logged ? make("code", {}, cluster.logged) : null],
        ["judged", cluster.why],
      ]),
      make("div", {class: "tools"},
        make("button", {type: "button", onclick: () => show({cluster: place})}, `Show ${cluster.records.length === 1 ? "it" : "them"}`),
        make("button", {type: "button", onclick: () => openRecord(run.records[cluster.records[0]])}, "The way of the first")))));
})();
