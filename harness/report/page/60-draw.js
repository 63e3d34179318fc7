// Draws the views: their charts by Vega-Lite in the theme's colours, their controls and their tables.
"use strict";

const kThemes = {
  light: {
    background: "#ffffff",
    ink: "#17202a",
    muted: "#5b6774",
    line: "#dfe4e9",
    quiet: "#8b98a6",
    ramp: ["#eaf1f7", "#9dc1de", "#3f82b5", "#0c4a7d"],
    rampInkLow: "#17202a",
    rampInkHigh: "#ffffff",
  },
  dark: {
    background: "#0f1419",
    ink: "#e6ebf0",
    muted: "#9caab8",
    line: "#2a3440",
    quiet: "#75838f",
    ramp: ["#1b2733", "#24507a", "#4a8fc7", "#a5d3f7"],
    rampInkLow: "#e6ebf0",
    rampInkHigh: "#0f1419",
  },
};
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const shade = () => (state.theme === "auto" ? (prefersDark.matches ? "dark" : "light") : state.theme);
const theme = () => kThemes[shade()];

// So many steps of one hue, the last the strongest.
function ramp(count) {
  const colors =
    shade() === "dark"
      ? ["#35618a", "#5b93c4", "#8fc0e6", "#d3eafb", "#ffffff"]
      : ["#a8cbe6", "#6aa5d0", "#357fb4", "#135a8f", "#08304f"];
  return Array.from(
    { length: count },
    (_, i) => colors[count === 1 ? 2 : Math.round((i * (colors.length - 1)) / (count - 1))],
  );
}

function chartConfig() {
  const { ink, muted, line } = theme();
  const font = 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
  return {
    background: "transparent",
    padding: { left: 6, right: 10, top: 4, bottom: 4 },
    font,
    view: { stroke: null },
    axis: {
      labelColor: muted,
      titleColor: muted,
      gridColor: line,
      domainColor: line,
      tickColor: line,
      labelFontSize: 11.5,
      titleFontSize: 12,
      titleFontWeight: 500,
      titlePadding: 8,
      labelPadding: 5,
    },
    legend: {
      labelColor: ink,
      titleColor: muted,
      titleFontWeight: 500,
      labelFontSize: 12.5,
      titleFontSize: 12,
      symbolStrokeWidth: 0,
      symbolOpacity: 1,
      symbolSize: 110,
      offset: 10,
      labelLimit: 300,
      padding: 2,
    },
    header: {
      labelColor: ink,
      titleColor: muted,
      labelFontSize: 12.5,
      labelFontWeight: 600,
      labelPadding: 8,
      labelAnchor: "start",
    },
  };
}

// A copy of a chart's spec in which "@name" is what the lists call so.
function filled(spec, lists) {
  if (typeof spec === "string" && spec.startsWith("@")) {
    if (!(spec.slice(1) in lists)) throw new Error(`a chart wants ${spec}`);
    return lists[spec.slice(1)];
  }
  if (Array.isArray(spec)) return spec.map((one) => filled(one, lists));
  if (spec && typeof spec === "object")
    return Object.fromEntries(Object.entries(spec).map(([key, value]) => [key, filled(value, lists)]));
  return spec;
}

const drawn = new Map(); // id: what vegaEmbed made, to be freed before the next

async function draw(view, shown, place) {
  const rows = shown.rows.filter(shown.drawn ?? (() => true)).slice(0, view.most ?? Infinity);
  const { background, ink, muted, quiet } = theme();
  const spec = filled(charts[view.id], {
    background,
    ink,
    muted,
    quiet,
    mono: '"JetBrains Mono", ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace',
    order: rows.map((row) => row.label ?? row.key),
    ...shown.lists,
  });
  const plain = rows.map(({ facts, title, line, variants, points, ...fields }, i) => ({ ...fields, i }));
  spec.datasets = { rows: plain, ...shown.data };
  const made = await vegaEmbed(place, spec, { actions: false, renderer: "svg", tooltip: false, config: chartConfig() });
  drawn.get(view.id)?.finalize();
  drawn.set(view.id, made);
  const rowOf = (item) => (Number.isInteger(item?.datum?.i) ? rows[item.datum.i] : null);
  made.view.addEventListener("pointermove", (event, item) => {
    const row = rowOf(item);
    place.style.cursor = row ? "pointer" : "";
    if (row) hint.show(row, event);
    else hint.hide();
  });
  made.view.addEventListener("pointerout", () => hint.hide());
  made.view.addEventListener("click", (_, item) => {
    const row = rowOf(item);
    if (row?.line) copy(row.line);
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
    if (!options.some(([key]) => key === view.values[name]))
      view.values[name] = options.some(([key]) => key === control.value)
        ? control.value
        : (options[Math.floor(name === "rank" ? options.length / 2 : 0)]?.[0] ?? "");
    if (options.length > 1)
      node.append(
        selectOf(control.label, options, view.values[name], (value) => {
          view.values[name] = value;
          refresh(view);
        }),
      );
  }
  return node.childElementCount ? node : null;
}

async function refresh(view) {
  const node = document.getElementById(view.id);
  const focused = [...node.querySelectorAll("select")].indexOf(document.activeElement);
  const controls = controlsOf(view);
  const shown = view.show(node.clientWidth, view.values);
  if (!shown) {
    drawn.get(view.id)?.finalize();
    drawn.delete(view.id);
    node.replaceChildren(
      element("h2", {}, view.name),
      element("p", { class: "none" }, "Nothing of this is left by the filters; it may be of another device."),
    );
    return;
  }
  const count = shown.rows.filter(shown.drawn ?? (() => true)).length;
  const cut =
    view.most && count > view.most ? ` The chart has the first ${view.most} of ${count}; the table has all.` : "";
  const place = element("div", { class: "chart" });
  node.replaceChildren(
    ...[element("h2", {}, shown.title), element("p", { class: "lede" }, shown.lede + cut), controls].filter(Boolean),
  );
  controls?.querySelectorAll("select")[focused]?.focus(); // the control that was used is a new one
  if (view.open) {
    node.append(tableOf(view.columns, shown.rows));
    return;
  }
  const figures = element(
    "details",
    { class: "figures" },
    element("summary", {}, `The figures, ${countWords(shown.rows.length, "row", "rows")}`),
  );
  figures.addEventListener(
    "toggle",
    () => figures.childElementCount === 1 && figures.append(tableOf(view.columns, shown.rows)),
  );
  node.append(...(count ? [place] : []), figures);
  node.classList.toggle("long", count > 60);
  if (count) await draw(view, shown, place);
}
