// Joins the parts, and shows what the fragment of the address asks for.
function said() {
  const worst = run.exit === 0 ? "passed" : run.exit === 1 ? "failed" : `ended with ${run.exit}`;
  document.getElementById("verdict").textContent = `${worst} in ${seconds(total)}`;
  document.getElementById("command").textContent = run.command;
  document.title = `rpytest ${worst} in ${seconds(total)}`;
  const facts = document.getElementById("facts");
  const fact = (name, value) => {
    const made = element("div");
    made.append(element("dt", name), element("dd", value));
    facts.append(made);
  };
  fact("Began", new Date(run.epoch * 1000).toLocaleString());
  fact("Tests", run.count.toLocaleString("en"));
  OUTCOMES.forEach(({ name }, number) => {
    const found = tests.outcome.reduce((sum, outcome) => sum + (outcome === number ? 1 : 0), 0);
    if (found && number) fact(name, found.toLocaleString("en"));
  });
  for (const [name, begin, end] of run.stages) fact(name, seconds((end - begin) * MICROS));
  if (run.count > count) {
    fact("Not drawn", `${(run.count - count).toLocaleString("en")} of the shortest that passed`);
  }
}

function bounds() {
  const { workers, planned, measured } = run.plans;
  const execution = run.stages.filter(([name]) => name === "Execution").map(([, begin, end]) => end - begin)[0] || 0;
  const lines = [];
  if (measured) {
    const [makespan, least] = measured;
    lines.push(`The tests were executed in ${seconds(execution * MICROS)}. With what they took, no division over ` +
      `${plural(workers, "worker")} is over in less than ${seconds(least * MICROS)}; the plan that rpytest would make of that takes ${seconds(makespan * MICROS)}.`);
  } else if (run.critical !== null) lines.push("One process ran all tests, one after the other: -n divides them.");
  if (planned) {
    lines.push(`By the durations of earlier runs ${seconds(planned[0] * MICROS)} were planned, with ${seconds(planned[1] * MICROS)} as the bound.`);
  }
  document.getElementById("bounds").textContent = lines.join(" ");
}

function legend() {
  const list = document.getElementById("legend");
  const entry = (color, text) => {
    const item = element("li");
    const box = element("i");
    box.style.background = `var(${color})`;
    item.append(box, text);
    list.append(item);
  };
  for (const { name, color } of OUTCOMES) entry(color, name);
  entry("--shared", "shared fixtures, in a setup");
  entry("--collect", "collection and import of a file");
  entry("--idle", "alive, in no test");
  const select = document.getElementById("outcome");
  select.append(new Option("any", ""));
  for (const { name } of OUTCOMES) select.append(new Option(name, name));
}

function theme() {
  if (state.theme) document.documentElement.dataset.theme = state.theme;
  else delete document.documentElement.dataset.theme;
  lanes.readColors();
}

function main() {
  readFragment();
  said();
  bounds();
  legend();
  theme();
  const showFiles = filesTable();
  const showTests = testsTable((test) => { select(test); document.getElementById("lanes").scrollIntoView({ block: "nearest" }); changed(); });
  const query = document.getElementById("query");
  const outcome = document.getElementById("outcome");
  query.value = state.q;
  outcome.value = state.outcome;

  function select(test) {
    state.test = test;
    lanes.reveal(test);
    document.getElementById("selected").textContent = test < 0 ? "" : describe(test).join("; ");
  }
  function changed() {
    lanes.draw();
    writeFragment();
  }
  function filtered() {
    const found = filter();
    document.getElementById("matches").textContent = `${found.toLocaleString("en")} of ${plural(count, "test")}`;
    document.getElementById("lanes").dataset.matches = found;
    showTests();
  }
  let waiting = 0;
  const soon = () => {
    state.q = query.value;
    state.outcome = outcome.value;
    clearTimeout(waiting);
    waiting = setTimeout(() => { filtered(); changed(); }, 120);
  };
  query.addEventListener("input", soon);
  outcome.addEventListener("change", soon);
  document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
  const button = (id, does) => document.getElementById(id).addEventListener("click", () => { does(); changed(); });
  button("closer", () => lanes.zoomBy(0.5));
  button("wider", () => lanes.zoomBy(2));
  button("whole", () => lanes.zoom(0, total));
  button("theme", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const shown = state.theme || (dark ? "dark" : "light");
    state.theme = shown === "dark" ? "light" : "dark";
    theme();
  });
  lanes.listen(select, changed);
  workersTable();
  criticalTable();
  showFiles();
  filtered();
  select(state.test);
  lanes.draw();
  document.documentElement.dataset.ready = "yes";
}

main();
