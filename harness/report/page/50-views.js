// The views of the page: what each is made of, what it says, and which file it would take where it
// has nothing to show. show() returns {title, lede, rows, lists, data, columns}: `lists` fill the
// places of the chart's spec, `data` its further tables; nothing where no row is left.
"use strict";

const sortedUnique = (rows, of) =>
  unique(rows.map(of)).sort(typeof of(rows[0] ?? {}) === "number" ? byNumber : undefined);

// How the panels of a chart share its width: so many a row, so wide; a cell of a map is `cell` wide.
function panelLists(rows, width, cells) {
  const kLeastCell = 26;
  const kLetter = 6.8; // of a panel's title, which may be wider than its cells
  const panels = unique(rows.map((row) => row.panel));
  const shapes = unique(rows.map((row) => row.shape)).length;
  const most = unique(rows.map((row) => row.m)).length; // all panels share one axis
  const longest = Math.max(...panels.map((panel) => panel.length));
  const least = Math.max(cells ? Math.max(90, most * kLeastCell) + 30 : 200, longest * kLetter);
  const perRow = Math.max(1, Math.min(panels.length, shapes <= 4 ? shapes : 4, Math.floor((width - 50) / least)));
  const panel = Math.min(420, Math.floor((width - 50 - 24 * (perRow - 1)) / perRow) - 8);
  return {
    panels,
    columns: perRow,
    panel,
    cell: cells ? Math.max(kLeastCell, Math.min(86, Math.floor(panel / most))) : 0,
  };
}

// Of the variants in the rows, in colours that stay the same whatever the filters leave.
function variantLists(rows) {
  const variants = variantNames.filter((name) => rows.some((row) => row.variant === name));
  return { variants, variantColors: variants.map(variantColor) };
}

function listWords(list, most = 3) {
  return list.length <= most ? list.join(", ") : `${list.slice(0, most).join(", ")} and ${list.length - most} more`;
}

function counted(rows, of) {
  const counts = new Map();
  for (const row of rows) counts.set(of(row), (counts.get(of(row)) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

const ratioColumn = (name, of) => ({
  name,
  of,
  show: (row) => (of(row) === undefined ? "" : timesWords(of(row))),
  number: true,
});
const intervalColumn = {
  name: "interval",
  of: (row) => row.low,
  show: (row) => (row.low === undefined || row.low === row.high ? "" : `${row.low.toFixed(3)}–${row.high.toFixed(3)}`),
  number: true,
};
const speedupColumn = {
  name: "speed-up",
  of: (row) => row.speedup,
  show: (row) => (isDefault(row) ? "default" : timesWords(row.speedup)),
  number: true,
};

const views = [
  {
    id: "winners",
    name: "Winners",
    wants: "a tuned file, a journal, a recording or a result of --bench --json",
    there: () =>
      report.records.length > 0 ||
      report.recorded.some((row) => row.variants.length > 0) ||
      report.times.some((row) => row.rival === kBase),
    show(width) {
      const rows = winnerRows();
      if (!rows.length) return null;
      const counts = counted(rows, (row) => row.variant);
      const [first, wins] = counts[0];
      const title =
        counts.length === 1
          ? `${first} is the choice on all of ${countWords(rows.length, "problem", "problems")}`
          : `${first} is the choice on ${wins} of ${rows.length} problems`;
      const others = counts.slice(1).map(([name, count]) => `${name} on ${count}`);
      const lede = `Each cell is a problem; its colour and letters say which variant runs.${others.length ? ` Beside it: ${listWords(others, 4)}.` : ""}`;
      return { title, lede, rows, lists: { ...variantLists(rows), ...panelLists(rows, width, true) } };
    },
    columns: [
      column.problem,
      column.tokens,
      column.shape,
      column.rank,
      column.type,
      column.variant,
      column.time,
      column.config,
    ],
  },
  {
    id: "speedup",
    name: "Speed-up",
    wants: "a tuned file, a journal, or a result of --bench --json with --tuned",
    there: () => report.records.length > 0 || kBase === "tuned",
    controls: {
      sort: {
        label: "sorted by",
        options: () => ["speed-up", "time", "shape"].map((one) => [one, one]),
        value: "speed-up",
      },
    },
    most: 40,
    show(width, { sort }) {
      const all = choiceRows();
      const rows = gainRows(sort);
      if (!all.length) return null;
      const kept = all.length - rows.length;
      const faster = rows.filter((row) => row.low > 1).length;
      const slower = rows.filter((row) => row.high < 1).length;
      const title = faster
        ? `Tuning makes ${faster} of ${all.length} problems faster than the default${slower ? `, and ${slower} slower` : ""}`
        : "No problem is proven faster than the default";
      const mean = geometricMean(all.map((row) => row.speedup));
      const lede = `${rows.length ? `At best ${timesWords(Math.max(...rows.map((row) => row.speedup)))}; ` : ""}${timesWords(mean)} over all, by the geometric mean. ${kept ? `${kept} ${kept === 1 ? "keeps" : "keep"} the default, as nothing else was proven faster.` : ""}`;
      return { title, lede, rows, lists: { ...variantLists(rows), width: Math.max(260, width - 336) } };
    },
    columns: [
      column.problem,
      column.variant,
      speedupColumn,
      intervalColumn,
      column.time,
      { name: "default", of: (row) => row.default_ns, show: (row) => timeWords(row.default_ns), number: true },
      { name: "rounds", of: (row) => row.rounds, number: true },
      column.config,
    ],
  },
  {
    id: "rivals",
    name: "Rivals",
    wants: "a result of --bench --json, which times rivals beside our kernels",
    there: () => report.times.some((row) => row.rival === kBase),
    show(width) {
      const rows = rivalRows();
      if (!rows.length) return null;
      const means = unique(rows.map((row) => row.rival)).map((rival) => [
        rival,
        geometricMean(rows.filter((row) => row.rival === rival).map((row) => row.ratio)),
      ]);
      means.sort((a, b) => a[1] - b[1]);
      const foreign = new Set(rows.filter(isForeign).map((row) => row.rival));
      const less = means.map(([rival]) => rival).filter((rival) => kLess.includes(rival));
      const ahead = (rival) => rows.filter((row) => row.rival === rival && row.ratio < 1).length;
      const whole = means.filter(([rival]) => !kLess.includes(rival));
      const [nearest, mean] = whole.find(([rival]) => foreign.has(rival)) ?? whole[0] ?? means[0];
      const of = rows.filter((row) => row.rival === nearest).length;
      const title = `The nearest ${foreign.size ? "rival" : "of ours"}, ${nearest}, takes ${timesWords(mean)} the time of the ${kBase} kernel`;
      const lede = `Each dot is a problem, the bar is the geometric mean; left of the line the rival is faster. ${nearest} is ahead on ${ahead(nearest)} of ${of} problems.${less.length ? ` ${listWords(less)} ${less.length > 1 ? "do" : "does"} less than the whole problem: the distance to the line is what the rest costs.` : ""}`;
      const tokens = sortedUnique(rows, (row) => row.m);
      const measured = new Set(rows.map((row) => row.lane));
      const types = sortedUnique(rows, (row) => row.type);
      const lanes = types.flatMap((type) => [
        laneOf(type, ""),
        ...means.map(([rival]) => laneOf(type, rival)).filter((lane) => measured.has(lane)),
      ]);
      const longest = Math.max(...[...types, ...means.map(([rival]) => rival)].map((name) => name.length));
      return {
        title,
        lede,
        rows,
        lists: {
          width: Math.max(260, width - 50 - 7 * Math.min(longest, 42)),
          lanes,
          ratioTitle: `time of the rival / time of the ${kBase} kernel`,
          tokens,
          tokenColors: ramp(tokens.length),
        },
      };
    },
    columns: [
      column.problem,
      { name: "rival", of: (row) => row.rival },
      ratioColumn(`times ${kBase}`, (row) => row.ratio),
      column.time,
      { name: kBase, of: (row) => row.tuned_ns, show: (row) => timeWords(row.tuned_ns), number: true },
      { name: "what it runs", of: (row) => row.label, wide: true },
    ],
  },
  {
    id: "roofline",
    name: "Roofline",
    wants: "a result of --bench --json, which has the device's measured limits",
    there: () => report.ceilings.length > 0,
    show(width) {
      const rows = limitRows();
      if (!rows.length) return null;
      const ceilings = ceilingsOf(state.device);
      const { roofs, labels, names } = roofsOver(rows);
      const [bound, count] = counted(rows, (row) => row.limit)[0];
      const words = { launch: "the launch itself", memory: "memory", arithmetic: "arithmetic" };
      const title = `${words[bound][0].toUpperCase()}${words[bound].slice(1)} is the limit of ${count} of ${rows.length} problems`;
      const lede = `A dot is a kernel, the mark above it the most that this device allows the problem: an empty launch takes ${timeWords(ceilings.floor_ns)}, and the roofs were measured too.${rows.some((row) => row.type.startsWith("f16")) ? " The roof of arithmetic is of f32; matrix units do more in f16." : ""}`;
      return {
        title,
        lede,
        rows,
        data: { roofs, roofLabels: labels },
        lists: {
          width: width - 190,
          roofNames: names,
          roofDashes: names.map((name) => (name.startsWith("cache") ? [5, 3] : [1, 0])),
          limits: ["launch", "memory", "arithmetic"],
          limitColors: [colorAt(0), colorAt(2), colorAt(1)],
        },
      };
    },
    columns: [
      column.problem,
      { name: "bound by", of: (row) => row.limit },
      { name: "GFLOP/s", of: (row) => row.gflops, show: (row) => digits(row.gflops), number: true },
      { name: "flop/byte", of: (row) => row.intensity, show: (row) => digits(row.intensity), number: true },
      column.time,
      { name: "limit", of: (row) => row.limit_ns, show: (row) => timeWords(row.limit_ns), number: true },
      { name: "share", of: (row) => row.share, show: (row) => percentWords(row.share), number: true },
    ],
  },
  {
    id: "share",
    name: "Share of the limit",
    wants: "a result of --bench --json, which has the device's measured limits",
    there: () => report.ceilings.length > 0,
    show(width) {
      const rows = limitRows();
      if (!rows.length) return null;
      const title = `Half of the problems run at ${percentWords(median(rows.map((row) => row.share)))} of their limit or more`;
      const worst = rows.reduce((a, b) => (b.share < a.share ? b : a));
      const lede = `The least time that the device's own limits allow, in percent of the time measured. Furthest from its limit is ${worst.key}, at ${percentWords(worst.share)}.${rows.some((row) => row.share > 1) ? " Above 100: a limit is what a simple kernel reached that copies, or multiplies and adds, and another kernel may beat it." : ""}${rows.some((row) => !row.type.startsWith("f32")) ? " The rate of arithmetic was measured in f32 alone, so it limits no problem of another type." : ""}`;
      return { title, lede, rows, lists: { ...panelLists(rows, width, true), ...theme() } };
    },
    columns: [
      column.problem,
      { name: "share", of: (row) => row.share, show: (row) => percentWords(row.share), number: true },
      { name: "bound by", of: (row) => row.limit },
      column.time,
      { name: "limit", of: (row) => row.limit_ns, show: (row) => timeWords(row.limit_ns), number: true },
    ],
  },
];
