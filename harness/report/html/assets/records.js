// The records that this file keeps, and the way of each.
(() => {
  const FIRST = 25;
  const {kept} = run;
  const text = make("input", {type: "search", id: "find", placeholder: "any text of a record", autocomplete: "off"});
  const chips = make("div", {class: "tools", role: "group", "aria-label": "Filters"});
  const said = make("p", {role: "status", class: "quiet"});
  const holder = make("div");
  const more = make("button", {type: "button", onclick: () => { limit *= 4; draw(); }}, "Show more");
  let limit = FIRST;

  const kind = record => record.malformed ? `malformed: ${record.malformed}` : record.filtered ? `to be dropped: ${record.filtered}` : record.index === null ? "" : "healthy";
  const searched = record => [record.id, ...record.places, record.at, record.reason, kind(record), record.detail, word(record.status), word(record.ended), ...record.anomalies, ...record.whys,
    record.promised, record.content].join(" ").toLowerCase();
  const fits = record => (filter.status === undefined || record.status === filter.status)
    && (filter.ended === undefined || record.ended === filter.ended)
    && (filter.anomaly === undefined || record.anomalies.includes(filter.anomaly))
    && (filter.cluster === undefined || run.clusters[filter.cluster].records.includes(run.records.indexOf(record)))
    && (!filter.text || searched(record).includes(filter.text.toLowerCase()));
  // A band counts a record under its first anomaly alone.
  const of = flow => (filter.status === undefined || flow.status === filter.status) && (filter.ended === undefined || flow.ended === filter.ended)
    && (filter.anomaly === undefined || flow.anomaly === filter.anomaly);
  const labels = {status: "first hop", ended: "ended", anomaly: "anomaly", cluster: "group", text: "text"};

  function draw() {
    const wanted = (filter.text ?? "").toLowerCase();
    const found = run.records.filter(fits).sort((a, b) => ((b.id ?? "").toLowerCase() === wanted) - ((a.id ?? "").toLowerCase() === wanted)
      // Of a group those come first whose way can be seen.
      || (filter.cluster === undefined ? 0 : Boolean(b.way) - Boolean(a.way)));
    const rows = found.slice(0, limit).map(record => [
      make("button", {type: "button", "aria-haspopup": "dialog", onclick: () => openRecord(record)}, record.id ?? "without an id"),
      word(record.status) ?? "never offered", word(record.ended) ?? "not known", record.anomalies.join(", "),
      kind(record),
      record.offered === null ? "" : duration(record.offered), record.seen === null ? "" : duration(record.seen), record.whys[0] ?? record.reason ?? ""]);
    const of_bands = filter.cluster === undefined && !filter.text ? run.flows.filter(of).reduce((total, flow) => total + flow.count, 0) : null;
    said.textContent = `${records(found.length)}${of_bands !== null && of_bands > found.length ? `, kept of ${count(of_bands)}` : ""}`;
    chips.replaceChildren(...Object.entries(filter).filter(([, value]) => value !== undefined && value !== "").map(([name, value]) => {
      const {[name]: _, ...others} = filter;
      const shown = name === "cluster" ? value + 1 : word(value);
      return make("button", {type: "button", class: "chip", "aria-label": `Remove the filter ${labels[name]} ${shown}`, onclick: () => show(others, {scroll: false})}, `${labels[name]}: ${shown} ✕`);
    }));
    holder.replaceChildren(table("Records", ["record", "first hop", "ended", "anomaly", "kind", "offered", "seen", "why"], rows, {class: "records"}));
    more.hidden = found.length <= limit;
  }

  const sampled = kept.offered > kept.anomalous_kept + kept.others_kept
    ? `Of ${count(kept.offered)} offered records this file keeps ${kept.anomalous_kept < kept.anomalous ? `${count(kept.anomalous_kept)} of the ${count(kept.anomalous)}` : kept.anomalous ? `all ${count(kept.anomalous)}` : "none, as there is none,"} with an anomaly, `
      + `and ${count(kept.others_kept)} others: some of each kind, evenly over the load. ledger.parquet and outcomes.parquet have all.`
    : "All records of the run.";
  section("records", "Records", make("p", {class: "quiet"}, sampled),
    folded("What the words mean", facts([
      ["first hop", "what took the offer: the stream, queue, bucket or API that the load is sent to"],
      ["given up", "dead-lettered or alerted: not stored, and kept where a person finds it"],
      ["kind", "healthy, or malformed on purpose and how"],
      ["with its file", "a step with the file or upload that the record is a row of; it may have been about other rows"],
      ["another event", "an invocation whose event did not have the record: it fetched it, or overwrote or deleted what was stored of it"],
    ])),
    make("div", {class: "tools"}, make("label", {}, "find", text), chips), said, holder, more);
  document.getElementById("records-title").setAttribute("tabindex", "-1");
  text.addEventListener("input", () => show({...filter, text: text.value || undefined}, {scroll: false}));
  onFilter(() => { limit = FIRST; if (text.value !== (filter.text ?? "")) text.value = filter.text ?? ""; draw(); });
  draw();
})();

// The way of one record, in a dialog; the address of the page names it, so that it can be handed on.
function openRecord(record) {
  const dialog = document.getElementById("record");
  const trace = `pipeproof trace ${/^[\w@%+=:,./-]+$/.test(record.id ?? "") ? record.id : `'${(record.id ?? "").replaceAll("'", "'\\''")}'`} RUN_DIR`;
  const hopOf = coded => run.hops[Math.floor(coded / HOW.length)];
  const began = coded => hopOf(coded).at - hopOf(coded).took;
  // An invocation is told before its calls, and these stand within it, though others went on at the same time.
  // An attempt that is made again has the same request id.
  const attempts = new Map();
  for (const coded of (record.way ?? []).filter(coded => hopOf(coded).kind === "invocation"))
    attempts.set(hopOf(coded).id, [...(attempts.get(hopOf(coded).id) ?? []), [began(coded), hopOf(coded).at]].sort((a, b) => a[0] - b[0]));
  const attempt = coded => { const of = attempts.get(hopOf(coded).invocation) ?? []; return of.find(([, ended]) => hopOf(coded).at <= ended) ?? of.at(-1); };
  const within = coded => hopOf(coded).kind === "call" && Boolean(attempt(coded));
  const group = coded => within(coded) ? attempt(coded)[0] : began(coded);
  const inOrder = (a, b) => group(a) - group(b) || (hopOf(a).invocation || hopOf(a).id).localeCompare(hopOf(b).invocation || hopOf(b).id) || within(a) - within(b) || began(a) - began(b);
  // A function may make a call for each row of a file: of those that follow each other and are alike the first is told.
  const alike = coded => { const hop = run.hops[Math.floor(coded / HOW.length)]; return HOW[coded % HOW.length] === "its file" && hop.kind === "call" && !hop.put && !hop.log
    ? [hop.name, hop.call, hop.of, hop.status, hop.error, hop.invocation, ...hop.faults].join("|") : null; };
  const folded_alike = way => way.reduce((steps, coded) => {
    const last = steps.at(-1);
    if (last && alike(coded) !== null && alike(coded) === alike(last[0])) last[1] += 1;
    else steps.push([coded, 1]);
    return steps;
  }, []);
  const step = ([coded, times]) => {
    const [hop, how] = [run.hops[Math.floor(coded / HOW.length)], HOW[coded % HOW.length]];
    const failed = Boolean(hop.error) || (hop.kind === "call" && !(hop.status >= 200 && hop.status < 400));
    const carried = how === "it" ? "" : ["overwrote", "deleted"].includes(how) ? `, which ${how} what was stored of it` : ` with ${how}`;
    const what = hop.kind === "call" ? ` called ${hop.call}${hop.of ? ` of ${hop.of}` : ""}${carried}` : ["execution", "state"].includes(hop.kind) ? ` failed in an execution whose input had ${how}` : ` was invoked${carried}`;
    const answer = failed ? make("span", {class: "bad-word"}, hop.error || `answered ${hop.status}`) : hop.kind === "call" ? `answered ${hop.status}` : "succeeded";
    return make("li", {class: [failed ? "bad" : hop.faults.length ? "met" : "", within(coded) ? "within" : ""].join(" ").trim() || null},
      make("time", {}, `+${duration(Math.max(0, hop.at - hop.took))}`), make("strong", {}, hop.name), `${what}: `, answer, ` after ${duration(hop.took)}`, hop.then ? `, and ${hop.then}` : "", times > 1 ? `, and ${plural(times - 1, "call")} like it` : "",
      hop.faults.length ? make("div", {}, "met ", make("strong", {}, hop.faults.join(", "))) : "",
      hop.put ? make("div", {}, make("code", {}, `s3://${hop.put}`)) : "",
      make("div", {class: "quiet"}, `${["execution", "state"].includes(hop.kind) ? "execution" : "request id"} ${hop.id}`),
      hop.log ? folded("log", make("pre", {tabindex: "0"}, hop.log)) : "");
  };
  const way = record.way === null
    ? make("p", {}, "This file does not keep its way. The command tells it: ", make("code", {}, trace))
    : record.way.length ? make("div", {}, record.left_out ? make("p", {class: "note"}, `${plural(record.left_out, "further step")} with its file or an object: `, make("code", {}, trace), " tells them.") : "",
      record.way.some(coded => HOW[coded % HOW.length] === "its file") ? make("p", {class: "quiet"}, "A step “with its file” had the file or a part of it. Whether that part had this record is not known.") : "",
      make("ol", {class: "way"}, folded_alike([...record.way].sort(inOrder)).map(step))) : make("p", {}, "Nothing is known to have carried it.");
  dialog.replaceChildren(
    make("button", {type: "button", class: "close", onclick: () => dialog.close()}, "Close"),
    make("h2", {id: "record-title"}, record.id ?? "without an id"),
    ...record.anomalies.map((name, place) => make("p", {class: "reasons fail plain"}, `${name}: ${record.whys[place]}`)),
    facts([
      ["first hop", word(record.status)], ["its answer", record.detail], ["taken as", record.at === null ? null : decoded(record.at)], ["ended", record.ended === null ? null : word(record.ended)],
      ["seen at", record.places.map(place => make("div", {}, place))], ["reason given there", record.reason], ["malformed", record.malformed], ["to be dropped by", record.filtered],
      ["offered", record.offered === null ? null : `+${duration(record.offered)}`], ["first seen", record.seen === null ? null : `+${duration(record.seen)}`],
    ]),
    record.differences.length ? make("div", {}, make("h3", {}, "Promised and found"), table("Fields that are not as promised", ["field", "promised", "found"],
      record.differences.map(([name, promised, found]) => [name || "the whole", make("code", {}, promised), found === null ? "missing" : make("code", {}, found)]))) : "",
    record.promised || record.content ? folded("What was promised, and what is there", facts([
      ["promised", record.promised ? make("code", {}, record.promised) : null], ["there", record.content ? make("code", {}, record.content) : "nothing was seen"]])) : "",
    make("h3", {}, "Its way"), way);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  history.replaceState(null, "", `#record=${encodeURIComponent(record.id ?? "")}`);
}
document.getElementById("record").addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));
document.getElementById("record").addEventListener("click", event => { if (event.target === event.currentTarget) event.currentTarget.close(); });
