// Tables, which say what the lanes show, in words and numbers.
function element(name, text, classes) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (classes) made.className = classes;
  return made;
}

function cell(content, classes) {
  const made = element("td", undefined, classes);
  if (content instanceof Node) made.append(content); else made.textContent = content;
  return made;
}

function outcomeOf(number) {
  const made = element("span");
  const dot = element("i", undefined, "dot");
  dot.style.background = `var(${OUTCOMES[number].color})`;
  made.append(dot, OUTCOMES[number].name);
  return made;
}

function head(table, columns, sorted, sort) {
  const row = element("tr");
  for (const { key, title, number } of columns) {
    const th = element("th", undefined, number ? "number" : undefined);
    th.scope = "col";
    if (sort) {
      const [by, way] = sorted.split(":");
      if (by === key) th.setAttribute("aria-sort", way);
      const button = element("button", title);
      button.type = "button";
      button.addEventListener("click", () => sort(by === key && way === "descending" ? `${key}:ascending` : `${key}:descending`));
      th.append(button);
    } else th.textContent = title;
    row.append(th);
  }
  const made = element("thead");
  made.append(row);
  table.replaceChildren(made, element("tbody"));
  return table.tBodies[0];
}

// A table that is sorted by one of its columns and shows its first rows.
function sortable(id, columns, key, rowsOf, more) {
  const table = document.getElementById(id);
  let shown = 50;
  function show() {
    const rows = rowsOf();
    const [by, way] = state[key].split(":");
    const value = (columns.find((column) => column.key === by) || columns[0]).value;
    const sign = way === "ascending" ? 1 : -1;
    const values = new Map(rows.map((row) => [row, value(row)]));
    rows.sort((one, other) => {
      const [a, b] = [values.get(one), values.get(other)];
      return (a < b ? -1 : a > b ? 1 : 0) * sign || one - other;
    });
    const body = head(table, columns, state[key], (sorting) => { state[key] = sorting; shown = 50; show(); writeFragment(); });
    for (const row of rows.slice(0, shown)) {
      const tr = element("tr");
      for (const column of columns) tr.append(cell(column.show(row), column.number ? "number" : column.key));
      body.append(tr);
    }
    table.dataset.rows = rows.length;
    more.hidden = rows.length <= shown;
    more.textContent = `${(rows.length - shown).toLocaleString("en")} more`;
  }
  more.addEventListener("click", () => { shown += 500; show(); });
  return show;
}

const time = (key, title, value) => ({ key, title, number: true, value, show: (row) => seconds(value(row)) });

function testsTable(select) {
  const columns = [
    {
      key: "name", title: "Test", value: nodeidOf,
      show: (test) => {
        const button = element("button", nodeidOf(test));
        button.type = "button";
        button.title = "show it in its lane";
        button.addEventListener("click", () => select(test));
        return button;
      },
    },
    { key: "outcome", title: "Outcome", value: (test) => tests.outcome[test], show: (test) => outcomeOf(tests.outcome[test]) },
    { key: "lane", title: "On", value: (test) => tests.lane[test], show: (test) => run.lanes[tests.lane[test]].name },
    time("begin", "Began at", (test) => tests.begin[test]),
    time("setup", "Setup", (test) => tests.setup[test]),
    time("shared", "of it shared", sharedTook),
    time("call", "Call", (test) => tests.call[test]),
    time("teardown", "Teardown", (test) => tests.teardown[test]),
    time("took", "All", tookOf),
  ];
  const rows = () => Array.from({ length: count }, (_, test) => test).filter((test) => matching[test]);
  return sortable("tests", columns, "tests", rows, document.getElementById("more-tests"));
}

function filesTable() {
  const file = (number) => run.files[number];
  const whole = (key, title) => ({
    key, title, number: true, value: (number) => file(number)[key], show: (number) => file(number)[key].toLocaleString("en"),
  });
  const columns = [
    { key: "name", title: "File", value: (number) => file(number).path, show: (number) => file(number).path },
    whole("tests", "Tests"),
    whole("failed", "Failed"),
    time("import", "Collection", (number) => file(number).import * MICROS),
    time("shared", "Shared fixtures", (number) => file(number).shared * MICROS),
    time("seconds", "Tests took", (number) => file(number).seconds * MICROS),
  ];
  const rows = () => run.files.map((_, number) => number);
  return sortable("files", columns, "files", rows, document.getElementById("more-files"));
}

function workersTable() {
  const columns = [
    { title: "Process" }, { title: "Is" }, { title: "From", number: true }, { title: "To", number: true }, { title: "Tests", number: true },
    { title: "In tests", number: true }, { title: "Collected in", number: true }, { title: "Otherwise", number: true },
  ];
  const parts = {
    session: "pytest's session: configures and reports", template: "collects, for all workers", worker: "runs tests",
  };
  const body = head(document.getElementById("workers"), columns);
  run.lanes.forEach((lane, number) => {
    const row = element("tr", undefined, number === run.critical ? "critical" : undefined);
    const took = lane.files.reduce((sum, [, micros]) => sum + micros, 0);
    const idle = (lane.end - lane.begin - lane.busy) * MICROS - took;
    const runs = lane.part === "session" && lane.tests ? "pytest's session: collects, runs, reports" : parts[lane.part];
    row.append(cell(lane.name), cell(number === run.critical ? `${runs}; its last test ended last` : runs));
    for (const value of [seconds(lane.begin * MICROS), seconds(lane.end * MICROS), lane.tests.toLocaleString("en"),
      seconds(lane.busy * MICROS), took ? seconds(took) : "", seconds(Math.max(0, idle))]) row.append(cell(value, "number"));
    body.append(row);
  });
}

function criticalTable() {
  const columns = [
    { title: "Step" }, { title: "From", number: true }, { title: "To", number: true }, { title: "Took", number: true }, { title: "Of all", number: true },
  ];
  const body = head(document.getElementById("critical"), columns);
  for (const { what, begin, end } of run.steps) {
    const row = element("tr");
    row.append(cell(what));
    for (const value of [seconds(begin * MICROS), seconds(end * MICROS), seconds((end - begin) * MICROS),
      `${((100 * (end - begin) * MICROS) / total).toFixed(1)} %`]) row.append(cell(value, "number"));
    body.append(row);
  }
}
