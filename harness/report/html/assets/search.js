// What a search for faults has tried, and what came of it.
(() => {
  const {counts, findings, undecided, points, kinds, kills, outcomes} = run;
  const WORD = {pass: "survived", fail: "lost", unknown: "not met, or unknown"};
  const many = {pass: "Nothing was found", fail: `${plural(findings.length, "finding")}`, unknown: "Nothing could be said"}[run.verdict];
  document.getElementById("verdict").append(
    make("h1", {class: run.verdict}, `${many}: ${run.scenario}`),
    run.doubt ? make("p", {class: `reasons ${run.verdict}`}, run.doubt) : "",
    make("p", {}, `${plural(counts.tried, "schedule")} tried: ${count(counts.survived)} survived, ${count(counts.lost)} lost or spoilt records, of ${count(undecided.length)} the verdict is unknown, ${count(counts.unreached)} never met what they were to meet. `
      + `${count(counts.left)} left when the search ended` + (counts.known ? `, ${count(counts.known)} known to survive from an earlier search.` : ".")),
    make("p", {class: "quiet"}, "What was not tried is not proved."));
  if (findings.length) {
    section("findings", "What loses records", findings.map((one, number) => make("article", {class: "cluster"},
      make("h3", {}, `${number + 1}. ${one.steps.join(" and ") || "without any fault"}`),
      facts([
        ["leads to", Object.entries(one.anomalies).map(([name, found]) => `${count(found)} ${name}`).join(", ") || one.reasons.join("; ")],
        ["fails in", `${one.reproduced} of ${plural(one.runs, "run")}`],
        ["cause", one.cause || null],
        ["alike", one.alike ? `${plural(one.alike, "more schedule")} at the same place` : null],
        ["scenario", make("code", {}, one.scenario)],
        ["a run of it", make("a", {href: encodeURI(one.report)}, "report")],
      ]))));
  }
  if (undecided.length) section("undecided", "What is unknown", table("Schedules without a verdict", ["schedule", "why"], undecided));
  if (points.length) {
    const used = kinds.map((_, place) => place).filter(place => points.some(point => point.cells[place].some(Boolean)));
    const cell = ([survived, lost, unmet]) => survived + lost + unmet === 0 ? make("td", {class: "never"}, "not tried")
      : lost ? make("td", {class: "hurt"}, `${count(lost)} of ${count(survived + lost + unmet)} lost`)
      : survived ? make("td", {class: "survived"}, `${count(survived)} survived`) : make("td", {}, WORD.unknown);
    section("points", "What was tried where",
      make("p", {class: "quiet"}, "Schedules of one fault, by place and kind. Not met: the run had no such call. Unknown: it had, and the run has no verdict. Not tried: the kind cannot be there, or the search ended before."),
      make("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "What was tried where"}, make("table", {class: "coverage"},
        make("caption", {}, "Schedules by place and kind"),
        make("thead", {}, make("tr", {}, make("th", {scope: "col"}, "place"), make("th", {scope: "col", class: "number"}, "events"), used.map(place => make("th", {scope: "col"}, kinds[place])))),
        make("tbody", {}, points.map(point => make("tr", {},
          make("th", {scope: "row"}, point.call ? `${point.who} → ${point.call}${point.resource ? ` of ${point.resource}` : ""}` : point.who),
          make("td", {class: "number"}, count(point.count)), used.map(place => cell(point.cells[place]))))))));
  }
  if (Object.keys(kills).length) {
    section("kills", "Killed after each call",
      make("p", {class: "quiet"}, "An invocation of the function was killed after so many of its calls. Whoever had invoked it invoked it again. It survived where nothing was lost or doubled."),
      table("Killed after each call", ["function", "after call", "what came of it"],
        Object.entries(kills).flatMap(([name, of]) => Object.entries(of).map(([call, one]) => [name, `${call}`, make("strong", {class: one}, WORD[one])]))));
  }
  section("schedules", "All schedules", table("All schedules, in the order in which they ended", ["", "schedule", "what came of it"],
    outcomes.map(([name, one], number) => [number + 1, name, make("strong", {class: one}, WORD[one])])));
})();
