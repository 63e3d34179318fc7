// The page itself: its head, filters, theme and foot, and what is drawn when.
"use strict";

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
  document.getElementById("theme").textContent = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" }[
    name
  ];
}

function nextTheme() {
  setTheme({ auto: "light", light: "dark", dark: "auto" }[state.theme]);
  refreshAll();
}

function fillHead() {
  const named = measuredDevices.map((i) => report.devices[i].label);
  document.getElementById("title").textContent =
    named.length <= 2 ? named.join(" and ") || "No device" : `${named.length} devices`;
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
    facts.push([
      faster.length ? `${timesWords(Math.max(...faster.map((row) => row.speedup)))} at best` : "1.00×",
      `of the default's speed; ${faster.length} proven faster`,
    ]);
  }
  const rivals = report.times.filter((row) => row.device === state.device && isForeign(row));
  const means = unique(rivals.map((row) => row.rival)).map((rival) => {
    const ratios = rivals
      .filter((row) => row.rival === rival && timesOf(row.device, row.problem).has(kBase))
      .map((row) => row.time_ns / timesOf(row.device, row.problem).get(kBase).time_ns);
    return [rival, ratios.length ? geometricMean(ratios) : Infinity];
  });
  if (means.some(([, mean]) => Number.isFinite(mean))) {
    const [rival, mean] = means.reduce((a, b) => (b[1] < a[1] ? b : a));
    facts.push([timesWords(mean), `the ${kBase} kernel's time: the nearest rival, ${rival}`]);
  }
  const ceilings = ceilingsOf(state.device);
  if (ceilings) {
    if (ceilings.floor_ns > 0) facts.push([timeWords(ceilings.floor_ns), "an empty launch"]);
    if (ceilings.copy_gbps > 0)
      facts.push([
        ceilings.copy_gbps >= 1000 ? `${digits(ceilings.copy_gbps / 1000)} TB/s` : `${digits(ceilings.copy_gbps)} GB/s`,
        "copied in memory, at most",
      ]);
  }
  const gate = report.gates[0];
  if (gate) facts.push([gate.verdict, "says the gate"]);
  if (report.recorded.length)
    facts.push([
      report.recorded
        .filter((row) => row.device === state.device)
        .reduce((sum, row) => sum + row.configs, 0)
        .toLocaleString("en-US"),
      "configs in recordings",
    ]);
  document
    .getElementById("facts")
    .replaceChildren(
      ...facts
        .slice(0, 5)
        .map(([value, words]) => element("div", {}, element("b", {}, value), element("span", {}, words))),
    );
}

function fillBar() {
  const bar = document.getElementById("bar");
  const links = element(
    "ul",
    {},
    ...views
      .filter((view) => view.there())
      .map((view) => element("li", {}, element("a", { href: `#${view.id}` }, view.name))),
  );
  const problems = unique(
    [...report.records, ...report.times, ...report.recorded, ...report.progress].map((row) => row.problem),
  ).map((i) => report.problems[i]);
  const filters = element("div", { class: "filters" });
  function choose(name, label, options) {
    filters.append(selectOf(label, options, String(state[name]), (value) => set(name, value)));
  }
  function set(name, value) {
    state[name] = name === "device" ? Number(value) : value;
    if (name === "device" && modesOf(state.device).length && !modesOf(state.device).includes(state.mode))
      state.mode = modesOf(state.device)[0];
    if (name === "device") fillBar();
    refreshAll();
  }
  const all = (list, words) => [["", words], ...list];
  if (measuredDevices.length > 1)
    choose(
      "device",
      "",
      measuredDevices.map((i) => [String(i), report.devices[i].label]),
    );
  if (modesOf(state.device).length > 1)
    choose(
      "mode",
      "mode",
      modesOf(state.device).map((mode) => [mode, mode.replace("_", " ")]),
    );
  const kinds = unique(problems.map((problem) => problem.kind)).sort();
  if (kinds.length > 1)
    choose(
      "kind",
      "",
      all(
        kinds.map((kind) => [kind, typeWords(kind)]),
        "all types",
      ),
    );
  const shapes = unique([...problems].sort((a, b) => a.k - b.k || a.n - b.n).map((problem) => problem.shape));
  if (shapes.length > 1)
    choose(
      "shape",
      "",
      all(
        shapes.map((shape) => [shape, shape]),
        "all shapes",
      ),
    );
  const ranks = unique(problems.map((problem) => problem.rank)).sort(byNumber);
  if (ranks.length > 1)
    choose(
      "rank",
      "",
      all(
        ranks.map((rank) => [String(rank), `rank ${rank}`]),
        "all ranks",
      ),
    );
  const text = element("input", {
    type: "search",
    placeholder: "key, variant or config",
    "aria-label": "Only rows that hold this text",
    value: state.text,
    oninput: debounced(200, () => set("text", text.value.trim())),
  });
  filters.append(
    text,
    element(
      "button",
      {
        type: "button",
        onclick: () => {
          Object.assign(state, { kind: "", shape: "", rank: "", text: "" });
          fillBar();
          refreshAll();
        },
      },
      "Clear",
    ),
    element("span", { class: "shown", id: "shown" }),
  );
  bar.replaceChildren(links, filters);
}

function fillFooter() {
  const list = element(
    "ul",
    {},
    ...report.sources.map((source) =>
      element(
        "li",
        {},
        `${source.kind} `,
        element("code", {}, source.path),
        `${source.made_by ? `, by ${source.made_by}` : ""}${source.date ? `, ${source.date}` : ""}${source.note ? `: ${source.note}` : ""}`,
      ),
    ),
  );
  const absent = views.filter((view) => !view.there());
  const footer = document.getElementById("footer");
  footer.append(element("p", {}, "Made of:"), list);
  if (absent.length)
    footer.append(
      element("p", {}, "Left out, since none of these files has it:"),
      element("ul", {}, ...absent.map((view) => element("li", {}, `${view.name}: takes ${view.wants}.`))),
    );
  footer.append(element("p", {}, `Page by ${report.tool}. Keys: / goes to the shape, t changes the theme.`));
}

// Called once the charts' library is there.
function showViews() {
  for (const view of views.filter((one) => one.there()))
    document.getElementById("views").append(element("section", { class: "view", id: view.id }));
  refreshAll();
  prefersDark.addEventListener("change", () => {
    setTheme(state.theme);
    refreshAll();
  });
  addEventListener("resize", debounced(200, refreshAll));
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
  if (event.key === "/") {
    event.preventDefault(); // the letter would go into the field
    finderForm.focus();
  }
  if (event.key === "t") nextTheme();
});
