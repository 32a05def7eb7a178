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

  function figures(unit) {
    const number = (digits) => new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: digits });
    const small = number(3), large = number(2), plain = new Intl.NumberFormat(language, { maximumFractionDigits: 4 });
    const write = {
      money: (v) => "$" + (Math.abs(v) < 10 ? small : large).format(v),
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
    const write = figures(chart.unit);
    const time = chart.x === "time";
    const series = [{}];
    const bands = [];
    chart.series.forEach((one, i) => {
      const stroke = colour(`--c${i % 6}`);
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
      scales: { x: { time } },
      tzDate: (second) => uPlot.tzDate(new Date(second * 1e3), "Etc/UTC"),
      axes: [
        { ...axis, space: 64, values: time ? moments : (u, values) => values.map((v) => `${v} h`) },
        { ...axis, size: 62, values: (u, values) => values.map(write) },
      ],
      cursor: { drag: { x: true, y: false, setScale: true }, points: { size: 7 } },
      hooks: {
        setCursor: [(u) => told(u.cursor.idx)],
        setScale: [(u, key) => { if (key === "x") state.zoom = [u.scales.x.min, u.scales.x.max]; }],
        draw: chart.now === null ? [] : [(u) => now(u, chart.now)],
      },
    };
  }

  // Hours of the UTC day, and below them the date where it changes.
  function moments(u, seconds, axis, space, step) {
    let day = "";
    return seconds.map((second) => {
      const [date, hour] = new Date(second * 1e3).toISOString().split(/[T.]/);
      const changes = date !== day;
      day = date;
      if (step >= 86400) return date.slice(5);
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

  function moment(chart, x) {
    if (chart.x !== "time") return `${figures("hours")(x)}`;
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

    chart.series.forEach((one, i) => {
      const toggle = button(one.label, "", () => {
        const hide = !state.hidden.has(one.label);
        state.hidden[hide ? "add" : "delete"](one.label);
        toggle.setAttribute("aria-pressed", String(!hide));
        for (let at = first[i]; at < first[i + 1]; at++) plot.setSeries(at, { show: !hide });
      });
      toggle.className = `series c${i % 6} ${"low" in one ? "band" : one.role}`;
      toggle.setAttribute("aria-pressed", String(!state.hidden.has(one.label)));
      tools.append(toggle);
    });
    const all = () => [data[0][0], data[0][data[0].length - 1]];
    const zoom = (factor) => {
      const { min, max } = plot.scales.x;
      const middle = plot.cursor.idx ? data[0][plot.cursor.idx] : (min + max) / 2;
      const [low, high] = all();
      plot.setScale("x", { min: Math.max(low, middle - (middle - min) / factor), max: Math.min(high, middle + (max - middle) / factor) });
    };
    const whole = () => { const [min, max] = all(); plot.setScale("x", { min, max }); state.zoom = null; };
    const zooms = document.createElement("span");
    zooms.className = "zooms";
    zooms.append(button("+", said.nearer, () => zoom(STEP)), button("−", said.farther, () => zoom(1 / STEP)), button("↔", said.whole, whole));
    tools.append(zooms);

    const at = (i) => plot.setCursor({ left: plot.valToPos(data[0][i], "x"), top: plot.over.clientHeight / 2 });
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

  function drawAll(root, kept = new Map()) {
    for (const figure of root.querySelectorAll("figure.chart")) {
      draw(figure, kept.get(figure.querySelector("figcaption").textContent));
    }
  }

  dark.addEventListener("change", () => plots.forEach((one) => one.build()));

  // -- answers that renew themselves

  function replace(panel, html) {
    const kept = new Map();
    const open = [...panel.querySelectorAll("details")].map((one) => one.open);
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
  }

  async function renew(panel) {
    if (panel.contains(document.activeElement)) return; // somebody reads it with the keyboard: not under their hands
    const address = new URL(location.href);
    address.searchParams.set("panel", panel.dataset.panel);
    const got = await fetch(address, { credentials: "same-origin", redirect: "error" });
    if (!got.ok) throw new Error(`${got.status}`);
    const html = await got.text();
    if (panel.dataset.shown !== html) replace(panel, html);
    panel.dataset.shown = html;
  }

  function late(isLate) {
    const told = document.querySelector(".late");
    if (isLate && !told) {
      const note = document.createElement("p");
      note.className = "late";
      note.setAttribute("role", "status");
      note.textContent = main.dataset.late;
      main.prepend(note);
    } else if (!isLate && told) told.remove();
  }

  function live(source) {
    const every = 1000 * Number(main.dataset.refresh || 0);
    let last = Date.now();
    let due = false;
    const renewAll = async () => {
      if (!every || !due || document.hidden || Date.now() - last < every) return;
      due = false;
      last = Date.now();
      try {
        for (const panel of document.querySelectorAll("[data-panel]")) await renew(panel);
        late(false);
      } catch { due = true; late(true); }
    };
    source.addEventListener("round", () => { due = true; renewAll(); });
    source.addEventListener("ready", () => { late(false); renewAll(); });
    source.addEventListener("error", () => { due = true; late(true); });
    document.addEventListener("visibilitychange", renewAll);
    setInterval(renewAll, 1000);
  }

  // -- sliders

  function slide(field) {
    const [min, max, step] = field.dataset.slider.split(" ");
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min, max, step, value: field.value || field.placeholder || min });
    slider.setAttribute("aria-label", field.closest("label").querySelector("span").textContent);
    slider.addEventListener("input", () => { field.value = slider.value; });
    slider.addEventListener("change", () => submit(field.form));
    field.addEventListener("change", () => { slider.value = field.value; });
    field.after(slider);
  }

  // The answer alone is asked anew, and the address becomes that of the answer.
  async function submit(form) {
    const panel = document.querySelector('[data-panel="answer"]');
    if (!panel || !form.checkValidity()) { form.requestSubmit(); return; }
    const address = new URL(location.pathname, location.href);
    for (const [name, text] of new FormData(form)) if (text) address.searchParams.set(name, text);
    history.replaceState(null, "", address);
    delete panel.dataset.shown;
    await renew(panel);
  }

  drawAll(document);
  document.querySelectorAll("input[data-slider]").forEach(slide);
  if (main.hasAttribute("data-live")) {
    const source = new EventSource("/events");
    live(source);
    window.spotbot = { events: source, drawAll };
  }
})();
