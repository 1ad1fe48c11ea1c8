// What was when; a brush over one panel zooms all of them.
(() => {
  const {timeline, firings} = run;
  const steps = timeline.offered.length;
  if (!run.took_ms || steps < 2) return;
  const seconds = timeline.step_ms / 1000;
  const at = timeline.offered.map((_, step) => step * seconds);
  const end = at[steps - 1] + seconds;
  const functions = Object.entries(timeline.functions)
    .sort(([, a], [, b]) => sum(b.invocations) - sum(a.invocations)).slice(0, 6);
  const TONES = ["offered", "stored", "dead_lettered", "alerted", "filtered", "unacknowledged"];
  const per = `per ${duration(timeline.step_ms)}`;
  const panels = [
    {title: `records ${per}`, series: [["offered", timeline.offered, "offered"],
      ...[["stored", timeline.stored, "stored"], ["given up", timeline.given_up, "dead_lettered"]].filter(([, values]) => !timeline.timeless || sum(values) > 0)]},
    timeline.under_way ? {title: "records under way", series: [["under way", timeline.under_way, "filtered"]]} : null,
    timeline.age_ms.some(value => value !== null) ? {title: "iterator age, s", gaps: true, series: [["iterator age", timeline.age_ms.map(ms => ms === null ? null : ms / 1000), "alerted"]]} : null,
    functions.length ? {title: `invocations that ended, ${per}${Object.keys(timeline.functions).length > functions.length ? `: the ${functions.length} busiest functions` : ""}`, series: [
      ...functions.map(([name, found], place) => [name, found.invocations, TONES[place]]),
      ...functions.filter(([, found]) => sum(found.failed) > 0).map(([name, found]) => [`${name} failed`, found.failed, "fail", [4, 3]])]} : null,
  ].filter(Boolean);
  const container = make("div");
  const from = make("input", {type: "number", min: 0, step: "any", id: "from-s"});
  const until = make("input", {type: "number", min: 0, step: "any", id: "until-s"});
  const said = make("span", {role: "status", class: "quiet"});
  let plots = [];
  let span = [0, end];

  function sum(values) { return values.reduce((total, value) => total + value, 0); }

  function zoom(low, high) {
    if (!(high > low)) {
      said.textContent = "from must be before until";
      return;
    }
    span = [Math.max(0, low), Math.min(end, high)];
    for (const plot of plots) plot.setScale("x", {min: span[0], max: span[1]});
    from.value = span[0].toFixed(2);
    until.value = span[1].toFixed(2);
    const marks = firings.marks.filter(mark => mark.at / 1000 >= span[0] && mark.at / 1000 <= span[1]).length;
    said.textContent = `${span[0].toFixed(2)} to ${span[1].toFixed(2)} s` + (firings.fired ? `, ${plural(marks, "firing")} of faults` : "");
  }

  function faults(plot) {
    const {ctx, bbox} = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour("fault");
    for (const band of firings.bands) {
      const left = plot.valToPos(band.from / 1000, "x", true);
      const right = Math.max(plot.valToPos(band.to / 1000, "x", true), left + 2);
      ctx.globalAlpha = 0.08;
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
    }
    ctx.globalAlpha = 0.75;
    for (const mark of firings.marks) ctx.fillRect(plot.valToPos(mark.at / 1000, "x", true) - 0.5, bbox.top, 1.5, 9 * devicePixelRatio);
    ctx.restore();
  }

  function draw(width) {
    for (const plot of plots) plot.destroy();
    container.replaceChildren();
    const axis = {stroke: colour("quiet"), grid: {stroke: colour("line"), width: 1}, ticks: {stroke: colour("line"), width: 1}};
    plots = panels.map(panel => {
      const holder = make("div", {class: "chart"});
      container.append(make("h3", {}, panel.title), holder);
      const plot = new uPlot({
        width, height: 150, cursor: {sync: {key: "timeline"}, drag: {x: true, y: false, setScale: false}}, scales: {x: {time: false, range: () => span}},
        axes: [{...axis, values: (_, ticks) => ticks.map(tick => `${+tick.toFixed(3)} s`)}, {...axis, size: 52}],
        series: [{label: "time", value: (_, value) => value === null ? "–" : `${value.toFixed(2)} s`},
          ...panel.series.map(([label, , tone, dash]) => ({label, stroke: colour(tone), width: 2, dash, spanGaps: Boolean(panel.gaps), points: {show: Boolean(panel.gaps), size: 4},
            paths: panel.gaps ? undefined : uPlot.paths.stepped({align: 1})}))],
        hooks: {drawClear: [faults], setSelect: [plot => {
          if (plot.select.width > 3) zoom(plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x"));
          plot.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
        }]},
      }, [at, ...panel.series.map(([, values]) => values)], holder);
      plot.over.addEventListener("dblclick", () => zoom(0, end));
      plot.root.querySelector("canvas").setAttribute("aria-hidden", "true");
      return plot;
    });
    zoom(...span);
  }

  const applied = () => zoom(Number(from.value), Number(until.value));
  from.addEventListener("change", applied);
  until.addEventListener("change", applied);
  const rows = () => {
    const each = Math.ceil(steps / 60);
    return Array.from({length: Math.ceil(steps / each)}, (_, row) => {
      const part = values => sum(values.slice(row * each, (row + 1) * each));
      const ages = timeline.age_ms.slice(row * each, (row + 1) * each).filter(value => value !== null);
      return [`${(row * each * seconds).toFixed(2)} s`, part(timeline.offered), part(timeline.stored), part(timeline.given_up),
        timeline.under_way ? timeline.under_way[Math.min(steps, (row + 1) * each) - 1] : null, ages.length ? Math.max(...ages) : null,
        ...functions.map(([, found]) => part(found.invocations))];
    });
  };
  section("timeline", "When",
    make("p", {class: "quiet"}, "Time begins with the first offer. Brush over a panel to zoom all of them; a double click shows the whole run again."
      + (firings.fired ? " Red bands reach from the first to the last firing of a fault, red marks are its firings." : "")
      + (timeline.timeless ? ` The probes tell no time of ${records(timeline.timeless)}, which are in no panel as stored or given up; a probe's key "time" says where to read one.` : "")),
    make("div", {class: "tools", role: "group", "aria-label": "Time shown"}, make("label", {}, "from", from, "s"), make("label", {}, "until", until, "s"),
      make("button", {type: "button", onclick: () => zoom(0, end)}, "Whole run"), said),
    container,
    firings.bands.length ? folded(`${plural(firings.bands.length, "fault")} that fired`, table("Faults that fired", ["fault", "kind", "first, s", "last, s", "firings"],
      firings.bands.map(band => [band.fault, band.kind, (band.from / 1000).toFixed(2), (band.to / 1000).toFixed(2), band.fired]))) : "",
    folded("As a table", table("The run over time", ["from", "offered", "stored", "given up", "under way", "iterator age, ms", ...functions.map(([name]) => `invocations of ${name}`)], rows())));
  drawn(container, draw);
})();
