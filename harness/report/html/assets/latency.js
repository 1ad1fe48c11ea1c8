// How long things took: by shares of all of them, with and without faults, and over time.
(() => {
  const {latencies, shares} = run;
  if (!latencies.length) return;
  const COLUMNS = 48;
  const curve = make("div", {class: "chart"});
  const heat = make("div", {class: "heat chart"});
  const tables = make("div");
  const hops = make("select", {id: "hop"}, latencies.map((one, place) => make("option", {value: place}, `${one.hop} (${count(one.count)})`)));
  let plot = null;
  // The last percent gets as much room as the first half.
  const place = share => -Math.log10(1 - Math.min(share, 0.9995));
  const name = share => share === 1 ? "slowest" : `p${+(share * 100).toFixed(1)}`;
  const chosen = () => latencies[Number(hops.value)];

  function drawCurve(width) {
    plot?.destroy();
    curve.replaceChildren();
    const {met, unmet} = chosen();
    const lines = [["without a fault", unmet, "offered", []], ["where a fault met it", met, "fault", [6, 3]]].filter(([, found]) => found);
    const axis = {stroke: colour("quiet"), grid: {stroke: colour("line"), width: 1}, ticks: {stroke: colour("line"), width: 1}};
    const ticks = width < 560 ? [0, 0.9, 0.99, 0.999] : [0, 0.5, 0.9, 0.95, 0.99, 0.999];
    plot = new uPlot({
      width, height: 220, scales: {x: {time: false}, y: {distr: 3}}, cursor: {drag: {x: false, y: false}},
      axes: [{...axis, splits: () => ticks.map(place), values: () => ticks.map(name)}, {...axis, size: 70, values: (_, values) => values.map(value => value === null ? "" : duration(value))}],
      series: [{label: "share", value: (_, value) => value === null ? "–" : name(1 - 10 ** -value)},
        ...lines.map(([label, found, tone, dash]) => ({label: `${label} (${count(found.count)})`, stroke: colour(tone), width: 2, dash, points: {show: true, size: 4}, value: (_, value) => value === null ? "–" : duration(value)}))],
    }, [shares.map(place), ...lines.map(([, found]) => found.ms.map(value => Math.max(value, 0.1)))], curve);
    plot.root.querySelector("canvas").setAttribute("aria-hidden", "true");
  }

  function drawHeat(width) {
    const cells = chosen().heat;
    const rows = cells.map(([, row]) => row);
    const [low, high] = [Math.min(...rows), Math.max(...rows) + 1];
    const [left, top, bottom] = [64, 6, 24];
    const tall = 14 * Math.max(high - low, 4);
    const most = Math.max(...cells.map(cell => cell[2]));
    const wide = (width - left - 8) / COLUMNS;
    const ms = row => 2 ** (row / 2);
    const svg = make("svg", {width, height: tall + top + bottom, role: "img", "aria-label": `How many took how long over time: ${chosen().hop}. The table below has the figures.`});
    for (const [column, row, many] of cells) {
      svg.append(make("rect", {x: left + column * wide, y: top + (high - row - 1) * tall / (high - low), width: wide, height: tall / (high - low) + 0.5,
        fill: colour("offered"), "fill-opacity": 0.12 + 0.88 * Math.log1p(many) / Math.log1p(most)},
      make("title", {}, `${count(many)} of ${duration(ms(row))} to ${duration(ms(row + 1))}, at ${duration(column * run.took_ms / COLUMNS)}`)));
    }
    for (const band of run.firings.bands) {
      const x = left + band.from / run.took_ms * wide * COLUMNS;
      svg.append(make("rect", {x, y: top + tall + 2, width: Math.max((band.to - band.from) / run.took_ms * wide * COLUMNS, 2), height: 4, fill: colour("fault")}));
    }
    const every = Math.max(1, Math.ceil((high - low) / 6));
    for (let row = low; row <= high; row += every) svg.append(make("text", {x: left - 6, y: top + (high - row) * tall / (high - low) + 4, "text-anchor": "end"}, duration(ms(row))));
    for (const share of [0, 0.5, 1]) {
      svg.append(make("text", {x: left + share * wide * COLUMNS, y: tall + top + 20, "text-anchor": share === 1 ? "end" : share ? "middle" : "start"}, duration(share * run.took_ms)));
    }
    heat.replaceChildren(svg);
  }

  function draw(width) {
    drawCurve(width);
    drawHeat(width);
    const {met, unmet} = chosen();
    const open = tables.querySelector("details")?.open;
    tables.replaceChildren(folded("As a table", table(`How long it took: ${chosen().hop}`, ["share", "without a fault", "where a fault met it"],
      shares.map((share, at) => [name(share), unmet ? duration(unmet.ms[at]) : "–", met ? duration(met.ms[at]) : "–"]))));
    tables.querySelector("details").open = Boolean(open);
  }

  const container = make("div", {}, curve, make("h3", {}, "Over time"), heat, tables);
  section("latency", "How long",
    make("p", {class: "quiet"}, "How long each hop took, slower and slower to the right. The dashed line has those that a fault met: a call itself, an invocation or one of its calls"
      + (latencies[0].hop === "offer to storage" ? "; from the offer to storage, those records that were under way while any fault fired" : "")
      + ". In the lower picture a darker field has more of them, and the red line is when faults fired."),
    make("div", {class: "tools"}, make("label", {}, "hop", hops)),
    container);
  hops.addEventListener("change", () => draw(container.clientWidth));
  drawn(container, draw);
})();
