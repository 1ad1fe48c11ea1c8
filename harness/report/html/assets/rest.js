// Functions, faults, checks and surroundings; then what the address asks for.
(() => {
  const {result, functions, invocations, coverage} = run;
  if (functions.length) {
    section("functions", "Functions", table("What each function did", ["function", "invocations", "failed", "cold starts", "their init, median", "median", "99th percentile", "slowest", "most memory"],
      functions.map(one => [one.name, one.invocations, one.failed, one.cold, one.cold ? duration(one.init_ms) : "", duration(one.p50_ms), duration(one.p99_ms), duration(one.max_ms), one.memory_mb === null ? "?" : `${one.memory_mb} MB`])),
    folded("Each invocation", make("p", {class: "quiet"}, invocations.length < functions.reduce((sum, one) => sum + one.invocations, 0) ? `${count(invocations.length)} of them, evenly chosen.` : "All of the run."),
      table("Invocations", ["began", "function", "took", "", "calls", "failed calls", "what it called", "request id"],
        invocations.map(([began, who, took, failed, calls, bad, what, id]) => [`+${duration(Math.max(0, began))}`, who, duration(took), make("strong", {class: failed ? "fail" : "pass"}, failed ? "failed" : "succeeded"), calls, bad, what, make("code", {}, id)]))),
    result.causes.length ? table("What they raised, and what executions failed with", ["who", "error (the first of them)", "times", "of them by planned faults", "first with"],
      result.causes.map(cause => [cause.who, make("code", {}, cause.error), cause.count, cause.planned, cause.record ?? ""])) : "");
  }
  if (coverage.sites.length) {
    const used = coverage.kinds.map((_, place) => place).filter(place => coverage.sites.some(site => site.cells[place] !== null));
    const cell = found => found === null ? make("td", {}, make("span", {class: "visually-hidden"}, "cannot be"))
      : found[0] === 0 ? make("td", {class: "never"}, "never")
      : found[1] > 0 ? make("td", {class: "hurt"}, `${count(found[0])}, hurt`) : make("td", {class: "survived"}, `${count(found[0])}, survived`);
    section("faults", "Faults",
      result.faults.length ? table("The fault plan", ["fault", "kind", "planned", "fired", "matching events"],
        result.faults.map(fault => [fault.id, fault.kind, fault.planned === null ? "no end" : count(fault.planned), fault.fired, fault.seen])) : make("p", {}, "The run had no fault."),
      folded("Where faults were, and where they could be",
        make("p", {class: "quiet"}, "How often each kind of fault fired at each place. Hurt: it met a record that has an anomaly, of those whose way is in this file. Never: it could be there, and was not tried."),
        make("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Fault coverage"}, make("table", {class: "coverage"},
          make("caption", {}, "Faults by place and kind"),
          make("thead", {}, make("tr", {}, make("th", {scope: "col"}, "place"), used.map(place => make("th", {scope: "col"}, coverage.kinds[place])))),
          make("tbody", {}, coverage.sites.map(site => make("tr", {}, make("th", {scope: "row"}, site.call ? `${site.who} → ${site.call}` : site.who), used.map(place => cell(site.cells[place])))))))));
  }
  if (result.checks.length) {
    section("checks", "Checks", table("Statements about the whole run", ["check", "", "what was expected and found"],
      result.checks.map(check => [check.check, make("strong", {class: check.holds ? "pass" : "fail"}, check.holds ? "holds" : "does not hold"), check.text])));
  }
  const {emulator, timing, classes, permissions} = result;
  section("environment", "Surroundings",
    facts([
      ["emulator", emulator ? `${emulator.kind} ${emulator.name} ${emulator.version}` : "none came up"],
      ["runtimes", emulator ? Object.entries(emulator.runtimes).map(([wanted, had]) => `${wanted} on ${had}`).join(", ") : ""],
      ["not emulated", emulator?.ignored.join(", ")],
      ["permissions", permissions ? `${permissions.mode}, ${plural(permissions.denied.length, "call")} denied` : "not checked"],
      ["time", `start ${duration(timing.start_s * 1000)}, deploy ${duration(timing.deploy_s * 1000)}, load ${duration(timing.load_s * 1000)}, drain ${duration(timing.drain_s * 1000)}, total with reading and judging ${duration(timing.total_s * 1000)}`],
      ["throughput", `${count(Math.round(timing.records_per_s))} records/s`],
      ["bytes offered", make("code", {}, `sha256 ${result.payload_sha256}`)],
    ]),
    permissions?.denied.length ? table("What the policies do not allow", ["who", "action", "resource", "why", "calls"], permissions.denied.map(one => [one.who, one.action, one.resource, one.why, one.calls])) : "",
    Object.keys(classes.exercised).length || classes.not_exercised.length ? folded(`${count(Object.keys(classes.exercised).length)} of ${count(Object.keys(classes.exercised).length + classes.not_exercised.length)} classes of inputs exercised`,
      table("Classes of inputs", ["class", "records or files"], [...classes.not_exercised.map(name => [name, 0]), ...Object.entries(classes.exercised)])) : "");

  const follow = () => {
    const asked = decodeURIComponent(/^#record=(.+)$/.exec(location.hash)?.[1] ?? "");
    const record = asked && run.records.find(one => one.id === asked);
    if (record) openRecord(record);
    else if (asked) document.getElementById("record").close();
  };
  window.addEventListener("hashchange", follow);
  follow();
})();
