// The report's data, joined and put in words. Everything here is a function of the JSON that
// lora-bench wrote into the page.
"use strict";

const report = JSON.parse(document.getElementById("data").textContent);

// A problem's kind in words. The kind is what the key says behind the rank: f32_w_f16_acc_a8.
function typeWords(kind) {
  const [data, ...parts] = kind.split("_");
  const words = [data];
  while (parts.length) {
    const part = parts.shift();
    const number = /\d+$/.exec(part)?.[0];
    if (part === "w") words.push(`weights in ${parts.shift()}`);
    else if (part === "set") words.push("overwrites y");
    else if (part === "dora") words.push("DoRA");
    else if (/^a\d+$/.test(part)) words.push(`${number} adapters`);
    else if (part.startsWith("align")) words.push(`aligned to ${number}`);
    else if (part !== "acc") words.push(part);
  }
  return words.join(", ");
}

for (const problem of report.problems) {
  problem.shape = `${problem.k} × ${problem.columns}`;
  problem.type = typeWords(problem.kind);
  problem.panel = `${problem.shape} · ${problem.type}`;
}

const byNumber = (a, b) => a - b;
const unique = (list) => [...new Set(list)];
const isDefault = (record) => record.low === 1 && record.high === 1; // nothing is proven faster

// --bench names what ran by a variant and its config.
function choiceIn(label) {
  const [variant, ...config] = label.split(" ");
  return { variant, config: config.join(" ") };
}

const problemOf = (row) => report.problems[row.problem];
const sourceOf = (row) => report.sources[row.source];

// The rows in lists, one for each value of a function of them.
function groups(rows, of) {
  const found = new Map();
  for (const row of rows) {
    if (!found.has(of(row))) found.set(of(row), []);
    found.get(of(row)).push(row);
  }
  return [...found.values()];
}

function median(values) {
  const sorted = [...values].sort(byNumber);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function geometricMean(values) {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

// Three digits, as no measurement here is worth more.
function digits(value) {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size >= 99.95 && size < 1e6) return Math.round(value).toLocaleString("en-US");
  return size < 1e-4 || size >= 1e6 ? String(Number(value.toPrecision(3))) : value.toPrecision(3);
}

function timeWords(ns) {
  if (ns >= 1e9) return `${digits(ns / 1e9)} s`;
  if (ns >= 1e6) return `${digits(ns / 1e6)} ms`;
  return `${digits(ns / 1e3)} µs`;
}

const timesWords = (ratio) => `${ratio >= 9.995 ? digits(ratio) : ratio.toFixed(2)}×`;
function percentWords(share) {
  const percent = 100 * share;
  return `${percent >= 10 ? Math.round(percent) : Number(percent.toPrecision(2))} %`;
}
const countWords = (count, one, many) => `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
const rangeWords = ([low, high]) =>
  low === high ? `${low}` : high >= 2147483647 ? `${low} and more` : `${low}–${high}`;

// What a rule holds for. The rule of a group is of one list of slices, which says more than their sum.
function ruleRanges(rule) {
  const { columns } = problemOf(rule);
  const n = columns.includes("+") ? columns : rangeWords(rule.n);
  return [`m ${rangeWords(rule.m)}`, `k ${rangeWords(rule.k)}`, `n ${n}`, `rank ${rangeWords(rule.rank)}`];
}

// A word of a shell, whatever it holds. A control character would not survive a paste.
function shellWord(text) {
  const clean = text.replace(/[\u0000-\u001f\u007f]/g, "?");
  if (/^[\w@%+=:,./-]+$/.test(clean) && !clean.startsWith("-")) return clean;
  return `'${clean.replaceAll("'", "'\\''")}'`;
}

function deviceOption(row) {
  const name = report.devices[row.device].name;
  return name ? ` --device ${shellWord(name)}` : "";
}

const modeOption = (mode) => (mode && mode !== "fast" ? ` --mode ${mode}` : "");

// The tuned file that a replay of the journal writes: one of its own, since a replay adds to a file that is there.
const replayedFile = (journal) => `${journal.replace(/(\.json)?\.journal(\.gz)?$/, "")}.replayed.json`;

// The command lines that measure a row again.
const lines = {
  record(row) {
    const source = sourceOf(row);
    const file =
      source.kind === "tuned file" ? ` --tuned ${shellWord(source.path)}` : ` --variants ${shellWord(row.variant)}`;
    return `lora-bench --bench${deviceOption(row)}${file}${modeOption(row.mode)} --problem ${problemOf(row).key}`;
  },
  time(row) {
    const [maker] = sourceOf(row).made_by.split(" "); // a peer is named by its library
    if (maker !== "lora-bench") return `${shellWord(`scripts/peers/${maker}_lora.py`)} --problem ${problemOf(row).key}`;
    return `lora-bench --bench${deviceOption(row)} --problem ${problemOf(row).key}`;
  },
  recorded(row, variant, config) {
    return `lora-bench --check --variants ${shellWord(variant)} --problem ${problemOf(row).key} --config ${shellWord(config)}`;
  },
  progress(row) {
    const journal = sourceOf(row).path;
    return `lora-bench --replay ${shellWord(journal)} --out ${shellWord(replayedFile(journal))}`;
  },
  gate(gate, row) {
    const key = row.problem === undefined ? "" : ` --problem ${report.problems[row.problem].key}`;
    const variant = row.of && row.of !== "pick" ? ` --variants ${shellWord(row.of)}` : "";
    const against = gate.against ? ` --against ${shellWord(gate.against)}` : "";
    return `lora-bench --gate ${shellWord(gate.base)}${against}${deviceOption(gate)}${key}${variant}`;
  },
  // --pick reads no journal: a replay makes the tuned file that it reads.
  pick(key, row) {
    const source = sourceOf(row);
    const [first, tuned] =
      source.kind === "journal" ? [`${lines.progress(row)} && `, replayedFile(source.path)] : ["", source.path];
    return `${first}lora-bench --pick ${key}${deviceOption(row)} --tuned ${shellWord(tuned)}${modeOption(state.mode)}`;
  },
};

// What rivals are measured by: what runs with a tuned file, or without one where --bench had none. `launch`
// is an empty launch: the floor, and no rival.
const kBase = report.times.some((row) => row.rival === "tuned") ? "tuned" : "default";
const kNoRival = [kBase, "launch"];
// These arms compute less than the problem, so they are no rivals either: they show what the rest of it costs.
const kLess = ["copy_y", "without_dora", "one_adapter"];
const isForeign = (row) => !row.ours && !kNoRival.includes(row.rival) && !kLess.includes(row.rival);

const timesByProblem = (() => {
  const index = new Map();
  for (const row of report.times) {
    const key = `${row.device} ${row.problem}`;
    if (!index.has(key)) index.set(key, new Map());
    const rivals = index.get(key);
    if (!rivals.has(row.rival)) rivals.set(row.rival, row);
  }
  return index;
})();

const timesOf = (device, problem) => timesByProblem.get(`${device} ${problem}`) ?? new Map();

// Colours of variants, rivals and devices: Tol's bright scheme, which colour-blind readers can tell
// apart and which stands out on light and on dark.
const kPalette = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#9aa5b1", "#997700", "#994455"];
const kInkOn = { "#ee6677": "#17202a", "#ccbb44": "#17202a", "#66ccee": "#17202a", "#9aa5b1": "#17202a" };
const colorAt = (index) => kPalette[index % kPalette.length];

const variantNames = unique([
  ...report.records.map((row) => row.variant),
  ...report.rules.map((row) => row.variant),
  ...report.recorded.flatMap((row) => row.variants.map((one) => one.variant)),
  ...report.times.filter((row) => row.rival === kBase).map((row) => choiceIn(row.label).variant),
]).sort();

// An abbreviation for each variant that no other has: its words' first letters, or more of them.
const variantShort = (() => {
  const short = Object.create(null); // a file may call a variant __proto__
  for (const name of variantNames) {
    const words = name.split("_");
    for (let length = 1; ; ++length) {
      const text = words.map((word) => word.slice(0, length)).join("");
      const tried =
        text.charAt(0).toUpperCase() + (words.length > 1 && length === 1 ? text.slice(1).toUpperCase() : text.slice(1));
      if (length > name.length || !Object.values(short).includes(tried)) {
        short[name] = tried.slice(0, 4);
        break;
      }
    }
  }
  return short;
})();

const variantColor = (name) => colorAt(Math.max(0, variantNames.indexOf(name)));
const inkOn = (color) => kInkOn[color] ?? "#ffffff";

// What is shown. A device and a mode are one at a time, since figures of two of them do not mix.
const state = { device: 0, mode: "fast", kind: "", shape: "", rank: "", text: "", theme: "auto" };

const measuredDevices = unique(
  [...report.records, ...report.times, ...report.recorded, ...report.progress, ...report.gates].map(
    (row) => row.device,
  ),
).sort(byNumber);
const modesOf = (device) => unique(report.records.filter((row) => row.device === device).map((row) => row.mode));

function inState(row, { anyDevice = false } = {}) {
  const problem = problemOf(row);
  if (!anyDevice && row.device !== state.device) return false;
  if (row.mode !== undefined && row.mode !== state.mode) return false;
  if (state.kind && problem.kind !== state.kind) return false;
  if (state.shape && problem.shape !== state.shape) return false;
  if (state.rank && problem.rank !== Number(state.rank)) return false;
  return (
    !state.text || `${problem.key} ${row.variant ?? ""} ${row.config ?? ""} ${row.rival ?? ""}`.includes(state.text)
  );
}

function byShape(a, b) {
  const p = problemOf(a);
  const q = problemOf(b);
  return p.kind.localeCompare(q.kind) || p.k - q.k || p.n - q.n || p.m - q.m || p.rank - q.rank;
}

state.device = measuredDevices[0] ?? 0;
if (!modesOf(state.device).includes(state.mode)) state.mode = modesOf(state.device)[0] ?? "fast";
