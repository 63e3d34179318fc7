// Rows of the views: what each chart and its table show for the present filters. A row has a title,
// facts for the hint, and the line that measures it again.
"use strict";

function shapeFields(row) {
  const { key, m, k, n, rank, shape, type, panel } = problemOf(row);
  return { key, m, k, n, rank, shape, type, panel };
}

function described(row, title, facts, line) {
  return { ...row, title, facts: facts.filter(([, text]) => text !== undefined && text !== ""), line };
}

function recordRow(row) {
  const same = isDefault(row);
  const facts = [
    ["variant", row.variant],
    ["config", row.config],
    ["time", timeWords(row.time_ns)],
    ["default", timeWords(row.default_ns)],
    [
      "speed-up",
      same
        ? "none proven: it is the default"
        : `${timesWords(row.speedup)} (${row.low.toFixed(3)} to ${row.high.toFixed(3)})`,
    ],
    ["rounds", `${row.rounds}, ${row.reason.replaceAll("_", " ")}`],
  ];
  const color = variantColor(row.variant);
  const full = { ...row, ...shapeFields(row), short: variantShort[row.variant], ink: inkOn(color) };
  return described(full, full.key, facts, lines.record(row));
}

const recordRows = () =>
  report.records
    .filter((row) => inState(row))
    .map(recordRow)
    .sort(byShape);

// Of recordings the fastest config of each problem, where no record says more.
function recordedRows() {
  return report.recorded
    .filter((row) => row.variants.length > 0 && inState(row))
    .map((row) => {
      const best = row.variants.reduce((a, b) => (b.time_ns < a.time_ns ? b : a));
      const full = {
        ...row,
        ...shapeFields(row),
        variant: best.variant,
        config: best.config,
        time_ns: best.time_ns,
        short: variantShort[best.variant],
        ink: inkOn(variantColor(best.variant)),
      };
      const facts = [
        ["variant", best.variant],
        ["config", best.config],
        ["time", timeWords(best.time_ns)],
        ["default", row.default_ns ? timeWords(row.default_ns) : ""],
        ["tried", countWords(row.configs, "config", "configs")],
      ];
      return described(full, full.key, facts, lines.recorded(row, best.variant, best.config));
    })
    .sort(byShape);
}

// Of a --bench what ran for each problem, where neither records nor recordings say it.
function timedRows() {
  return report.times
    .filter((row) => row.rival === kBase && inState(row))
    .map((row) => {
      const choice = choiceIn(row.label);
      const ratio = row.vs_default ?? 1;
      const figures = {
        speedup: 1 / ratio,
        low: 1 / (row.high ?? ratio),
        high: 1 / (row.low ?? ratio),
        default_ns: timesOf(row.device, row.problem).get("default")?.time_ns ?? row.time_ns,
      };
      const full = {
        ...row,
        ...shapeFields(row),
        ...choice,
        ...figures,
        short: variantShort[choice.variant],
        ink: inkOn(variantColor(choice.variant)),
      };
      const facts = [
        ["variant", choice.variant],
        ["config", choice.config],
        ["time", timeWords(row.time_ns)],
        ["default", timeWords(full.default_ns)],
        [
          "speed-up",
          isDefault(full)
            ? "it is the default"
            : `${timesWords(full.speedup)} (${full.low.toFixed(3)} to ${full.high.toFixed(3)})`,
        ],
        ["rounds", String(row.rounds)],
      ];
      return described(full, full.key, facts, lines.time(row));
    })
    .sort(byShape);
}

const holds = (list) => list.some((row) => row.device === state.device);

// What runs for each problem, and how it compares with the default: the best evidence that there is.
const choiceRows = () => (holds(report.records) ? recordRows() : timedRows());
const winnerRows = () => (holds(report.records) ? recordRows() : holds(report.recorded) ? recordedRows() : timedRows());

// Those whose time is not the default's.
function gainRows(by) {
  const rows = choiceRows().filter((row) => !isDefault(row));
  if (by === "speed-up") rows.sort((a, b) => b.speedup - a.speedup);
  if (by === "time") rows.sort((a, b) => b.time_ns - a.time_ns);
  return rows.map((row, order) => ({ ...row, order }));
}

// A rival on problems of one type is a lane of the chart; a lane without a rival is the type's heading.
const laneOf = (type, rival) => `${type}\n${rival}`;

function rivalRows() {
  const rows = [];
  for (const row of report.times) {
    if (kNoRival.includes(row.rival) || !inState(row)) continue;
    const tuned = timesOf(row.device, row.problem).get(kBase);
    if (!tuned || timesOf(row.device, row.problem).get(row.rival) !== row) continue;
    const ratio = row.time_ns / tuned.time_ns;
    const facts = [
      ["rival", row.rival],
      ["what it runs", row.label],
      ["its time", timeWords(row.time_ns)],
      [kBase, `${timeWords(tuned.time_ns)}, ${tuned.label}`],
      ["ratio", timesWords(ratio)],
      ["rounds", String(row.rounds)],
    ];
    const fields = shapeFields(row);
    const lane = laneOf(fields.type, row.rival);
    const full = { ...row, ...fields, ratio, log: Math.log(ratio), tuned_ns: tuned.time_ns, lane };
    rows.push(described(full, full.key, facts, lines.time(row)));
  }
  return rows.sort(byShape);
}

const ceilingsOf = (device) => report.ceilings.find((one) => one.device === device);

// Times of our kernels beside what the device allows the problem at most: an empty launch, the bytes
// that must move, and, in f32, the multiply-adds. What matrix units do with f16 is not measured.
function limitRows() {
  const ceilings = ceilingsOf(state.device);
  if (!ceilings) return [];
  const benched = report.times.filter((row) => row.rival === kBase && inState(row));
  const rows = benched.length ? benched : report.records.filter((row) => inState(row));
  return rows
    .map((row) => {
      const problem = problemOf(row);
      const roof = row.roof_gbps || ceilings.cache_gbps || ceilings.copy_gbps;
      const bounds = [
        ["launch", ceilings.floor_ns],
        ["memory", roof > 0 ? problem.bytes / roof : 0],
      ];
      if (problem.kind.startsWith("f32") && ceilings.peak_gflops > 0)
        bounds.push(["arithmetic", problem.flops / ceilings.peak_gflops]);
      const [limit, limit_ns] = bounds.reduce((a, b) => (b[1] > a[1] ? b : a));
      if (!(limit_ns > 0) || !(problem.flops > 0)) return null;
      const share = limit_ns / row.time_ns;
      const gflops = problem.flops / row.time_ns;
      const facts = [
        ["time", timeWords(row.time_ns)],
        ["limit", `${timeWords(limit_ns)}, by ${limit}`],
        ["share of the limit", percentWords(share)],
        ["rate", `${digits(gflops)} GFLOP/s, ${digits(problem.bytes / row.time_ns)} GB/s`],
        ["runs", row.label ?? `${row.variant} ${row.config}`],
      ];
      const full = {
        ...row,
        ...shapeFields(row),
        limit,
        limit_ns,
        share,
        gflops,
        attainable: problem.flops / limit_ns,
        intensity: problem.flops / problem.bytes,
        percent: String(Math.round(100 * share)),
      };
      return described(full, full.key, facts, row.rival ? lines.time(row) : lines.record(row));
    })
    .filter(Boolean)
    .sort(byShape);
}

// The roofs as lines over the span of the rows.
function roofsOver(rows) {
  const ceilings = ceilingsOf(state.device);
  const span = rows.map((row) => row.intensity);
  const low = Math.min(...span) / 1.4;
  const high = Math.max(...span) * 1.4;
  const roofs = [];
  const labels = [];
  const peak = ceilings.peak_gflops;
  const slope = (name, gbps) => {
    if (!(gbps > 0)) return;
    const knee = peak > 0 ? Math.min(high, peak / gbps) : high;
    roofs.push(
      { roof: name, intensity: low, gflops: low * gbps },
      { roof: name, intensity: Math.max(low, knee), gflops: Math.max(low, knee) * gbps },
    );
    // Kernels are seldom near the roof at its lower end, so the label stands there.
    const above = name.startsWith("cache");
    const at = low * (above ? 2 : 1.6);
    labels.push({ label: name, intensity: at, gflops: at * gbps, place: above ? "above" : "below" });
  };
  const rate = (gbps) => (gbps >= 1000 ? `${digits(gbps / 1000)} TB/s` : `${digits(gbps)} GB/s`);
  slope(`memory, ${rate(ceilings.copy_gbps)}`, ceilings.copy_gbps);
  if (ceilings.cache_gbps > 1.1 * ceilings.copy_gbps) slope(`cache, ${rate(ceilings.cache_gbps)}`, ceilings.cache_gbps);
  if (peak > 0) {
    const name = `f32 multiply-adds, ${peak >= 1000 ? `${digits(peak / 1000)} TFLOP/s` : `${digits(peak)} GFLOP/s`}`;
    roofs.push(
      {
        roof: name,
        intensity: Math.max(low, Math.min(high, peak / Math.max(ceilings.copy_gbps, ceilings.cache_gbps, 1e-9))),
        gflops: peak,
      },
      { roof: name, intensity: high, gflops: peak },
    );
    labels.push({ label: name.replace(", ", "\n"), intensity: high, gflops: peak, place: "behind" });
  }
  // A layer of a chart without a row would have no extent.
  for (const place of ["above", "below", "behind"]) {
    if (!labels.some((one) => one.place === place))
      labels.push({ label: "", intensity: low, gflops: rows[0].gflops, place });
  }
  return { roofs, labels, names: unique(roofs.map((row) => row.roof)) };
}

// What each value of each parameter of one variant costs on one problem.
function costRows(recorded, variant) {
  const one = recorded.variants.find((each) => each.variant === variant);
  if (!one) return [];
  const rows = [];
  for (const parameter of one.parameters) {
    for (const { value, time_ns, outcome, rounds } of parameter.values) {
      const ratio = time_ns === undefined ? undefined : time_ns / one.time_ns;
      const best = value === parameter.best;
      const state = best
        ? "the best config"
        : outcome === "correct"
          ? "timed in rounds"
          : outcome === "slow"
            ? "probed once: slow"
            : "cannot run";
      const config = one.config
        .split(" ")
        .map((part) => (part === `${parameter.name}=${parameter.best}` ? `${parameter.name}=${value}` : part))
        .join(" ");
      const facts = [
        ["parameter", `${parameter.name} = ${value}${best ? ", the best" : `, the best has ${parameter.best}`}`],
        ["time", time_ns === undefined ? "none" : timeWords(time_ns)],
        ["times the best", ratio === undefined ? "" : timesWords(ratio)],
        ["outcome", rounds ? `${outcome}, ${countWords(rounds, "round", "rounds")}` : outcome],
        ["config", config],
      ];
      const row = {
        ...recorded,
        ...shapeFields(recorded),
        parameter: parameter.name,
        value,
        ratio,
        time_ns,
        state,
        outcome,
        config,
      };
      rows.push(described(row, `${variant} on ${row.key}`, facts, lines.recorded(recorded, variant, config)));
    }
  }
  return rows;
}

function ruleRows() {
  return report.rules
    .filter(
      (rule) =>
        rule.device === state.device &&
        rule.mode === state.mode &&
        (!state.kind || problemOf(rule).kind === state.kind),
    )
    .sort((a, b) => b.regret - a.regret)
    .map((rule, order) => {
      const label = [...ruleRanges(rule), problemOf(rule).type].join(" · ");
      const facts = [
        ["variant", rule.variant],
        ["config", rule.config],
        ["lost at worst", percentWords(rule.regret)],
      ];
      return described(
        { ...rule, label, order, type: problemOf(rule).type },
        label,
        facts,
        lines.pick(problemOf(rule).key, rule),
      );
    });
}

// Each search's best probe so far over what it has found in the end, by configs or by seconds.
function progressRows(by) {
  const searches = report.progress.filter((row) => inState(row));
  const rows = [];
  for (const search of searches) {
    const found = search.points[search.points.length - 1][2];
    for (const [tried, seconds, ns] of search.points) {
      const facts = [
        ["configs tried", String(tried)],
        ["seconds", digits(seconds)],
        ["best so far", timeWords(ns)],
        ["found in the end", timeWords(found)],
        ["the default", timeWords(search.default_ns)],
      ];
      const row = {
        ...search,
        ...shapeFields(search),
        at: by === "seconds" ? seconds : tried,
        ratio: ns / found,
        time_ns: ns,
        tried,
        seconds,
      };
      delete row.points;
      rows.push(described(row, row.key, facts, lines.progress(search)));
    }
  }
  return { rows, median: medianCurve(rows) };
}

// At each place where one of the curves steps, the median over all of them.
function medianCurve(rows) {
  const curves = groups(rows, (row) => row.problem);
  const places = unique(rows.map((row) => row.at)).sort(byNumber);
  const step = Math.max(1, Math.floor(places.length / 200));
  const valueAt = (curve, at) => {
    let value = curve[0].ratio;
    for (const point of curve) if (point.at <= at) value = point.ratio;
    return value;
  };
  return places
    .filter((_, i) => i % step === 0 || i === places.length - 1)
    .map((at) => ({ at, ratio: median(curves.map((curve) => valueAt(curve, at))) }));
}

function gateRows(gate) {
  return gate.rows
    .filter((row) => row.problem === undefined || inState({ ...row, mode: undefined }, { anyDevice: true }))
    .map((row, order) => {
      const name = row.sentinel
        ? row.name
        : `${row.of ?? ""}${row.problem === undefined ? row.name : ` ${report.problems[row.problem].key.replace(/^fwd_/, "")}`}`;
      const facts = [
        ["verdict", row.verdict + (row.sentinel ? ", a sentinel: two equal kernels" : "")],
        [
          "candidate / base",
          row.ratio === undefined
            ? "not timed"
            : `${row.ratio.toFixed(3)} (${row.low.toFixed(3)} to ${row.high.toFixed(3)})`,
        ],
        ["could have seen", row.detectable > 0 ? percentWords(row.detectable) : ""],
        ["times", row.base_ns ? `${timeWords(row.base_ns)} before, ${timeWords(row.candidate_ns)} now` : ""],
        ["rounds", row.rounds ? `${row.rounds}, and ${row.void_rounds} void` : ""],
        ["note", row.note],
      ];
      const full = {
        ...row,
        order,
        label: name.trim(),
        key: name.trim(),
        verdict: row.sentinel ? "sentinel" : row.verdict,
      };
      if (row.ratio !== undefined) {
        full.unseenHigh = 1 + row.detectable;
        full.unseenLow = 1 / (1 + row.detectable);
      }
      return described(full, row.name, facts, lines.gate(gate, row));
    });
}

// The same problems on every device.
function deviceRows(rank) {
  return report.records
    .filter((row) => inState(row, { anyDevice: true }) && problemOf(row).rank === Number(rank))
    .map((row) => {
      const full = recordRow(row);
      full.device_label = report.devices[row.device].label;
      full.facts.unshift(["device", full.device_label]);
      return { ...full, time_us: row.time_ns / 1000, device: full.device_label };
    })
    .sort(byShape);
}
