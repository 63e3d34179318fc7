// The views of searches, gates and several devices, behind those of kernels.
"use strict";

const costProblems = () => report.recorded.filter((row) => row.variants.length > 0 && inState(row));
function costVariants(problem) {
  const recorded = costProblems().find((row) => String(row.problem) === problem);
  return recorded ? [...recorded.variants].sort((a, b) => a.time_ns - b.time_ns) : [];
}

function verdictColor(verdict) {
  const index = {
    REGRESSED: 1,
    WRONG: 5,
    FAULT: 5,
    MISSING: 5,
    IMPROVED: 2,
    PASS: 0,
    INCONCLUSIVE: 3,
    ENVIRONMENT: 7,
    FLAKY_SUSPECT: 4,
    sentinel: 6,
  };
  return colorAt(index[verdict] ?? 6);
}

views.push(
  {
    id: "parameters",
    name: "Parameters",
    wants: "a recording, as --sweep --record writes it",
    there: () => report.recorded.some((row) => row.variants.length > 0),
    controls: {
      problem: {
        label: "problem",
        options: () =>
          costProblems()
            .sort((a, b) => b.variants[0].time_ns - a.variants[0].time_ns)
            .map((row) => [String(row.problem), problemOf(row).key]),
        value: "",
      },
      variant: {
        label: "variant",
        options: ({ problem }) =>
          costVariants(problem).map((one) => [one.variant, `${one.variant}, ${timeWords(one.time_ns)}`]),
        value: "",
      },
    },
    show(width, { problem, variant }) {
      const recorded = costProblems().find((row) => String(row.problem) === problem);
      if (!recorded) return null;
      const all = costRows(recorded, variant);
      if (!all.length) return null;
      const names = unique(all.map((row) => row.parameter));
      const dearest = all.filter((row) => row.ratio !== undefined).reduce((a, b) => (b.ratio > a.ratio ? b : a));
      const title = `${dearest.parameter} matters most here: a wrong value costs ${timesWords(dearest.ratio)} the time`;
      const lede = `The fastest ${variant} on ${dearest.key}, with one parameter changed at a time and the others as they are. What is left out cannot run.`;
      const states = ["the best config", "timed in rounds", "probed once: slow"];
      const perRow = Math.max(1, Math.min(4, names.length, Math.floor(width / 210)));
      const rows = all.map((row) => ({ ...row, drawn: row.ratio !== undefined }));
      return {
        title,
        lede,
        rows,
        drawn: (row) => row.drawn,
        lists: {
          parameters: names,
          columns: perRow,
          panel: Math.min(260, Math.floor((width - 60 - 30 * perRow) / perRow)),
          states,
          stateColors: [colorAt(0), colorAt(6), colorAt(1)],
        },
      };
    },
    columns: [
      { name: "parameter", of: (row) => row.parameter, mono: true },
      { name: "value", of: (row) => row.value, number: true },
      column.time,
      ratioColumn("times the best", (row) => row.ratio),
      { name: "outcome", of: (row) => row.outcome },
      column.config,
    ],
  },
  {
    id: "regret",
    name: "Rules",
    wants: "a tuned file that has rules",
    there: () => report.rules.length > 0,
    most: 40,
    show(width) {
      const rows = ruleRows();
      if (!rows.length) return null;
      const title = `${countWords(rows.length, "rule answers", "rules answer")} for shapes between the measured ones, and ${rows.length === 1 ? "loses" : "lose"} ${percentWords(rows[0].regret)} at worst`;
      return {
        title,
        lede: "A rule holds for all shapes in its ranges. Its regret is what it lost, at worst, on a measured problem that was left out when the rule was made.",
        rows,
        lists: {
          ...variantLists(rows),
          width: Math.max(240, width - 460),
          most: Math.max(0.01, 1.03 * rows[0].regret),
        },
      };
    },
    columns: [
      { name: "ranges", of: (row) => row.label },
      { name: "lost at worst", of: (row) => row.regret, show: (row) => percentWords(row.regret), number: true },
      column.variant,
      column.config,
    ],
  },
  {
    id: "progress",
    name: "Search",
    wants: "the journal of a sweep",
    there: () => report.progress.length > 0,
    controls: {
      by: {
        label: "over",
        options: () => [
          ["configs", "configs tried"],
          ["seconds", "seconds"],
        ],
        value: "configs",
      },
    },
    show(width, { by }) {
      const { rows, median: curve } = progressRows(by);
      if (!rows.length) return null;
      const near = curve.find((point) => point.ratio <= 1.01);
      const unit = by === "seconds" ? "seconds" : "configs";
      const count = unique(rows.map((row) => row.problem)).length;
      const title = `Half of ${countWords(count, "search is", "searches are")} within 1 % of what they find after ${near ? digits(near.at) : "the last"} ${unit}`;
      return {
        title,
        lede: "Each thin line is a problem: its best probe so far, over the best that its search found. The thick line is the median. Probes are single readings; the races behind them decide.",
        rows,
        data: { median: curve },
        lists: {
          width: width - 70,
          xTitle: by === "seconds" ? "seconds since the problem's first probe" : "configs tried",
          tickStep: by === "seconds" ? 0.001 : 1,
          accent: colorAt(0),
        },
      };
    },
    columns: [
      column.problem,
      { name: "configs", of: (row) => row.tried, number: true },
      { name: "seconds", of: (row) => row.seconds, show: (row) => digits(row.seconds), number: true },
      column.time,
      ratioColumn("times the best", (row) => row.ratio),
    ],
  },
  {
    id: "gate",
    name: "Gate",
    wants: "the gate.json of a --gate",
    there: () => report.gates.length > 0,
    controls: {
      gate: {
        label: "gate",
        options: () => report.gates.map((gate, i) => [String(i), sourceOf(gate).path]),
        value: "0",
      },
    },
    most: 60,
    show(width, { gate: number }) {
      const gate = report.gates[Number(number)];
      const all = gateRows(gate);
      if (!all.length) return null;
      const rank = { REGRESSED: 0, IMPROVED: 1, sentinel: 3 };
      const rows = all
        .filter((row) => row.ratio !== undefined)
        .sort((a, b) => (rank[a.verdict] ?? 2) - (rank[b.verdict] ?? 2) || b.ratio - a.ratio)
        .map((row, order) => ({ ...row, order }));
      const untimed = all.filter((row) => row.ratio === undefined);
      const seen = rows.filter((row) => row.detectable > 0).map((row) => row.detectable);
      const title = `The gate says ${gate.verdict}: ${counted(
        all.filter((row) => row.verdict !== "sentinel"),
        (row) => row.verdict,
      )
        .map(([verdict, count]) => `${count} ${verdict}`)
        .join(", ")}`;
      const lede = `On ${report.devices[gate.device].label}. Right of the line the candidate is slower. The grey bar is what the case could not have seen${seen.length ? `; half of the cases could have seen ${percentWords(median(seen))} or less` : ""}. ${untimed.length ? `${countWords(untimed.length, "case was", "cases were")} not timed; the table has them.` : ""}`;
      const verdicts = unique(rows.map((row) => row.verdict));
      return {
        title,
        lede,
        rows: [...rows, ...untimed],
        drawn: (row) => row.ratio !== undefined,
        lists: { width: Math.max(260, width - 360), verdicts, verdictColors: verdicts.map(verdictColor) },
      };
    },
    columns: [
      { name: "case", of: (row) => row.label, mono: true },
      { name: "verdict", of: (row) => row.verdict },
      ratioColumn("ratio", (row) => row.ratio),
      intervalColumn,
      {
        name: "could have seen",
        of: (row) => row.detectable,
        show: (row) => (row.detectable > 0 ? percentWords(row.detectable) : ""),
        number: true,
      },
      { name: "rounds", of: (row) => row.rounds, number: true },
      { name: "note", of: (row) => row.note, wide: true },
    ],
  },
  {
    id: "devices",
    name: "Devices",
    wants: "tuned files of two devices or more",
    there: () => unique(report.records.map((row) => row.device)).length > 1,
    controls: {
      rank: {
        label: "rank",
        options: () =>
          sortedUnique(report.records, (row) => problemOf(row).rank).map((rank) => [String(rank), String(rank)]),
        value: "",
      },
    },
    show(width, { rank }) {
      // Panels of one device compare nothing, and stand back where others have two.
      const all = deviceRows(rank);
      const shared = groups(all, (row) => row.panel).filter(
        (panel) => unique(panel.map((row) => row.device)).length > 1,
      );
      const rows = shared.length ? shared.flat() : all;
      const labels = unique(rows.map((row) => row.device));
      if (!rows.length) return null;
      const timeOn = (pair, label) => pair.find((row) => row.device === label).time_ns;
      const pairs = labels.length === 2 ? groups(rows, (row) => row.key).filter((pair) => pair.length === 2) : [];
      const ratios = pairs.map((pair) => timeOn(pair, labels[0]) / timeOn(pair, labels[1]));
      const mean = ratios.length ? geometricMean(ratios) : 0;
      const [fast, slow] = mean >= 1 ? [1, 0] : [0, 1];
      const title = ratios.length
        ? `At rank ${rank} ${labels[fast]} is ${timesWords(Math.max(mean, 1 / mean))} as fast as ${labels[slow]}`
        : `${listWords(labels)} at rank ${rank}`;
      return {
        title,
        lede: "The time of the tuned kernel on each device, over tokens, for each shape and type that devices share.",
        rows,
        lists: {
          ...panelLists(rows, width, false),
          tokens: sortedUnique(rows, (row) => row.m).filter((m) => m > 0),
          devices: labels,
          deviceColors: labels.map((_, i) => colorAt(i)),
        },
      };
    },
    columns: [column.problem, { name: "device", of: (row) => row.device }, column.time, column.variant, column.config],
  },
  {
    id: "records",
    name: "All records",
    wants: "a tuned file or a journal",
    there: () => report.records.length > 0,
    open: true,
    show() {
      const rows = recordRows();
      return rows.length
        ? {
            title: `${countWords(rows.length, "record", "records")} on ${report.devices[state.device].label}`,
            lede: "A heading sorts, the filters above apply, and each line can be copied.",
            rows,
          }
        : null;
    },
    columns: [
      column.problem,
      column.variant,
      column.time,
      speedupColumn,
      intervalColumn,
      { name: "reason", of: (row) => row.reason.replaceAll("_", " ") },
      column.config,
    ],
  },
);
