// The verdict, why, the equation, and the command that shows it again.
(() => {
  const {result} = run;
  const signs = {pass: "✓", fail: "✗", unknown: "?"};
  const {outcome, anomalies, ingress} = result;
  const terms = [
    ["stored", outcome.stored], ["dead-lettered", outcome.dead_lettered], ["alerted", outcome.alerted], ["rejected", outcome.rejected],
    ["filtered", outcome.filtered], ["unacknowledged", outcome.unacknowledged], ["lost", anomalies.lost], ["irrecoverable", anomalies.irrecoverable],
  ].filter(([, value], place) => value !== 0 || place < 2 || place === 6);
  const equation = make("ul", {class: "equation", "aria-label": "The account"},
    make("li", {}, make("b", {}, count(ingress.offered)), " offered"),
    terms.map(([name, value], place) => make("li", {}, make("span", {class: "sign"}, place ? "+ " : "= "), make("b", {}, count(value)), ` ${name}`)));
  const beside = ["duplicated", "phantom", "corrupted", "conflicting", "misrouted"].filter(name => anomalies[name]);
  const copied = make("span", {role: "status", class: "quiet"});
  const copy = make("button", {type: "button", onclick: async () => {
    try { await navigator.clipboard.writeText(result.command); copied.textContent = "copied"; } catch { copied.textContent = "select it, and copy by hand"; }
  }}, "Copy");
  document.getElementById("verdict").append(
    make("h1", {}, make("span", {class: `verdict ${result.verdict}`}, `${signs[result.verdict]} ${result.verdict.toUpperCase()}`), result.scenario),
    make("p", {class: "quiet"}, [run.result.description, `seed ${result.seed}`, result.started_at.replace("T", " ").replace("Z", " UTC")].filter(Boolean).join(" · ")),
    result.reasons.length ? make("ul", {class: `reasons ${result.verdict}`}, result.reasons.map(reason => make("li", {}, reason))) : "",
    equation,
    beside.length ? make("p", {}, "Of these ", beside.map((name, place) => `${place ? ", " : ""}${count(anomalies[name])} ${name}`).join(""), ".") : "",
    outcome.stored === null ? make("p", {class: "note"}, "The run ended before its records were reconciled: nobody knows where they are.") : "",
    run.missing.length ? make("p", {class: "note"}, `This directory lacks ${run.missing.join(", ")}: the report does not have what stands there.`) : "",
    make("div", {class: "command"}, make("code", {}, result.command), copy, copied));
})();
