"use strict";

// Whatever goes wrong is seen by whoever looks at the page's elements, too.
addEventListener("error", (event) => { document.documentElement.dataset.error = String(event.message); });

const run = JSON.parse(document.getElementById("data").textContent);
const tests = run.tests;
const count = tests.begin.length;

// As the document numbers them; what comes later is worse.
const OUTCOMES = [
  { name: "passed", color: "--passed" },
  { name: "skipped", color: "--skipped" },
  { name: "xfailed", color: "--xfailed" },
  { name: "xpassed", color: "--xpassed" },
  { name: "failed", color: "--failed" },
  { name: "error", color: "--error" },
  { name: "crashed", color: "--crashed" },
  { name: "not ended", color: "--unfinished" },
];

// Times are microseconds since the run began.
const MICROS = 1e6;
const total = Math.max(1, run.total * MICROS);

const tookOf = (test) => tests.setup[test] + tests.call[test] + tests.teardown[test];
const endOf = (test) => tests.begin[test] + tookOf(test);
const nodeidOf = (test) => {
  const path = run.files[tests.file[test]].path;
  return tests.name[test] ? `${path}::${tests.name[test]}` : path;
};

// Of each lane its tests, by their beginning.
const ofLane = run.lanes.map(() => []);
for (let test = 0; test < count; test++) ofLane[tests.lane[test]].push(test);

// Of each test the fixtures that others needed, too.
const sharedOf = new Map();
for (const [test, scope, took] of tests.shared) {
  if (!sharedOf.has(test)) sharedOf.set(test, []);
  sharedOf.get(test).push({ scope, took });
}
const sharedTook = (test) => (sharedOf.get(test) || []).reduce((sum, one) => sum + one.took, 0);

// What a lane collected. When each file began is not told, so that they are laid end to end before the time when all were known.
const collected = run.lanes.map((lane) => {
  let at = (lane.collected ?? 0) * MICROS - lane.files.reduce((sum, [, took]) => sum + took, 0);
  return lane.files.map(([file, took]) => {
    const begin = at;
    at += took;
    return { file, begin, took };
  });
});

function seconds(micros) {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  if (micros < MICROS) return `${(micros / 1000).toFixed(micros < 10000 ? 2 : 1)} ms`;
  return `${(micros / MICROS).toFixed(micros < 100 * MICROS ? 2 : 1)} s`;
}

const plural = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
const scopeName = (scope) => (scope === "" ? "the session" : scope);

function describe(test) {
  const lines = [
    nodeidOf(test),
    `${OUTCOMES[tests.outcome[test]].name} in ${seconds(tookOf(test))}, on ${run.lanes[tests.lane[test]].name}, ` +
      `${seconds(tests.begin[test])} after the run began`,
    `setup ${seconds(tests.setup[test])}, call ${seconds(tests.call[test])}, teardown ${seconds(tests.teardown[test])}`,
  ];
  for (const one of sharedOf.get(test) || []) {
    lines.push(`of the setup, ${seconds(one.took)} were for fixtures of ${scopeName(one.scope)}`);
  }
  return lines;
}

// What the page shows, all of which is in the fragment of its address.
const state = { q: "", outcome: "", from: 0, to: total, test: -1, tests: "took:descending", files: "seconds:descending", theme: "" };

function readFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const key of ["q", "outcome", "tests", "files", "theme"]) {
    if (given.has(key)) state[key] = given.get(key);
  }
  const number = (key, least, most, otherwise) => {
    const value = Number(given.get(key));
    return given.has(key) && value >= least && value <= most ? value : otherwise;
  };
  state.from = number("from", 0, total, 0);
  state.to = number("to", state.from + 1, total, total);
  state.test = number("test", 0, count - 1, -1) | 0;
}

function writeFragment() {
  const kept = new URLSearchParams();
  const otherwise = { q: "", outcome: "", from: 0, to: total, test: -1, tests: "took:descending", files: "seconds:descending", theme: "" };
  for (const [key, value] of Object.entries(state)) {
    if (value !== otherwise[key]) kept.set(key, typeof value === "number" ? Math.round(value) : value);
  }
  const text = kept.toString();
  // A viewer may forbid it; then the address does not follow.
  try { history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search); } catch { /* as said */ }
}

// Which tests the filter leaves.
const matching = new Uint8Array(count).fill(1);

function filter() {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  const longer = [];
  const parts = [];
  for (const word of words) {
    const limit = /^([<>])([\d.]+)(s|ms)?$/.exec(word);
    if (limit) longer.push({ above: limit[1] === ">", micros: Number(limit[2]) * (limit[3] === "ms" ? 1000 : MICROS) });
    else parts.push(word);
  }
  const names = run.lanes.map((lane) => lane.name);
  let found = 0;
  for (let test = 0; test < count; test++) {
    const text = parts.length ? nodeidOf(test).toLowerCase() : "";
    const fits = parts.every((part) => text.includes(part) || names[tests.lane[test]] === part) &&
      longer.every(({ above, micros }) => (above ? tookOf(test) > micros : tookOf(test) < micros)) &&
      (state.outcome === "" || OUTCOMES[tests.outcome[test]].name === state.outcome);
    matching[test] = fits ? 1 : 0;
    found += fits ? 1 : 0;
  }
  return found;
}
