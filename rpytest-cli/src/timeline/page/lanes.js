// The lanes, on a canvas: there may be a hundred thousand bars.
const lanes = (() => {
  const box = document.getElementById("lanes");
  const canvas = box.querySelector("canvas");
  const tip = document.getElementById("tip");
  const ROW = 30;
  const BAR = 20;
  const TOP = 42;
  const GUTTER = 84;
  let width = 0;
  let colors = {};

  const x = (micros) => GUTTER + ((micros - state.from) / (state.to - state.from)) * (width - GUTTER - 8);
  const timeAt = (px) => state.from + ((px - GUTTER) / (width - GUTTER - 8)) * (state.to - state.from);
  const y = (lane) => TOP + lane * ROW + (ROW - BAR) / 2;

  function readColors() {
    const style = getComputedStyle(document.documentElement);
    const names = ["--ink", "--quiet", "--line", "--focus", "--panel", "--shared", "--collect", "--idle", "--band"];
    for (const name of [...names, ...OUTCOMES.map((outcome) => outcome.color)]) colors[name] = style.getPropertyValue(name).trim();
  }

  function step(span) {
    const rough = span / Math.max(2, (width - GUTTER) / 110);
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  }

  // The first test of a lane that ends after a time. They do not overlap.
  function firstAfter(order, micros) {
    let low = 0;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (endOf(order[middle]) < micros) low = middle + 1; else high = middle;
    }
    return low;
  }

  function drawFrame(pen, height) {
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    run.stages.forEach(([name, begin, end], at) => {
      const left = Math.max(GUTTER, x(begin * MICROS));
      const right = Math.min(width, x(end * MICROS));
      if (right <= left) return;
      if (at % 2) {
        pen.fillStyle = colors["--band"];
        pen.fillRect(left, 0, right - left, height);
      }
      pen.fillStyle = colors["--quiet"];
      if (right - left > pen.measureText(name).width + 6) pen.fillText(name, left + 3, 11);
    });
    const size = step(state.to - state.from);
    for (let at = Math.ceil(state.from / size) * size; at <= state.to; at += size) {
      const px = Math.round(x(at)) + 0.5;
      pen.strokeStyle = colors["--line"];
      pen.beginPath();
      pen.moveTo(px, 34);
      pen.lineTo(px, height);
      pen.stroke();
      pen.fillStyle = colors["--quiet"];
      const label = seconds(at);
      pen.fillText(label, Math.min(px + 2, width - pen.measureText(label).width - 2), 28);
    }
  }

  function drawBar(pen, test, top) {
    const left = x(tests.begin[test]);
    const right = x(endOf(test));
    const color = colors[OUTCOMES[tests.outcome[test]].color];
    pen.globalAlpha = matching[test] ? 1 : 0.15;
    pen.fillStyle = color;
    pen.fillRect(left, top, Math.max(1, right - left), BAR);
    if (right - left < 4) return;
    const call = x(tests.begin[test] + tests.setup[test]);
    const teardown = x(tests.begin[test] + tests.setup[test] + tests.call[test]);
    pen.globalAlpha *= 0.45;
    pen.fillStyle = colors["--panel"];
    pen.fillRect(left, top, call - left, BAR);
    pen.fillRect(teardown, top, right - teardown, BAR);
    pen.globalAlpha = matching[test] ? 1 : 0.15;
    const shared = sharedTook(test);
    if (shared) {
      pen.fillStyle = colors["--shared"];
      pen.fillRect(left, top, Math.min(x(tests.begin[test] + shared), right) - left, BAR);
    }
    if (right - left > 6) {
      pen.strokeStyle = colors["--panel"];
      pen.strokeRect(left, top, right - left, BAR);
    }
    const from = Math.max(left, GUTTER);
    if (right - from > 44) {
      pen.save();
      pen.beginPath();
      pen.rect(from, top, Math.min(right, width) - from - 3, BAR);
      pen.clip();
      pen.fillStyle = colors["--panel"];
      pen.fillText(tests.name[test] || nodeidOf(test), from + 4, top + BAR / 2 + 1);
      pen.restore();
    }
  }

  function drawLane(pen, number) {
    const lane = run.lanes[number];
    const top = y(number);
    pen.fillStyle = colors["--idle"];
    const left = Math.max(GUTTER, x(lane.begin * MICROS));
    pen.fillRect(left, top + BAR / 2 - 2, Math.max(0, x(lane.end * MICROS) - left), 4);
    collected[number].forEach(({ begin, took }, at) => {
      if (begin > state.to || begin + took < state.from) return;
      pen.globalAlpha = at % 2 ? 0.6 : 0.9;
      pen.fillStyle = colors["--collect"];
      pen.fillRect(x(begin), top + 3, Math.max(0.5, x(begin + took) - x(begin)), BAR - 6);
    });
    pen.globalAlpha = 1;
    const order = ofLane[number];
    let bars = 0;
    let column = -1;
    let worst = -1;
    for (let at = firstAfter(order, state.from); at < order.length && tests.begin[order[at]] <= state.to; at++) {
      const test = order[at];
      bars++;
      const px = Math.floor(x(tests.begin[test]));
      if (x(endOf(test)) < px + 1.5) {
        // One column for all that would be in it, in the colour of the worst that the filter leaves.
        const weight = (matching[test] ? 10 : 0) + tests.outcome[test];
        if (px === column && weight <= worst) continue;
        column = px;
        worst = weight;
      }
      drawBar(pen, test, top);
    }
    pen.globalAlpha = 1;
    return bars;
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const height = TOP + run.lanes.length * ROW + 8;
    width = box.clientWidth;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    drawFrame(pen, height);
    pen.save();
    pen.beginPath();
    pen.rect(GUTTER, 0, width - GUTTER, height);
    pen.clip();
    let bars = 0;
    for (let lane = 0; lane < run.lanes.length; lane++) bars += drawLane(pen, lane);
    pen.strokeStyle = colors["--focus"];
    pen.lineWidth = 2;
    if (state.test >= 0) {
      const left = x(tests.begin[state.test]);
      pen.strokeRect(left - 2, y(tests.lane[state.test]) - 2, Math.max(4, x(endOf(state.test)) - left + 4), BAR + 4);
    }
    if (span) {
      pen.globalAlpha = 0.2;
      pen.fillStyle = colors["--focus"];
      pen.fillRect(Math.min(...span), 0, Math.abs(span[0] - span[1]), height);
      pen.globalAlpha = 1;
    }
    pen.restore();
    run.lanes.forEach((lane, number) => {
      pen.fillStyle = number === run.critical ? colors["--focus"] : colors["--ink"];
      pen.font = `${number === run.critical ? "600 " : ""}12px system-ui, sans-serif`;
      pen.fillText(lane.name + (number === run.critical ? " \u25c6" : ""), 8, y(number) + BAR / 2 + 1);
    });
    box.dataset.lanes = run.lanes.length;
    box.dataset.bars = bars;
  }

  // What is at a place: a test, or a file that was collected.
  function at(px, py) {
    const number = Math.floor((py - TOP) / ROW);
    if (number < 0 || number >= run.lanes.length || px < GUTTER) return null;
    const near = (timeAt(px + 2) - timeAt(px));
    const time = timeAt(px);
    const order = ofLane[number];
    const first = firstAfter(order, time - near);
    let best = -1;
    for (let at = first; at < order.length && tests.begin[order[at]] <= time + near; at++) {
      const test = order[at];
      if (best < 0 || matching[test] > matching[best] || tests.outcome[test] > tests.outcome[best]) best = test;
    }
    if (best >= 0) return { test: best };
    const file = collected[number].find(({ begin, took }) => begin <= time && time <= begin + took);
    return file ? { file } : null;
  }

  function showTip(event) {
    const rect = canvas.getBoundingClientRect();
    const px = event.clientX - rect.left;
    const found = at(px, event.clientY - rect.top);
    tip.hidden = !found;
    if (!found) return;
    tip.textContent = found.file
      ? `${run.files[found.file.file].path}\ncollected in ${seconds(found.file.took)}, its import among that`
      : describe(found.test).join("\n");
    tip.style.left = `${Math.max(4, Math.min(px + 14, width - tip.offsetWidth - 8))}px`;
    tip.style.top = `${event.clientY - rect.top + 18}px`;
  }

  let span = null;

  function listen(select, changed) {
    const px = (event) => event.clientX - canvas.getBoundingClientRect().left;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button === 0) { span = [px(event), px(event)]; canvas.setPointerCapture(event.pointerId); }
    });
    canvas.addEventListener("pointermove", (event) => {
      if (span) { span[1] = px(event); draw(); }
      showTip(event);
    });
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("pointerup", (event) => {
      const [one, other] = span || [0, 0];
      span = null;
      if (Math.abs(one - other) > 5) {
        zoom(timeAt(Math.min(one, other)), timeAt(Math.max(one, other)));
      } else {
        const found = at(other, event.clientY - canvas.getBoundingClientRect().top);
        select(found && found.test !== undefined ? found.test : -1);
      }
      changed();
    });
    canvas.addEventListener("dblclick", () => { zoom(0, total); changed(); });
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const span = state.to - state.from;
      const middle = (state.from + state.to) / 2;
      const keys = {
        ArrowRight: () => (event.shiftKey ? zoom(state.from + span / 4, state.to + span / 4) : select(beside(1))),
        ArrowLeft: () => (event.shiftKey ? zoom(state.from - span / 4, state.to - span / 4) : select(beside(-1))),
        ArrowDown: () => select(below(1)),
        ArrowUp: () => select(below(-1)),
        "+": () => zoomBy(0.5), "=": () => zoomBy(0.5), "-": () => zoomBy(2), "0": () => zoom(0, total),
        Escape: () => select(-1),
      };
      if (!keys[event.key]) return;
      event.preventDefault();
      keys[event.key](middle);
      changed();
    });
    addEventListener("resize", draw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColors(); draw(); });
  }

  // The next test of the same lane that the filter leaves.
  function beside(way) {
    const lane = state.test < 0 ? run.critical ?? 0 : tests.lane[state.test];
    const order = ofLane[lane];
    let at = state.test < 0 ? (way > 0 ? -1 : order.length) : order.indexOf(state.test);
    do at += way; while (at >= 0 && at < order.length && !matching[order[at]]);
    return order[at] ?? state.test;
  }

  // The nearest test of the next lane that has any.
  function below(way) {
    if (state.test < 0) return beside(1);
    let lane = tests.lane[state.test] + way;
    while (lane >= 0 && lane < ofLane.length && !ofLane[lane].length) lane += way;
    const order = ofLane[lane];
    if (!order) return state.test;
    return order[Math.min(order.length - 1, firstAfter(order, tests.begin[state.test]))];
  }

  function zoom(from, to) {
    const size = Math.min(total, Math.max(20, to - from));
    state.from = Math.max(0, Math.min(from, total - size));
    state.to = state.from + size;
  }

  function zoomBy(factor) {
    const selected = state.test >= 0 && tests.begin[state.test] < state.to && endOf(state.test) > state.from;
    const middle = selected ? (tests.begin[state.test] + endOf(state.test)) / 2 : (state.from + state.to) / 2;
    const half = ((state.to - state.from) * factor) / 2;
    zoom(middle - half, middle + half);
  }

  // Has the selected test in sight.
  function reveal(test) {
    if (test < 0 || (tests.begin[test] >= state.from && endOf(test) <= state.to)) return;
    const size = Math.max(state.to - state.from, tookOf(test) * 1.2);
    zoom(tests.begin[test] - size / 4, tests.begin[test] + (size * 3) / 4);
  }

  return { draw, listen, zoom, zoomBy, reveal, readColors };
})();
