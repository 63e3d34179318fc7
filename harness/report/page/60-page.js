// The page itself: its head, filters and theme, and the drawing of the views.
"use strict";

const kThemes = {
  light: { background: "#ffffff", ink: "#17202a", muted: "#5b6774", line: "#dfe4e9", quiet: "#8b98a6", ramp: ["#eaf1f7", "#9dc1de", "#3f82b5", "#0c4a7d"], rampInkLow: "#17202a", rampInkHigh: "#ffffff" },
  dark: { background: "#0f1419", ink: "#e6ebf0", muted: "#9caab8", line: "#2a3440", quiet: "#75838f", ramp: ["#1b2733", "#24507a", "#4a8fc7", "#a5d3f7"], rampInkLow: "#e6ebf0", rampInkHigh: "#0f1419" },
};
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const shade = () => (state.theme === "auto" ? (prefersDark.matches ? "dark" : "light") : state.theme);
const theme = () => kThemes[shade()];

// So many steps of one hue, the last the strongest.
function ramp(count) {
  const colors = shade() === "dark" ? ["#35618a", "#5b93c4", "#8fc0e6", "#d3eafb", "#ffffff"] : ["#a8cbe6", "#6aa5d0", "#357fb4", "#135a8f", "#08304f"];
  return Array.from({ length: count }, (_, i) => colors[count === 1 ? 2 : Math.round((i * (colors.length - 1)) / (count - 1))]);
}

function chartConfig() {
  const { ink, muted, line } = theme();
  const font = 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
  return {
    background: "transparent",
    padding: { left: 6, right: 10, top: 4, bottom: 4 },
    font,
    view: { stroke: null },
    axis: { labelColor: muted, titleColor: muted, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 11.5, titleFontSize: 12, titleFontWeight: 500, titlePadding: 8, labelPadding: 5 },
    legend: { labelColor: ink, titleColor: muted, titleFontWeight: 500, labelFontSize: 12.5, titleFontSize: 12, symbolStrokeWidth: 0, symbolOpacity: 1, symbolSize: 110, offset: 10, labelLimit: 300, padding: 2 },
    header: { labelColor: ink, titleColor: muted, labelFontSize: 12.5, labelFontWeight: 600, labelPadding: 8, labelAnchor: "start" },
  };
}

// A copy of a chart's spec in which "@name" is what the lists call so.
function filled(spec, lists) {
  if (typeof spec === "string" && spec.startsWith("@")) {
    if (!(spec.slice(1) in lists)) throw new Error(`a chart wants ${spec}`);
    return lists[spec.slice(1)];
  }
  if (Array.isArray(spec)) return spec.map((one) => filled(one, lists));
  if (spec && typeof spec === "object") return Object.fromEntries(Object.entries(spec).map(([key, value]) => [key, filled(value, lists)]));
  return spec;
}

const drawn = new Map(); // id: what vegaEmbed made, to be freed before the next

async function draw(view, shown, place) {
  const rows = shown.rows.filter(shown.drawn ?? (() => true)).slice(0, view.most ?? Infinity);
  const { background, ink, muted, quiet } = theme();
  const spec = filled(charts[view.id], { background, ink, muted, quiet, mono: '"JetBrains Mono", ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace', order: rows.map((row) => row.label ?? row.key), ...shown.lists });
  const plain = rows.map(({ facts, title, line, variants, points, ...fields }, i) => ({ ...fields, i }));
  spec.datasets = { rows: plain, ...shown.data };
  const made = await vegaEmbed(place, spec, { actions: false, renderer: "svg", tooltip: false, config: chartConfig() });
  drawn.get(view.id)?.finalize();
  drawn.set(view.id, made);
  const rowOf = (item) => (item && item.datum && Number.isInteger(item.datum.i) ? rows[item.datum.i] : null);
  made.view.addEventListener("pointermove", (event, item) => {
    const row = rowOf(item);
    place.style.cursor = row ? "pointer" : "";
    if (row) hint.show(row, event);
    else hint.hide();
  });
  made.view.addEventListener("pointerout", () => hint.hide());
  made.view.addEventListener("click", (_, item) => {
    const row = rowOf(item);
    if (row && row.line) copy(row.line);
  });
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `${shown.title}. The figures are in the table below.`);
  place.dataset.rows = String(rows.length);
}

// A view's controls keep what was chosen while that is still offered.
function controlsOf(view) {
  const node = element("div", { class: "controls" });
  view.values ??= {};
  for (const [name, control] of Object.entries(view.controls ?? {})) {
    const options = control.options(view.values);
    if (!options.some(([key]) => key === view.values[name])) view.values[name] = options.some(([key]) => key === control.value) ? control.value : (options[Math.floor(name === "rank" ? options.length / 2 : 0)]?.[0] ?? "");
    if (options.length > 1) node.append(selectOf(control.label, options, view.values[name], (value) => ((view.values[name] = value), refresh(view))));
  }
  return node.childElementCount ? node : null;
}

async function refresh(view) {
  const node = document.getElementById(view.id);
  const controls = controlsOf(view);
  const shown = view.show(node.clientWidth, view.values);
  if (!shown) {
    drawn.get(view.id)?.finalize();
    drawn.delete(view.id);
    node.replaceChildren(element("h2", {}, view.name), element("p", { class: "none" }, "Nothing of this is left by the filters; it may be of another device."));
    return;
  }
  const count = shown.rows.filter(shown.drawn ?? (() => true)).length;
  const cut = view.most && count > view.most ? ` The chart has the first ${view.most} of ${count}; the table has all.` : "";
  const place = element("div", { class: "chart" });
  node.replaceChildren(...[element("h2", {}, shown.title), element("p", { class: "lede" }, shown.lede + cut), controls].filter(Boolean));
  if (view.open) {
    node.append(tableOf(view.columns, shown.rows));
    return;
  }
  const figures = element("details", { class: "figures" }, element("summary", {}, `The figures, ${countWords(shown.rows.length, "row", "rows")}`));
  figures.addEventListener("toggle", () => figures.childElementCount === 1 && figures.append(tableOf(view.columns, shown.rows)));
  node.append(...(count ? [place] : []), figures);
  node.classList.toggle("long", count > 60);
  if (count) await draw(view, shown, place);
}

// One view after the other, so that the page answers in between.
let round = 0;
async function refreshAll() {
  const mine = ++round;
  document.documentElement.dataset.ready = "no";
  finderForm.refresh();
  fillFacts();
  for (const view of views.filter((one) => one.there())) {
    await refresh(view);
    await new Promise((done) => setTimeout(done, 0));
    if (mine !== round) return;
  }
  const shown = report.records.filter((row) => inState(row)).length;
  const count = document.getElementById("shown");
  if (count) count.textContent = report.records.length ? countWords(shown, "record", "records") : "";
  if (!performance.getEntriesByName("ready").length) performance.mark("ready");
  document.documentElement.dataset.ready = "yes";
}

function setTheme(name) {
  state.theme = name;
  document.documentElement.dataset.theme = name;
  document.documentElement.dataset.shade = shade();
  document.getElementById("theme").textContent = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" }[name];
}

function nextTheme() {
  setTheme({ auto: "light", light: "dark", dark: "auto" }[state.theme]);
  refreshAll();
}

function fillHead() {
  const named = measuredDevices.map((i) => report.devices[i].label);
  document.getElementById("title").textContent = named.length <= 2 ? named.join(" and ") || "No device" : `${named.length} devices`;
  const sources = report.sources.map((source) => `${source.kind} ${source.path.split("/").pop()}`);
  document.getElementById("subtitle").textContent = `Made of ${listWords(sources, 4)}.`;
  document.title = `${named.join(", ")}: LoRA kernels, measured`;
}

function fillFacts() {
  const facts = [];
  const rows = report.records.filter((row) => row.device === state.device && row.mode === state.mode);
  if (rows.length) {
    facts.push([countWords(rows.length, "problem", "problems"), `tuned, in mode ${state.mode.replace("_", " ")}`]);
    const faster = rows.filter((row) => !isDefault(row));
    facts.push([faster.length ? `${timesWords(Math.max(...faster.map((row) => row.speedup)))} at best` : "1.00×", `of the default's speed; ${faster.length} proven faster`]);
  }
  const rivals = report.times.filter((row) => row.device === state.device && !row.ours && !kNoRival.includes(row.rival));
  const means = unique(rivals.map((row) => row.rival)).map((rival) => {
    const ratios = rivals.filter((row) => row.rival === rival && timesOf(row.device, row.problem).has(kBase)).map((row) => row.time_ns / timesOf(row.device, row.problem).get(kBase).time_ns);
    return [rival, ratios.length ? geometricMean(ratios) : Infinity];
  });
  if (means.some(([, mean]) => Number.isFinite(mean))) {
    const [rival, mean] = means.reduce((a, b) => (b[1] < a[1] ? b : a));
    facts.push([timesWords(mean), `the ${kBase} kernel's time: the nearest rival, ${rival}`]);
  }
  const ceilings = ceilingsOf(state.device);
  if (ceilings) {
    if (ceilings.floor_ns > 0) facts.push([timeWords(ceilings.floor_ns), "an empty launch"]);
    if (ceilings.copy_gbps > 0) facts.push([ceilings.copy_gbps >= 1000 ? `${digits(ceilings.copy_gbps / 1000)} TB/s` : `${digits(ceilings.copy_gbps)} GB/s`, "copied in memory, at most"]);
  }
  const gate = report.gates[0];
  if (gate) facts.push([gate.verdict, "says the gate"]);
  if (report.recorded.length) facts.push([report.recorded.filter((row) => row.device === state.device).reduce((sum, row) => sum + row.configs, 0).toLocaleString("en-US"), "configs in recordings"]);
  document.getElementById("facts").replaceChildren(...facts.slice(0, 5).map(([value, words]) => element("div", {}, element("b", {}, value), element("span", {}, words))));
}

function fillBar() {
  const bar = document.getElementById("bar");
  const links = element("ul", {}, ...views.filter((view) => view.there()).map((view) => element("li", {}, element("a", { href: `#${view.id}` }, view.name))));
  const problems = unique([...report.records, ...report.times, ...report.recorded, ...report.progress].map((row) => row.problem)).map((i) => report.problems[i]);
  const filters = element("div", { class: "filters" });
  function choose(name, label, options) {
    filters.append(selectOf(label, options, String(state[name]), (value) => set(name, value)));
  }
  function set(name, value) {
    state[name] = name === "device" ? Number(value) : value;
    if (name === "device" && modesOf(state.device).length && !modesOf(state.device).includes(state.mode)) state.mode = modesOf(state.device)[0];
    if (name === "device") fillBar();
    refreshAll();
  }
  const all = (list, words) => [["", words], ...list];
  if (measuredDevices.length > 1) choose("device", "", measuredDevices.map((i) => [String(i), report.devices[i].label]));
  if (modesOf(state.device).length > 1) choose("mode", "mode", modesOf(state.device).map((mode) => [mode, mode.replace("_", " ")]));
  const kinds = unique(problems.map((problem) => problem.kind)).sort();
  if (kinds.length > 1) choose("kind", "", all(kinds.map((kind) => [kind, typeWords(kind)]), "all types"));
  const shapes = unique([...problems].sort((a, b) => a.k - b.k || a.n - b.n).map((problem) => problem.shape));
  if (shapes.length > 1) choose("shape", "", all(shapes.map((shape) => [shape, shape]), "all shapes"));
  const ranks = unique(problems.map((problem) => problem.rank)).sort(byNumber);
  if (ranks.length > 1) choose("rank", "", all(ranks.map((rank) => [String(rank), `rank ${rank}`]), "all ranks"));
  const text = element("input", { type: "search", placeholder: "key, variant or config", "aria-label": "Only rows that hold this text", value: state.text, oninput: () => (clearTimeout(text.timer), (text.timer = setTimeout(() => set("text", text.value.trim()), 200))) });
  filters.append(text, element("button", { type: "button", onclick: () => (Object.assign(state, { kind: "", shape: "", rank: "", text: "" }), fillBar(), refreshAll()) }, "Clear"), element("span", { class: "shown", id: "shown" }));
  bar.replaceChildren(links, filters);
}

function fillFooter() {
  const list = element("ul", {}, ...report.sources.map((source) => element("li", {}, `${source.kind} `, element("code", {}, source.path), `${source.made_by ? `, by ${source.made_by}` : ""}${source.date ? `, ${source.date}` : ""}${source.note ? `: ${source.note}` : ""}`)));
  const absent = views.filter((view) => !view.there());
  const footer = document.getElementById("footer");
  footer.append(element("p", {}, "Made of:"), list);
  if (absent.length) footer.append(element("p", {}, "Left out, since none of these files has it:"), element("ul", {}, ...absent.map((view) => element("li", {}, `${view.name}: takes ${view.wants}.`))));
  footer.append(element("p", {}, `Page by ${report.tool}. Keys: / goes to the shape, t changes the theme.`));
}

// Called once the charts' library is there.
function showViews() {
  for (const view of views.filter((one) => one.there())) document.getElementById("views").append(element("section", { class: "view", id: view.id }));
  refreshAll();
  prefersDark.addEventListener("change", () => state.theme === "auto" && (setTheme("auto"), refreshAll()));
  let timer;
  addEventListener("resize", () => (clearTimeout(timer), (timer = setTimeout(refreshAll, 200))));
}

setTheme("auto");
fillHead();
fillFacts();
fillBar();
fillFooter();
document.getElementById("theme").addEventListener("click", nextTheme);
document.getElementById("print").addEventListener("click", () => print());
addEventListener("scroll", () => hint.hide(), { passive: true });
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "/") (event.preventDefault(), finderForm.focus());
  if (event.key === "t") nextTheme();
});
