// From offered over the first hop's answer to outcomes and anomalies: each band filters the table.
(() => {
  const {flows} = run;
  if (!flows.length) return;
  const ORDER = ["=acked", "=indeterminate", "=rejected", "-stored", "-dead_lettered", "-alerted", "-filtered", "-rejected", "-unacknowledged", "-irrecoverable", "-lost"];
  const nodes = new Map();
  const links = new Map();
  const node = (id, label, tone) => { if (!nodes.has(id)) nodes.set(id, {id, label, tone}); return id; };
  const link = (source, target, value, filter, tone) => {
    const key = `${source}>${target}`;
    const known = links.get(key) ?? {source, target, value: 0, filter, tone};
    links.set(key, {...known, value: known.value + value});
  };
  for (const flow of flows) {
    if (flow.status === null) {
      link(node("never", "never offered", "rejected"), node("!phantom", "phantom", "anomaly"), flow.count, {anomaly: "phantom"}, "anomaly");
      continue;
    }
    const answer = node(`=${flow.status}`, word(flow.status), flow.status === "acked" ? "offered" : flow.status === "rejected" ? "rejected" : "unacknowledged");
    const end = flow.ended === null ? node("not known", "not known", "unknown_end") : node(`-${flow.ended}`, word(flow.ended), flow.ended);
    link(node("offered", "offered", "offered"), answer, flow.count, {status: flow.status}, "offered");
    link(answer, end, flow.count, {status: flow.status, ended: flow.ended}, flow.ended ?? "unknown_end");
    if (flow.anomaly && flow.anomaly !== flow.ended) {
      link(end, node(`!${flow.anomaly}`, flow.anomaly, "anomaly"), flow.count, {ended: flow.ended, anomaly: flow.anomaly}, "anomaly");
    }
  }
  const all = [...links.values()];
  const picture = make("div", {class: "flow"});
  const rank = id => ORDER.indexOf(id);
  const groups = [];

  function draw(width) {
    const small = width < 560;
    const height = Math.max(220, (small ? 54 : 42) * nodes.size);
    const layout = d3.sankey().nodeId(one => one.id).nodeAlign(d3.sankeyLeft).nodeWidth(small ? 8 : 14).nodePadding(small ? 40 : 26)
      .nodeSort((a, b) => rank(a.id) - rank(b.id)).linkSort((a, b) => rank(a.target.id) - rank(b.target.id) || rank(a.source.id) - rank(b.source.id)).extent([[2, small ? 34 : 20], [width - (small ? 74 : 130), height - 12]]);
    const graph = layout({nodes: [...nodes.values()].map(one => ({...one})), links: all.map(one => ({...one}))});
    const svg = make("svg", {width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Where the records went"});
    groups.length = 0;
    for (const one of graph.links) {
      const middle = (one.source.x1 + one.target.x0) / 2;
      const d = `M${one.source.x1},${one.y0}C${middle},${one.y0} ${middle},${one.y1} ${one.target.x0},${one.y1}`;
      const label = `${records(one.value)}: ${one.source.label} to ${one.target.label}`;
      const chosen = () => show(one.filter);
      const group = make("g", {role: "button", tabindex: "0", "aria-pressed": "false", "aria-label": `${label}. Show them in the table.`, onclick: chosen,
        onkeydown: event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); chosen(); } }},
      make("path", {class: "seen", d, stroke: colour(one.tone), "stroke-width": Math.max(one.width, 2)}),
      make("path", {class: "wide", d, "stroke-width": Math.max(one.width, 14)}), make("title", {}, label));
      group.filter = one.filter;
      groups.push(group);
      svg.append(group);
    }
    for (const one of graph.nodes) {
      svg.append(make("rect", {x: one.x0, y: one.y0, width: one.x1 - one.x0, height: Math.max(one.y1 - one.y0, 3), fill: colour(one.tone), rx: 2}));
      svg.append(small
        ? make("text", {x: one.x0, y: one.y0 - 18}, one.label, make("tspan", {class: "count", x: one.x0, dy: "1.1em"}, count(one.value)))
        : make("text", {x: one.x1 + 6, y: Math.max((one.y0 + one.y1) / 2, one.y0 + 2), dy: ".35em"}, `${one.label} `, make("tspan", {class: "count"}, count(one.value))));
    }
    picture.replaceChildren(svg);
  }

  section("flows", "Where the records went",
    make("p", {class: "quiet"}, "Each band is a number of records. Choose one to see its records in the table below. A band of few records is drawn wider than it is. A record with several anomalies is counted under the first of them."),
    picture,
    folded("As a table", table("Records by the first hop's answer, by where they ended and by what is wrong with that",
      ["first hop", "ended", "anomaly", "records"], flows.map(flow => [word(flow.status ?? "never offered"), word(flow.ended ?? "not known"), flow.anomaly ?? "", flow.count]))));
  drawn(picture, draw);
  onFilter(filter => {
    for (const group of groups) group.setAttribute("aria-pressed", String(Object.keys(filter).length > 0 && JSON.stringify(group.filter) === JSON.stringify(filter)));
  });
})();
