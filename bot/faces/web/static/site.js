// What pages do beyond what they say without it: charts to hover, zoom and switch; answers that renew themselves;
// sliders beside numbers. Everything that is shown comes from the server, as text.
"use strict";

(() => {
  const main = document.getElementById("main");
  const said = JSON.parse(document.body.dataset.words || "{}");
  const language = document.documentElement.lang;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // -- charts

  const plots = new Map(); // figure -> {plot, state}
  const DASHES = { forecast: [8, 5], reference: [2, 4] };
  const HEIGHT = { wide: 280, narrow: 200 };
  const STEP = 1.6; // how much nearer one zoom brings

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // By what a series is, not by how many there are: a model keeps its colours when clouds come or go.
  const SHADES = { main: [0, 3, 4], past: [0, 3], forecast: [1, 4], reference: [5, 2, 3, 4], band: [1, 2, 4] };
  function shades(series) {
    const seen = {};
    return series.map((one) => {
      const kind = "low" in one ? "band" : one.role;
      seen[kind] = (seen[kind] ?? -1) + 1;
      return SHADES[kind][seen[kind] % SHADES[kind].length];
    });
  }

  function figures(unit, top = 0) {
    const number = (digits) => new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: digits });
    const small = number(3), large = number(2), plain = new Intl.NumberFormat(language, { maximumFractionDigits: 4 });
    const write = {
      money: (v) => "$" + (Math.max(Math.abs(v), top) < 10 ? small : large).format(v),
      percent: (v) => number(1).format(v) + "%",
      share: (v) => number(1).format(100 * v) + "%",
      hours: (v) => number(1).format(v) + " h",
      number: (v) => plain.format(v),
    }[unit];
    return (v) => (v === null || v === undefined ? "–" : write(v));
  }

  // One table of numbers with one row of x: series may have their own, and null is a gap that stays one.
  function joined(series) {
    return uPlot.join(series.map((one) => ("low" in one ? [one.xs, one.low, one.high] : [one.xs, one.ys])));
  }

  function options(chart, state, size, told) {
    const time = chart.x === "time";
    const series = [{}];
    const bands = [];
    const hues = shades(chart.series);
    chart.series.forEach((one, i) => {
      const stroke = colour(`--c${hues[i]}`);
      const show = !state.hidden.has(one.label);
      const common = { label: one.label, show, points: { show: false } };
      if ("low" in one) {
        const at = series.length;
        series.push({ ...common, stroke: "transparent" }, { ...common, stroke: "transparent" });
        bands.push({ series: [at + 1, at], fill: stroke + "33" });
      } else {
        const paths = one.steps ? uPlot.paths.stepped({ align: 1 }) : undefined;
        const few = one.xs.length < 40;
        series.push({ ...common, stroke, width: one.role === "main" ? 2 : 1.5, dash: DASHES[one.role], paths, spanGaps: false, points: { show: few, size: 5, fill: stroke } });
      }
    });
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--edge"), width: 1 }, ticks: { stroke: colour("--edge") }, font: "12px system-ui, sans-serif" };
    return {
      ...size,
      series,
      bands,
      legend: { show: false },
      scales: { x: { time, range: (u, min, max) => (min === max ? [min - 43200, max + 43200] : [min, max]) } },
      tzDate: (second) => uPlot.tzDate(new Date(second * 1e3), "Etc/UTC"),
      axes: [
        { ...axis, size: 44, space: 64, values: time ? moments : (u, values) => values.map((v) => (chart.x === "share" ? figures("share")(v) : `${v} h`)) },
        { ...axis, size: 62, values: (u, values) => values.map(figures(chart.unit, Math.max(...values.map(Math.abs)))) },
      ],
      cursor: { drag: { x: true, y: false, dist: 12, setScale: true }, points: { size: 7 } },
      hooks: {
        setCursor: [(u) => told(u.cursor.idx)],
        setScale: [(u, key) => { if (key === "x") state.zoom = zoomed(u); }],
        draw: chart.now === null ? [] : [(u) => now(u, chart.now)],
      },
    };
  }

  // Hours of the UTC day, and below them the date where it changes.
  function moments(u, seconds, axis, space, step) {
    let day = "";
    let year = "";
    return seconds.map((second) => {
      const [date, hour] = new Date(second * 1e3).toISOString().split(/[T.]/);
      const changes = date !== day;
      const begins = date.slice(0, 4) !== year;
      day = date;
      year = date.slice(0, 4);
      if (step >= 86400) return begins ? `${date.slice(5)}\n${year}` : date.slice(5);
      return changes ? `${hour.slice(0, 5)}\n${date.slice(5)}` : hour.slice(0, 5);
    });
  }

  function now(u, second) {
    const x = u.valToPos(second, "x", true);
    if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
    u.ctx.save();
    u.ctx.strokeStyle = colour("--faint");
    u.ctx.setLineDash([3, 3]);
    u.ctx.beginPath();
    u.ctx.moveTo(x, u.bbox.top);
    u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
    u.ctx.stroke();
    u.ctx.restore();
  }

  // What somebody chose to see; the whole range is no choice, and grows with the data.
  function zoomed(u) {
    const { min, max } = u.scales.x;
    const xs = u.data[0];
    return min <= xs[0] && max >= xs[xs.length - 1] ? null : [min, max];
  }

  function moment(chart, x) {
    if (chart.x !== "time") return figures(chart.x)(x);
    return new Date(x * 1e3).toISOString().slice(0, 16).replace("T", " ") + " UTC";
  }

  function button(text, label, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    if (label) made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  }

  function draw(figure, kept) {
    const chart = JSON.parse(figure.dataset.chart);
    const off = chart.series.filter((one) => one.off).map((one) => one.label);
    const state = kept || { hidden: new Set(off), zoom: null };
    const write = figures(chart.unit);
    const data = joined(chart.series);
    const tools = document.createElement("div");
    const box = document.createElement("div");
    const told = document.createElement("output");
    tools.className = "tools";
    box.className = "plot";
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `${figure.querySelector("figcaption").textContent}. ${said.keys}`);
    told.className = "told";
    figure.querySelector(".alt").after(tools, box, told);

    const first = chart.series.reduce((at, one) => [...at, at[at.length - 1] + ("low" in one ? 2 : 1)], [1]);
    const tell = (i) => {
      if (i === null || i === undefined) { told.textContent = ""; return; }
      const parts = chart.series.map((one, k) => {
        const at = first[k];
        if (state.hidden.has(one.label)) return "";
        const text = "low" in one ? `${write(data[at][i])}–${write(data[at + 1][i])}` : write(data[at][i]);
        return data[at][i] === undefined ? "" : `${one.label} ${text}`;
      });
      told.textContent = [moment(chart, data[0][i]), ...parts.filter(Boolean)].join(" · ");
    };

    const size = () => ({ width: box.clientWidth, height: box.clientWidth < 500 ? HEIGHT.narrow : HEIGHT.wide });
    let plot = null;
    const build = () => {
      const zoom = state.zoom;
      if (plot) plot.destroy();
      plot = new uPlot(options(chart, state, size(), tell), data, box);
      if (zoom) plot.setScale("x", { min: zoom[0], max: zoom[1] });
    };
    build();

    const hues = shades(chart.series);
    chart.series.forEach((one, i) => {
      const toggle = button(one.label, "", () => {
        const hide = !state.hidden.has(one.label);
        state.hidden[hide ? "add" : "delete"](one.label);
        toggle.setAttribute("aria-pressed", String(!hide));
        for (let at = first[i]; at < first[i + 1]; at++) plot.setSeries(at, { show: !hide });
      });
      toggle.className = `series c${hues[i]} ${"low" in one ? "band" : one.role}`;
      toggle.setAttribute("aria-pressed", String(!state.hidden.has(one.label)));
      tools.append(toggle);
    });
    const all = () => [data[0][0], data[0][data[0].length - 1]];
    const zoom = (factor) => {
      const { min, max } = plot.scales.x;
      const least = 4 * (data[0][data[0].length - 1] - data[0][0]) / Math.max(1, data[0].length - 1);
      if (factor > 1 && (max - min) / factor < least) return; // no nearer than a few points
      const middle = plot.cursor.idx ? data[0][plot.cursor.idx] : (min + max) / 2;
      const [low, high] = all();
      plot.setScale("x", { min: Math.max(low, middle - (middle - min) / factor), max: Math.min(high, middle + (max - middle) / factor) });
    };
    const whole = () => { const [min, max] = all(); plot.setScale("x", { min, max }); state.zoom = null; };
    const zooms = document.createElement("span");
    zooms.className = "zooms";
    zooms.append(button("+", said.nearer, () => zoom(STEP)), button("−", said.farther, () => zoom(1 / STEP)), button("↔", said.whole, whole));
    tools.append(zooms);

    const at = (i) => {
      const { min, max } = plot.scales.x;
      const x = data[0][i];
      if (x < min) plot.setScale("x", { min: x, max: x + max - min });
      if (x > max) plot.setScale("x", { min: x - (max - min), max: x });
      plot.setCursor({ left: plot.valToPos(x, "x"), top: plot.over.clientHeight / 2 });
    };
    box.addEventListener("keydown", (event) => {
      const last = data[0].length - 1;
      const i = plot.cursor.idx ?? 0;
      const moves = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: last, PageUp: i - 24, PageDown: i + 24 };
      if (event.key in moves) at(Math.min(last, Math.max(0, moves[event.key])));
      else if (event.key === "+") zoom(STEP);
      else if (event.key === "-") zoom(1 / STEP);
      else if (event.key === "Escape") whole();
      else return;
      event.preventDefault();
    });
    const watching = new ResizeObserver(() => plot.setSize(size()));
    watching.observe(box);
    plots.set(figure, { state, title: figure.querySelector("figcaption").textContent, build, end: () => { watching.disconnect(); plot.destroy(); } });
  }

  function forget(root) {
    for (const figure of root.querySelectorAll("figure.chart")) {
      plots.get(figure)?.end();
      plots.delete(figure);
    }
  }

  function drawAll(root, kept = new Map()) {
    for (const figure of root.querySelectorAll("figure.chart")) {
      draw(figure, kept.get(figure.querySelector("figcaption").textContent));
    }
  }

  dark.addEventListener("change", () => plots.forEach((one) => one.build()));

  // -- answers that renew themselves

  const FOCUS = "a, button, input, select, summary, [tabindex]";

  function replace(panel, html) {
    const kept = new Map();
    const open = [...panel.querySelectorAll("details")].map((one) => one.open);
    const scrolled = [...panel.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
    const focused = [...panel.querySelectorAll(FOCUS)].indexOf(document.activeElement);
    for (const figure of panel.querySelectorAll("figure.chart")) {
      const known = plots.get(figure);
      if (!known) continue;
      kept.set(known.title, known.state);
      known.end();
      plots.delete(figure);
    }
    panel.innerHTML = html;
    panel.querySelectorAll("details").forEach((one, i) => { one.open = open[i] ?? false; });
    drawAll(panel, kept);
    panel.querySelectorAll(".scroll").forEach((one, i) => { [one.scrollLeft, one.scrollTop] = scrolled[i] || [0, 0]; });
    if (focused >= 0) panel.querySelectorAll(FOCUS)[focused]?.focus({ preventScroll: true });
  }

  async function renew(panel) {
    const address = new URL(location.href);
    for (const [name, text] of new URLSearchParams(main.dataset.said || "")) {
      if (!address.searchParams.has(name)) address.searchParams.set(name, text);
    }
    address.searchParams.set("panel", panel.dataset.panel);
    const got = await fetch(address, { credentials: "same-origin", redirect: "manual" });
    if (got.type === "opaqueredirect") { location.reload(); return; } // nobody is signed in any more
    if (!got.ok) throw new Error(`${got.status}`);
    const html = await got.text();
    if (panel.dataset.shown !== html) replace(panel, html);
    panel.dataset.shown = html;
  }

  function late(isLate) {
    const told = document.getElementById("late");
    if (isLate && !told) {
      const note = document.createElement("p");
      note.id = "late";
      note.className = "late";
      note.setAttribute("role", "status");
      note.textContent = main.dataset.late;
      main.prepend(note);
    } else if (!isLate && told) told.remove();
  }

  const PATIENCE = 60; // seconds after which a page asks anew though no round came: its ages and marks grow old too
  const AGAIN = 5000;

  // Server-sent events while the tab is seen: browsers open few connections to one host, and hidden tabs need none.
  const events = new EventTarget();
  let source = null;
  function listen() {
    if (document.hidden || source) return;
    const mine = source = new EventSource("/events");
    for (const name of ["ready", "round", "message", "edited"]) {
      mine.addEventListener(name, (heard) => events.dispatchEvent(new MessageEvent(name, { data: heard.data })));
    }
    mine.addEventListener("error", () => {
      late(true);
      if (mine.readyState === EventSource.CLOSED && mine === source) { // refused: browsers try again only when cut off
        source = null;
        setTimeout(listen, AGAIN);
      }
    });
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { source?.close(); source = null; } else listen();
  });

  function live() {
    const every = 1000 * Number(main.dataset.refresh || 0);
    let last = Date.now();
    let due = false;
    let busy = false;
    const renewAll = async () => {
      const waited = Date.now() - last;
      const wanted = (due && waited >= every) || waited >= Math.max(every, 1000 * PATIENCE);
      if (!every || !wanted || busy || document.hidden) return;
      busy = true;
      due = false;
      last = Date.now();
      try {
        for (const panel of document.querySelectorAll("[data-panel]")) await renew(panel);
        if (source?.readyState === EventSource.OPEN) late(false);
      } catch { due = true; late(true); }
      busy = false;
    };
    events.addEventListener("round", () => { due = true; renewAll(); });
    events.addEventListener("ready", () => { late(false); due = true; renewAll(); });
    document.addEventListener("visibilitychange", renewAll);
    setInterval(renewAll, 1000);
    listen();
  }

  // How old an answer is by now, where it has been standing for a while.
  const ago = new Intl.RelativeTimeFormat(language, { numeric: "always" });
  setInterval(() => {
    for (const one of document.querySelectorAll("[data-as-of]")) {
      const seconds = Date.now() / 1000 - Number(one.dataset.asOf);
      const shown = seconds - Number(one.dataset.age) > PATIENCE;
      one.querySelector(".since").textContent = shown
        ? ` → ${seconds < 7200 ? ago.format(-Math.floor(seconds / 60), "minute") : ago.format(-Math.floor(seconds / 3600), "hour")}`
        : "";
    }
  }, 10_000);

  // -- sliders

  function slide(field) {
    const [min, max, step] = field.dataset.slider.split(" ");
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min, max, step, value: Number(field.value || field.placeholder) || min });
    slider.setAttribute("aria-label", field.closest("label").querySelector("span").textContent);
    slider.addEventListener("input", () => { field.value = slider.value; });
    slider.addEventListener("change", () => submit(field.form));
    field.addEventListener("change", () => { slider.value = Number(field.value) || min; });
    field.after(slider);
  }

  // The answers alone are asked anew, and the address becomes theirs.
  async function submit(form) {
    const panels = document.querySelectorAll("[data-panel]");
    if (!panels.length || !form.checkValidity()) { form.requestSubmit(); return; }
    const address = new URL(location.pathname, location.href);
    for (const [name, text] of new FormData(form)) if (text) address.searchParams.set(name, text);
    history.replaceState(null, "", address);
    for (const panel of panels) await renew(panel);
  }

  drawAll(document);
  document.querySelectorAll("input[data-slider]").forEach(slide);
  if (main.hasAttribute("data-live")) live();
  window.spotbot = { events, drawAll, forget };
})();
