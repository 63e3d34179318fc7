// Finds what runs for a shape: as the dispatcher does, the record of the very problem, else a rule
// that holds it, else the same for a problem that writes y the other way, else the built-in default. Of
// records those of less alignment serve too, and for the mode deterministic what serves the mode fast.
"use strict";

// The numbers and the kind of a key, as lora-bench writes it; null for what is none.
function partsOf(key) {
  const found = /^(?:fwd_)?m(\d+)_k(\d+)_n([\d+]+)_r(\d+)_(\w+)$/.exec(key.trim());
  return (
    found && { m: Number(found[1]), k: Number(found[2]), columns: found[3], rank: Number(found[4]), kind: found[5] }
  );
}

const keyOf = (wanted) => `fwd_m${wanted.m}_k${wanted.k}_n${wanted.columns}_r${wanted.rank}_${wanted.kind}`;

const recordIndex = (() => {
  const index = new Map();
  for (const row of report.records) {
    const key = `${row.device} ${row.mode} ${problemOf(row).key}`;
    if (!index.has(key)) index.set(key, row);
  }
  return index;
})();

const sameWeights = (problem, wanted) =>
  problem.k === wanted.k &&
  problem.columns === wanted.columns &&
  problem.rank === wanted.rank &&
  problem.kind === wanted.kind;

function recordFor(wanted, device, mode) {
  const exact = recordIndex.get(`${device} ${mode} ${keyOf(wanted)}`);
  if (exact || mode !== "batch_invariant") return exact;
  return report.records.find(
    (row) => row.device === device && row.mode === mode && sameWeights(problemOf(row), wanted),
  );
}

function ruleFor(wanted, device, mode) {
  const n = wanted.columns.split("+").reduce((sum, one) => sum + Number(one), 0);
  const within = ([low, high], value) => low <= value && value <= high;
  const slices = (columns) => (columns.includes("+") ? columns : ""); // a rule is of these very slices, or of none
  return report.rules.find((rule) => {
    const of = problemOf(rule);
    if (
      rule.device !== device ||
      rule.mode !== mode ||
      of.kind !== wanted.kind ||
      slices(of.columns) !== slices(wanted.columns)
    )
      return false;
    return within(rule.m, wanted.m) && within(rule.k, wanted.k) && within(rule.n, n) && within(rule.rank, wanted.rank);
  });
}

// What aligned kinds of records hold a problem of this kind, the most alignment first. No alignment
// stated, or no more than an element's, is the same.
function alignedKinds(kind) {
  const [, plain, stated] = /^(.*?)(?:_align(\d+))?$/.exec(kind);
  const kinds = [];
  for (let align = Math.max(Number(stated ?? 0), plain.startsWith("f32") ? 4 : 2); align >= 2; align /= 2)
    kinds.push(`${plain}_align${align}`);
  return [...kinds, plain];
}

// {how, row}: how is record, other_write, rule, or default, whose row is null.
function findFor(wanted, device, mode) {
  const kinds = alignedKinds(wanted.kind);
  const plain = kinds[kinds.length - 1];
  const swapped = (kind) => kind.replace(/_(acc|set)(?=_|$)/, (_, write) => (write === "acc" ? "_set" : "_acc"));
  // Every kernel of this build gives the same bits in every run, so what is fastest is deterministic too.
  const modes = mode === "deterministic" ? [mode, "fast"] : [mode];
  for (const [written, how] of [
    [(kind) => kind, "record"],
    [swapped, "other_write"],
  ]) {
    for (const served of modes) {
      for (const kind of kinds) {
        const row = recordFor({ ...wanted, kind: written(kind) }, device, served);
        if (row) return { how, row };
      }
      const row = ruleFor({ ...wanted, kind: written(plain) }, device, served);
      if (row) return { how: "rule", row };
    }
  }
  return { how: "default", row: null };
}

// The measured problem that is nearest in powers of two, of the same kind where there is one.
function nearestTo(wanted, rows) {
  const step = (a, b) => Math.abs(Math.log2(Math.max(a, 0.5) / Math.max(b, 0.5)));
  const n = wanted.columns.split("+").reduce((sum, one) => sum + Number(one), 0);
  let best = null;
  let least = Infinity;
  for (const row of rows) {
    const p = problemOf(row);
    const distance =
      step(p.m, wanted.m) +
      step(p.k, wanted.k) +
      step(p.n, n) +
      step(p.rank, wanted.rank) +
      (p.kind === wanted.kind ? 0 : 100);
    if (distance < least) [best, least] = [row, distance];
  }
  return best;
}

const kReasons = {
  measured: "It beat the default in paired rounds, by more than chance explains.",
  no_significant_gain: "Nothing that was tried is faster by more than chance explains, so it is the default.",
  stopped: "The sweep's time was over before anything was proven faster, so it is the default.",
  failed_recheck: "What had won was not correct when it was checked once more, so it is the default.",
  only_default: "Nothing but the default could run, or was worth trying.",
};

function whyRecord(row) {
  const problem = problemOf(row);
  const seen = row.seen > 0 ? ` The sweep tried ${percentWords(row.seen)} of the configs that can run.` : "";
  const why = kReasons[row.reason] ?? `Reason: ${row.reason}.`;
  return `A record of ${problem.key}, of ${countWords(row.rounds, "paired round", "paired rounds")}. ${why}${seen}`;
}

// What the rivals of a --bench take on the very problem, the fastest first.
function besideIt(problem) {
  const times = timesOf(state.device, problem);
  const tuned = times.get(kBase);
  const rivals = [...times.values()].filter(isForeign).sort((a, b) => a.time_ns - b.time_ns);
  if (!tuned || !rivals.length) return [];
  return [
    `Beside it, in a --bench: ${rivals
      .slice(0, 3)
      .map((row) => `${row.rival} takes ${timesWords(row.time_ns / tuned.time_ns)}`)
      .join(", ")} the time.`,
  ];
}

function configParts(config) {
  return element(
    "div",
    { class: "config" },
    ...config
      .split(" ")
      .filter(Boolean)
      .map((part) => element("code", {}, part)),
  );
}

function numberFact(value, words) {
  return element("div", {}, element("b", {}, value), element("span", {}, words));
}

function answerOf(variant, config, numbers, why, line) {
  return element(
    "div",
    { class: "answer" },
    element(
      "div",
      {},
      element(
        "div",
        { class: "pick" },
        element("span", { class: "swatch", style: { background: variantColor(variant) } }),
        variant,
      ),
      configParts(config),
      element("div", { class: "numbers" }, ...numbers),
    ),
    element("div", { class: "why" }, ...why.map((text) => element("p", {}, text)), line ? commandLine(line) : null),
  );
}

function recordNumbers(row) {
  const gain = row.speedup === 1 && row.low === 1 && row.high === 1;
  const interval = `${row.low.toFixed(2)}–${row.high.toFixed(2)}`;
  return [
    numberFact(timeWords(row.time_ns), gain ? "a run" : `a run; the default takes ${timeWords(row.default_ns)}`),
    gain
      ? numberFact("the default", "nothing faster is proven")
      : numberFact(timesWords(row.speedup), `as fast as the default (${interval})`),
  ];
}

// What a recording knows of a problem: its fastest config.
function recordedFor(wanted) {
  const key = keyOf(wanted);
  const row = report.recorded.find(
    (one) => one.device === state.device && problemOf(one).key === key && one.variants.length > 0,
  );
  if (!row) return null;
  const best = row.variants.reduce((a, b) => (b.time_ns < a.time_ns ? b : a));
  return { row, best };
}

// What a --bench knows of a problem: the time of what runs for it, whose label is a variant and a config.
function timedFor(wanted) {
  const problem = report.problems.findIndex((one) => one.key === keyOf(wanted));
  const row = timesOf(state.device, problem).get(kBase);
  if (!row) return null;
  const { variant, config } = choiceIn(row.label);
  const numbers = [numberFact(timeWords(row.time_ns), "a run")];
  if (row.vs_default && kBase !== "default")
    numbers.push(numberFact(timesWords(1 / row.vs_default), "as fast as the default"));
  const why = [
    `A --bench timed this very problem in ${countWords(row.rounds, "round", "rounds")}, and ${kBase === "tuned" ? "a tuned file" : "the built-in default"} chose what ran.`,
    ...besideIt(problem),
  ];
  return answerOf(variant, config, numbers, why, lines.time(row));
}

// A word where the answer was measured for another mode than was asked for.
const otherMode = (row) =>
  row.mode === state.mode
    ? []
    : [`Nothing of mode ${state.mode} is of this shape; what was measured for mode ${row.mode} serves it too.`];

function answerFor(wanted) {
  const { how, row } = findFor(wanted, state.device, state.mode);
  const key = keyOf(wanted);
  if (how === "rule") {
    const why = [
      ...otherMode(row),
      `A rule: no sweep timed this very problem, but what was measured around it supports this choice for ${ruleRanges(row).join(", ")}.`,
      `Where such a problem was left out and timed, the rule lost ${percentWords(row.regret)} at most.`,
    ];
    return answerOf(
      row.variant,
      row.config,
      [numberFact(`≤ ${percentWords(row.regret)}`, "behind the best, at worst")],
      why,
      lines.pick(key, row),
    );
  }
  if (row) {
    const why = [...otherMode(row), whyRecord(row), ...besideIt(row.problem)];
    if (how === "other_write") why.unshift("No record of this way to write y; one of the other way answers.");
    const source = sourceOf(row);
    const line = source.kind === "tuned file" ? lines.pick(key, row) : lines.record(row);
    return answerOf(row.variant, row.config, recordNumbers(row), why, line);
  }
  const found = recordedFor(wanted);
  if (found) {
    const { row: recorded, best } = found;
    const numbers = [numberFact(timeWords(best.time_ns), "a run")];
    if (recorded.default_ns)
      numbers.push(
        numberFact(
          timesWords(recorded.default_ns / best.time_ns),
          `as fast as the default's ${timeWords(recorded.default_ns)}`,
        ),
      );
    return answerOf(
      best.variant,
      best.config,
      numbers,
      [
        `The fastest of the ${recorded.configs} configs that a recording holds of ${key}. It was not run against the default once more, as a sweep's choice is, so luck is in its lead.`,
      ],
      lines.recorded(recorded, best.variant, best.config),
    );
  }
  const timed = timedFor(wanted);
  if (timed) return timed;
  const rows = report.records.filter((one) => one.device === state.device && one.mode === state.mode);
  const near = nearestTo(wanted, rows.length ? rows : report.recorded.filter((one) => one.device === state.device));
  const why = element(
    "div",
    { class: "why" },
    element("p", {}, "No record or rule here is of this shape: the library runs its built-in default for it."),
  );
  const tuned = report.sources.find((source) => source.kind === "tuned file");
  if (near) {
    const problem = problemOf(near);
    const choose = () =>
      finderForm.set({ m: problem.m, k: problem.k, columns: problem.columns, rank: problem.rank, kind: problem.kind });
    why.append(
      element(
        "p",
        {},
        "The nearest that was measured: ",
        element("button", { type: "button", class: "copy mono", onclick: choose }, problem.key),
      ),
    );
  }
  why.append(
    element("p", {}, "To tune it:"),
    commandLine(
      `lora-bench --sweep${deviceOption({ device: state.device })}${modeOption(state.mode)} --problem ${key}${tuned ? ` --out ${shellWord(tuned.path)}` : ""}`,
    ),
  );
  return element(
    "div",
    { class: "answer" },
    element(
      "div",
      {},
      element("div", { class: "pick" }, "the built-in default"),
      element("div", { class: "numbers" }, numberFact("not measured", "in these files")),
    ),
    why,
  );
}

// The form at the top of the page. set() fills it in; the answer follows what it holds.
const finderForm = (() => {
  const node = document.getElementById("finder");
  const measured = [...report.records, ...report.recorded];
  const problems = unique((measured.length ? measured : report.times).map((row) => row.problem)).map(
    (i) => report.problems[i],
  );
  const kinds = unique(problems.map((problem) => problem.kind)).sort();
  const fields = {};
  const answer = element("div", { "aria-live": "polite" });
  const key = element("input", {
    class: "key",
    spellcheck: false,
    placeholder: "fwd_m16_k1024_n1024_r16_f16_acc",
    "aria-label": "A problem's key",
    oninput: () => readKey(),
  });

  function field(name, label, values) {
    const list = `values-of-${name}`;
    fields[name] = element("input", {
      class: name,
      inputMode: "numeric",
      autocomplete: "off",
      list,
      oninput: () => readFields(),
    });
    const options = element(
      "datalist",
      { id: list },
      ...unique(values).map((value) => element("option", { value: String(value) })),
    );
    return element("label", {}, label, fields[name], options);
  }
  function wanted() {
    const number = (name) => (/^\d+$/.test(fields[name].value.trim()) ? Number(fields[name].value) : NaN);
    const columns = fields.columns.value.trim();
    const one = { m: number("m"), k: number("k"), columns, rank: number("rank"), kind: fields.kind.value };
    return [one.m, one.k, one.rank].every(Number.isFinite) && /^\d+(\+\d+)*$/.test(columns) ? one : null;
  }
  function show() {
    const one = wanted();
    answer.replaceChildren(
      one ? answerFor(one) : element("p", { class: "none" }, "Whole numbers are wanted for tokens, in, out and rank."),
    );
  }
  function readFields() {
    const one = wanted();
    key.value = one ? keyOf(one) : "";
    show();
  }
  function set(one) {
    for (const name of ["m", "k", "columns", "rank"]) fields[name].value = String(one[name]);
    if (![...fields.kind.options].some((option) => option.value === one.kind))
      fields.kind.append(element("option", { value: one.kind }, typeWords(one.kind)));
    fields.kind.value = one.kind;
    readFields();
  }
  function readKey() {
    const one = partsOf(key.value);
    if (!one) {
      answer.replaceChildren(element("p", { class: "none" }, "A key looks like fwd_m16_k1024_n1024_r16_f16_acc."));
      return;
    }
    const text = key.value;
    set(one);
    key.value = text;
  }

  if (problems.length) {
    const kind = element(
      "select",
      { onchange: () => readFields() },
      ...kinds.map((one) => element("option", { value: one }, typeWords(one))),
    );
    fields.kind = kind;
    const form = element(
      "form",
      { onsubmit: (event) => event.preventDefault() },
      field("m", "tokens, m", problems.map((p) => p.m).sort(byNumber)),
      field("k", "in, k", problems.map((p) => p.k).sort(byNumber)),
      field(
        "columns",
        "out, n",
        problems.map((p) => p.columns),
      ),
      field("rank", "rank", problems.map((p) => p.rank).sort(byNumber)),
      element("label", {}, "type", kind),
      element(
        "div",
        { class: "by-key" },
        element("span", { class: "or" }, "or"),
        element("label", {}, "a problem's key", key),
      ),
    );
    node.append(element("h2", { id: "finder-title" }, "Which kernel for my shape?"), form, answer);
    // The gain that is largest is the one to look at first.
    const rows = report.records.filter((row) => row.device === state.device && row.mode === state.mode);
    const start = rows.length
      ? rows.reduce((a, b) => (b.speedup > a.speedup ? b : a))
      : (measured[0] ?? report.times[0]);
    set(problemOf(start));
  } else {
    node.remove();
  }
  return { set, refresh: () => problems.length && show(), focus: () => fields.m?.focus() };
})();
