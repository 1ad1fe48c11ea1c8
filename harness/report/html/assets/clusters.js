// Anomalies by their cause.
(() => {
  if (!run.clusters.length) return;
  const {anomalous, anomalous_kept: kept} = run.kept;
  const sentence = ({records, anomaly, failure, how, missing}) => {
    const many = `${count(records.length)} ${anomaly}`;
    if (how === "untold") return `${many}: which way they went is not in this file`;
    if (!failure) return `${many}: nothing is known to have carried ${records.length === 1 ? "it" : "them"}`;
    if (["", "file"].includes(how) && missing.length) return `${many}: no ${missing[0].split(" → ")[1]} by ${missing[0].split(" → ")[0]} carried ${records.length === 1 ? "it" : "them"}`;
    if (how === "file") return `${many}: nothing but ${records.length === 1 ? "its" : "their"} file is known to have gone on`;
    if (failure.kind === "state") return `${many}: ${failure.who} failed, and ${failure.then}`;
    if (failure.kind === "execution") return `${many}: ${failure.who} failed, and the execution with it`;
    const did = failure.call ? `${failure.who} called ${failure.call}` : `${failure.who} was invoked`;
    const wrong = failure.faults.map(fault => DOES[kindOf(fault)]).find(Boolean) ?? "failed";
    if (how === "taken") return `${many}: ${did}, which ${failure.said.replace(/ it$/, records.length === 1 ? " it" : " them")}`;
    if (how === "own") return `${many}: ${did}, which ${wrong}`;
    if (how === "beside") return `${many}: in the same invocation ${did}, which ${wrong}`;
    if (how === "overcome") return `${many}: ${did}, which ${wrong}; done again, it went well`;
    if (how === "logged") return `${many}: ${did}, and logged an error`;
    return `${many}: last, ${did}, and nothing failed`;
  };
  // What the records of a group are, where that differs: the most frequent first.
  const parts = (cluster, of) => {
    const counts = new Map();
    for (const place of cluster.records) counts.set(of(run.records[place]), (counts.get(of(run.records[place])) ?? 0) + 1);
    if (counts.size === 1 && !counts.keys().next().value) return "";
    const sorted = [...counts].sort((a, b) => b[1] - a[1]);
    return sorted.slice(0, 4).map(([name, many]) => `${count(many)} ${name || "healthy"}`).join(", ") + (sorted.length > 4 ? ` and ${count(sorted.length - 4)} more` : "");
  };
  // In this run, by function.
  const called = () => {
    const of = new Map();
    for (const [, who, , , , , what] of run.invocations) of.set(who, new Set([...(of.get(who) ?? []), ...what.split(", ").filter(Boolean)]));
    return [...of].map(([who, calls]) => `${who}: ${[...calls].sort().join(", ") || "nothing"}`);
  };
  const file = record => /^shardId-/.test(record.at ?? "") ? record.at.split(":")[0] : decoded((record.at ?? "").split(/[@:]/)[0]);
  section("causes", "What went wrong",
    make("p", {class: "quiet"}, `${plural(run.clusters.length, "group")} of ${kept < anomalous ? `${count(kept)} of ${plural(anomalous, "record")}` : plural(anomalous, "record")} with an anomaly, `
      + "by what went wrong last on their way, what was answered, and the faults that met them. Look here first; it is no proof."
      + (kept < anomalous ? " The others are in anomalies.parquet." : "")),
    run.clusters.map((cluster, place) => make("article", {class: "cluster"},
      make("h3", {}, sentence(cluster) + (cluster.untold ? ` (this file has the way of ${count(cluster.records.length - cluster.untold)} of them)` : "")),
      facts([
        ["the answer", cluster.failure?.said && !["taken", "file", ""].includes(cluster.how) ? make("code", {}, cluster.failure.said) : null],
        ["planned faults", cluster.failure?.faults.join(", ")],
        ["its invocation logged", cluster.logged ? make("code", {}, cluster.logged) : null],
        ["why an anomaly", /^accepted, and seen nowhere afterwards$/.test(cluster.why) ? null : cluster.why],
        ["in common", cluster.common],
        ["where in the load", cluster.position],
        ["no such call carried them", cluster.missing.length ? make("div", {}, `${cluster.missing.join(", ")}, which most ${run.records[cluster.records[0]].malformed ? "malformed records that ended well" : "stored records"} had on their way`) : null],
        ["last on their way", cluster.failure && (cluster.how === "file" || (cluster.how === "" && cluster.missing.length)) ? cluster.failure.call ? `${cluster.failure.who} called ${cluster.failure.call}` : `${cluster.failure.who} was invoked` : null],
        ["looked for at", cluster.anomaly === "lost" && ["", "file"].includes(cluster.how) && !cluster.missing.length ? run.places.map(place => make("div", {}, place)) : null],
        ["kind", parts(cluster, record => record.malformed ?? "")],
        ["from", parts(cluster, file)],
        ["what functions called", ["", "file"].includes(cluster.how) && !cluster.missing.length && cluster.failure ? called().map(text => make("div", {}, text)) : null],
        ["not recorded", cluster.failure || cluster.how === "untold" ? null : "calls of others than AWS, such as HTTP requests"],
        ["invoked in this run", cluster.failure || cluster.how === "untold" ? null : run.functions.map(one => `${one.name} (${count(one.invocations)})`).join(", ")],
      ]),
      make("div", {class: "tools"},
        make("button", {type: "button", onclick: () => show({cluster: place})}, `Show ${cluster.records.length === 1 ? "it" : "them"}`),
        run.records[cluster.records[0]].way?.length ? make("button", {type: "button", onclick: () => openRecord(run.records[cluster.records[0]])}, "The way of the first") : ""))));
})();
