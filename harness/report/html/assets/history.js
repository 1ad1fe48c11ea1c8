// Many runs, the newest first, and how they changed.
(() => {
  const {runs} = run;
  const signs = {pass: "✓", fail: "✗", unknown: "?"};
  const of = verdict => runs.filter(one => one.verdict === verdict).length;
  document.getElementById("verdict").append(
    make("h1", {}, "Runs"),
    make("p", {class: "quiet"}, `${plural(runs.length, "run")}: ${["pass", "fail", "unknown"].map(verdict => `${count(of(verdict))} ${verdict}`).join(", ")}`));
  const scenarios = [...new Set(runs.map(one => one.scenario))].sort();
  const FIGURES = [["latency p95, s", one => one.p95], ["records/s", one => one.records_per_s], ["anomalies", one => one.anomalies]];

  scenarios.forEach((scenario, number) => {
    const those = runs.filter(one => one.scenario === scenario);
    const holder = make("div");
    const rows = those.map((one, place) => [place + 1, make("a", {href: encodeURI(one.report ? `${one.directory}/report.html` : `${one.directory}/`)}, one.started_at.replace("T", " ").replace("Z", "")),
      make("strong", {class: one.verdict}, `${signs[one.verdict]} ${one.verdict}`), one.seed, one.offered, one.stored, one.given_up, one.anomalies,
      one.p95, Math.round(one.records_per_s), one.reasons[0] ?? ""]).reverse();
    section(`scenario-${number}`, scenario, holder,
      table(`Runs of ${scenario}`, ["run", "started", "verdict", "seed", "offered", "stored", "given up", "anomalies", "p95, s", "records/s", "why"], rows));
    if (those.length < 2) return;
    const at = those.map((_, place) => place + 1);
    const draw = width => {
      holder.replaceChildren();
      const axis = {stroke: colour("quiet"), grid: {stroke: colour("line"), width: 1}, ticks: {stroke: colour("line"), width: 1}};
      for (const [title, figure] of FIGURES) {
        const values = those.map(figure);
        if (values.every(value => value === null)) continue;
        const chart = make("div", {class: "chart"});
        holder.append(make("h3", {}, title), chart);
        const plot = new uPlot({
          width, height: 130, scales: {x: {time: false}}, cursor: {drag: {x: false, y: false}}, legend: {show: false},
          axes: [{...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 1000], values: (_, ticks) => ticks.map(tick => `run ${tick}`)}, {...axis, size: 60, space: 24}],
          series: [{}, {stroke: colour("offered"), width: 2, points: {show: true, size: 6, fill: colour("offered")}}],
          hooks: {drawSeries: [plot => {
            const {ctx} = plot;
            those.forEach((one, place) => {
              if (one.verdict === "pass" || values[place] === null) return;
              ctx.beginPath();
              ctx.arc(plot.valToPos(place + 1, "x", true), plot.valToPos(values[place], "y", true), 5 * devicePixelRatio, 0, 2 * Math.PI);
              ctx.fillStyle = colour(one.verdict);
              ctx.fill();
            });
          }]},
        }, [at, values], chart);
        plot.root.querySelector("canvas").setAttribute("aria-hidden", "true");
      }
    };
    drawn(holder, draw);
  });
})();
