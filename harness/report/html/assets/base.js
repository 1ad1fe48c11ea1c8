"use strict";
// What all parts of the report use. All texts of a run are put in as text, never as markup.
const run = JSON.parse(document.getElementById("run").textContent);
const ABSENT = {
  id: null, index: null, status: null, ended: null, anomalies: [], whys: [], malformed: null, filtered: null, offered: null, seen: null, at: null, detail: null, places: [],
  reason: null, differences: [], promised: null, content: null, way: null, left_out: 0,
};
run.records = (run.records ?? []).map(record => ({...ABSENT, ...record}));
const WORDS = {
  acked: "accepted", rejected: "rejected", indeterminate: "no answer", stored: "stored", dead_lettered: "dead-lettered", alerted: "alerted",
  filtered: "filtered", unacknowledged: "unacknowledged", lost: "lost", irrecoverable: "irrecoverable",
};
const word = name => WORDS[name] ?? name;
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const count = value => value === null || value === undefined ? "?" : value.toLocaleString("en");
const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;
const records = value => plural(value, "record");

function duration(ms) {
  if (ms === null || ms === undefined) return "?";
  if (ms < 10 && !Number.isInteger(ms)) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120000) return `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
  return `${(ms / 60000).toFixed(1)} min`;
}

// A file's name as a person writes it: uploads are named as URLs have them.
const decoded = name => { try { return decodeURIComponent(name); } catch { return name; } };

function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "rect", "text", "tspan", "title", "line"].includes(tag) && attributes.svg !== false;
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== ""));
  return element;
}

function section(id, title, ...children) {
  document.getElementById("sections").append(make("li", {}, make("a", {href: `#${id}`}, title)));
  const made = make("section", {"aria-labelledby": `${id}-title`}, make("h2", {id: `${id}-title`}, title), ...children);
  made.id = id;
  document.getElementById("main").append(made);
  return made;
}

function table(caption, head, rows, attributes = {}) {
  const numeric = head.map((_, column) => rows.length > 0 && rows.every(row => typeof row[column] === "number" || row[column] === null));
  const shown = (cell, column) => numeric[column] ? count(cell) : cell ?? "";
  const side = column => ({class: numeric[column] ? "number" : null});
  return make("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption}, make("table", attributes,
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, head.map((name, column) => make("th", {scope: "col", ...side(column)}, name)))),
    make("tbody", {}, rows.map(row => make("tr", {}, row.map((cell, column) => make("td", side(column), shown(cell, column))))))));
}

const folded = (title, ...children) => make("details", {}, make("summary", {}, title), ...children);
const facts = pairs => make("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value.length !== 0)
  .map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));

// Draws now, and again where the width or the colours change.
function drawn(container, draw) {
  let width = 0;
  const again = () => { width = container.clientWidth; if (width > 0) draw(width); };
  new ResizeObserver(() => { if (container.clientWidth !== width) again(); }).observe(container);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  again();
}

// What a planned fault does, by its kind.
const DOES = {
  throttle: "was throttled", error: "failed", partial: "was refused in part", latency: "was slow", hang: "hung", cut: "was cut off", reply_lost: "was done, and its answer lost",
  lambda_error_before: "failed", lambda_error_after: "failed after its work", lambda_timeout: "timed out", lambda_throttled: "was throttled", lambda_slow: "began late",
  lambda_killed_before: "was killed", lambda_killed_during: "was killed", lambda_killed_after: "was killed after its work", lambda_init: "was killed in its init",
};
const kindOf = fault => run.firings.bands.find(band => band.fault === fault)?.kind;
const HOW = ["it", "overwrote", "deleted", "an object with it", "its file", "another event"];

// Which records are shown: {status, ended, anomaly, cluster, text}, each as the user has chosen it.
let filter = {};
const filterListeners = [];
const onFilter = listener => { filterListeners.push(listener); };

function show(wanted, {scroll = true} = {}) {
  filter = wanted;
  for (const listener of filterListeners) listener(filter);
  if (scroll) {
    const at = document.getElementById("records-title");
    at.scrollIntoView();
    at.focus({preventScroll: true});
  }
}
