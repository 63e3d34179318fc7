#include "harness/cli/parse.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/base/tool_info.h"
#include "harness/cli/option_table.h"
#include "harness/cli/pages.h"
#include "harness/cli/read_value.h"
#include "harness/gate/result.h"
#include "harness/record/recording.h"

namespace loratune {
namespace {

using enum Command;

// Which modes read what. Each option below names one of these sets, or modes one by one.
constexpr ModeSet kRuns = {list, check, sweep, record, bench, export_plans, gate};
constexpr ModeSet kSelects = kRuns | ModeSet{emit};
constexpr ModeSet kOnDevice = kSelects | ModeSet{verify, pick, forward};
constexpr ModeSet kChooses = {sweep, bench, pick, export_plans, gate, forward, emit};
constexpr ModeSet kPicks = {bench, pick, export_plans, gate, forward, emit};
constexpr ModeSet kReadsAdapter = {list_adapter, check, sweep, forward, convert};
constexpr ModeSet kInTime = {sweep, record, bench, verify};
constexpr ModeSet kTimes = kInTime | ModeSet{gate};
constexpr ModeSet kSeeded = kTimes | ModeSet{simulate};
constexpr ModeSet kWrites = {sweep, replay_sweep, merge, gate, forward, convert};
constexpr ModeSet kReports = {gate, replay_gate};
constexpr ModeSet kHasJson = {list,   list_adapter, check, sweep, replay_sweep, simulate, bench,
                              verify, pick,         merge, gate,  replay_gate,  report};

constexpr auto kMostInt = static_cast<std::uint64_t>(std::numeric_limits<int>::max());
constexpr auto kMostExtent = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

void add_modes(OptionTable& table, Options& options) {
  table.group("Modes");
  table.mode_flag("--list", list, "List devices, variants with their search spaces, and problems");
  table.mode_flag("--check", check, "Check variants against the oracle on a device");
  table.mode_flag("--sweep", sweep, "Check, tune, and write the tuned file");
  table.mode_flag("--bench", bench,
                  "Time rivals with Google Benchmark, beside OpenBLAS and CLBlast; takes every "
                  "--benchmark_* flag");
  table.mode_option("--verify", "FILE", verify, options.verify,
                    "Time a dozen records of a tuned file again");
  table.mode_option("--pick", "KEY", pick, options.pick_key,
                    "Print what the dispatcher answers for a problem, and why");
  table.mode_flag("--forward", forward,
                  "Compute one product of a module of --adapter with the rows of --x");
  table.mode_flag("--convert", convert, "Write --adapter as the folder --out of another tool");
  table.mode_option("--merge", "FILE...", merge, options.merge,
                    "Join tuned files, or journals, into the file --out");
  table.mode_option("--report", "PAGE FILE...", report, options.report,
                    "Write a page for a browser that shows tuned files, journals, recordings, "
                    "results of --bench --json and gates");
  table.mode_option("--export-plans", "FILE", export_plans, options.gate.plans,
                    "Write what would run, as data for --gate");
  table.mode_option(
      "--emit", "DIR", emit, options.emit,
      "Write what the dispatcher picks for the problems as OpenCL C and a table in C");
  table.mode_option("--gate", "BASE", gate, options.gate.base,
                    "Compare the kernels of this build with a plans file");
  table.mode_option("--replay", "FILE", replay_sweep, options.replay,
                    "Without a device: make the tuned file of a journal or the verdict of a gate "
                    "again, or search a recording");
  table.mode_option("--record", "FILE", record, options.record,
                    "With --sweep: time every config of the problems, into a recording that "
                    "--replay searches");
  table.mode_option("--print", "PAGE", help, options.print,
                    "Print the man page, `man`, or the completion of a shell, `bash` or `zsh`");
  table.group("");
  table.mode_flag("--worker", worker, "");
}

void add_selection(OptionTable& table, Options& options) {
  const TextCheck extent = whole_number(std::numeric_limits<std::int64_t>::min(), kMostExtent);
  const TextCheck rank = whole_number(std::numeric_limits<int>::min(), kMostInt);
  table.group("Selection");
  table.add("--device", kOnDevice, options.device,
            "A device: its index in --list, or part of its name");
  table.add_list("--tokens", kSelects, options.tokens, "Rows of x and y, m")->check(extent);
  table.add_list("--features", kSelects, options.features, "Columns of x and of y, k = n")
      ->check(extent);
  table.add_list("--in", kSelects, options.in, "Columns of x, k")->check(extent);
  table.add_list("--out-features", kSelects, options.out_features, "Columns of y, n")
      ->check(extent);
  table.add_list("--ranks", kSelects, options.ranks, "Ranks of the adapter")->check(rank);
  table.add_list("--slices", kSelects, options.slices,
                 "Modules that share x, by their columns of y: 4096+1024+1024");
  table
      .add_list("--adapters", kSelects, options.adapters,
                "Adapters that have rows in a call, of a pool; 0 is one adapter for all rows")
      ->check(whole_number(0, kMaxAdapters));
  table.add_list("--dtypes", kSelects, options.dtypes,
                 "f32, f16, bf16; f32_w_f16 where weights have another type than x and y");
  table.add_list("--variants", kRuns, options.variants, "Variants by name");
  table.add_list("--problem", kSelects, options.problem_keys,
                 "Problems by key, like m1_k1024_n1024_r8_f16_acc");
  table.add("--problems", kSelects, options.problems_file, "File of problem keys, one a line");
  table.add_flag("--set", kSelects, options.set,
                 "Problems that overwrite y instead of adding to it");
  table.add_flag("--quick", kSelects, options.quick, "12 problems; a sweep takes about a minute");
  table.add_read("--mode", kChooses,
                 "Choose among plans that are fast, deterministic or batch_invariant",
                 [&](const std::string& text) { options.mode = read_mode(text); });
  table.add("--tuned", kPicks, options.tuned, "The tuned file to pick from");
}

void add_timing(OptionTable& table, Options& options) {
  table.group("Timing");
  table.add_read("--budget", kInTime, "Time to work to, like 10m",
                 [&](const std::string& text) { options.budget_s = read_time("--budget", text); });
  table.add_read(
      "--lock-wait", kTimes,
      "How long to wait while another suite times on the device; 1h by default",
      [&](const std::string& text) { options.lock_wait_s = read_seconds("--lock-wait", text); });
  table.add_read(
      "--patience", {check, bench},
      "How much longer than its work a kernel may take before it counts as one that "
      "hangs; 60s by default",
      [&](const std::string& text) { options.patience_s = read_time("--patience", text); });
  table.add("--seed", kSeeded, options.seed, "The seed of everything random")
      ->capture_default_str()
      ->check(whole_number(0));
  table.add_read("--cache", kInTime,
                 "warm (the default), or rotate: other copies of the weights in every run",
                 [&](const std::string& text) { options.cache = read_cache(text); });
}

void add_check(OptionTable& table, Options& options) {
  table.group("Check");
  table.add_flag("--full", {check}, options.full,
                 "Try the whole product of boundary values: hours");
  table.add("--cases", {check}, options.most_cases, "Try at most so many cases of a variant")
      ->check(whole_number(1, kMostInt));
  table.add("--max-flops", {check}, options.max_flops, "Leave out cases of more operations")
      ->check(positive_number());
  table.add("--config", {check}, options.config, "Check this config: \"NAME=value ...\"");
  table.add(
      "--strides", {check}, options.strides,
      "Offsets and padding of x and y, in elements: off_x,pad_x,off_y,pad_y; ,apart: a buffer "
      "for the y of each slice");
}

void add_sweep(OptionTable& table, Options& options) {
  table.group("Sweep");
  table.add("--journal", {sweep}, options.journal,
            "The journal; <out>.journal by default, of a shard <out>.3-of-8.journal");
  table.add_flag("--resume", {sweep}, options.resume, "Go on from the journal");
  table.add("--weights", {sweep}, options.weights,
            "JSON file of problem keys and how much time each is worth, 1 by default");
  table.add_read("--shard", {sweep},
                 "Only this part of the problems, like 3/8, from 1; --merge joins",
                 [&](const std::string& text) {
                   const Shard shard = read_shard(text);
                   options.shard = shard.part;
                   options.shards = shard.of;
                 });
  table
      .add("--builders", {sweep, record}, options.builders,
           "Processes that build side by side, before what they built is timed; by default a "
           "core each, at most 6")
      ->check(whole_number(0, 64));
}

void add_recordings(OptionTable& table, Options& options) {
  table.group("Recordings");
  table
      .add("--configs", {record}, options.most_configs,
           "Record at most so many configs of a variant; its axes are thinned to that")
      ->check(whole_number(1, 1000000));
  table.add_read("--strategy", {simulate},
                 "Search by auto, cold (auto without hints from other problems), random or "
                 "exhaustive",
                 [&](const std::string& text) { options.strategy = read_strategy(text); });
  table.add_read("--evaluations", {sweep, simulate},
                 "Try at most so many configs of a problem; of a recording also a share, 5% by "
                 "default",
                 [&](const std::string& text) {
                   const Evaluations evaluations = read_evaluations(text);
                   options.evaluations = evaluations.count;
                   if (evaluations.count == 0) options.share = evaluations.percent;
                 });
  table.add("--seeds", {simulate}, options.seeds, "Search so often, each time with the next seed")
      ->check(whole_number(1, 100000));
}

void add_adapter(OptionTable& table, Options& options) {
  AdapterArguments& adapter = options.adapter;
  table.group("Adapters");
  table.add("--adapter", kReadsAdapter, adapter.path,
            "A LoRA adapter of PEFT, mlx-lm, go-mlx, metal-candle or GGUF: its folder or file");
  table.add("--format", kReadsAdapter, adapter.format,
            "Who wrote the adapter: peft, mlx-lm, go-mlx, metal-candle or gguf; told by its files "
            "where they can");
  table.add_read("--alpha", kReadsAdapter,
                 "Alpha of an adapter that stores none, as metal-candle's",
                 [&](const std::string& text) { adapter.alpha = read_number("--alpha", text); });
  table.add("--rank", kReadsAdapter, adapter.rank, "Rank that such an adapter must have")
      ->check(whole_number(1, kMostInt));
  table.add_flag("--lenient", kReadsAdapter, adapter.lenient,
                 "Leave out, and list, what is no pair of a plain LoRA module");
  table.add("--module", {check, sweep, forward}, adapter.module,
            "One module of the adapter, by its path or the end of it");
  table.add("--x", {forward}, options.forward.x, "safetensors file of x[tokens,in]");
  table.add("--base", {forward}, options.forward.base,
            "safetensors file of what is added to, y[tokens,out]; zeros by default");
  table.add_flag("--host", {forward}, options.forward.host, "Compute without OpenCL");
  table.add("--to", {convert}, options.convert.to,
            "Whose adapter to write: peft, mlx-lm, go-mlx or metal-candle");
  table
      .add_list("--heads", {convert}, options.convert.heads,
                "Heads of queries and of keys, to undo llama.cpp's order of rows: 32,8; one number "
                "where both have as many")
      ->check(whole_number(1, kMostInt));
}

void add_gate(OptionTable& table, GateArguments& arguments) {
  table.group("Gate");
  table.add("--against", {gate}, arguments.against,
            "The candidate's plans file; the plans of this build by default");
  table.add_flag("--time-unchanged", {gate}, arguments.time_unchanged, "Time equal plans too");
  table.add_flag("--strict", {gate}, arguments.strict, "An inconclusive case fails, with 3");
  table.add("--allow-missing", {gate}, arguments.allow_missing, "A case that may be gone");
  table
      .add_list("--looks", {gate}, arguments.looks,
                "Rounds after which the intervals are read, like 20,40,80")
      ->check(whole_number(1, kMostInt));
  table
      .add("--repeat-work", {export_plans}, arguments.repeat_work,
           "Make kernels slower, by so many percent of their first launch")
      ->check(whole_number(0, 1000));
}

void add_output(OptionTable& table, Options& options) {
  table.group("Output");
  table
      .add("--out", kWrites, options.out,
           "The tuned file to write; of a gate the result, gate.json; of --forward y, of --convert "
           "a folder")
      ->capture_default_str();
  table.add_list("--forget", {sweep, replay_sweep, merge}, options.forget,
                 "Variants whose records of other builds the tuned file may lose");
  table.add("--markdown", kReports, options.gate.markdown,
            "Write the report of a gate as Markdown");
  table.add("--junit", kReports, options.gate.junit, "Write the report of a gate as JUnit XML");
  table.add_flag("--json", kHasJson, options.json, "Print results as JSON on stdout");
}

void add_all(OptionTable& table, Options& options) {
  add_modes(table, options);
  add_selection(table, options);
  add_timing(table, options);
  add_check(table, options);
  add_sweep(table, options);
  add_recordings(table, options);
  add_adapter(table, options);
  add_gate(table, options.gate);
  add_output(table, options);
}

// An empty value is refused here for every option at once: to CLI11, and to most modes, an empty
// text is the same as an option that was not given.
void refuse_empty_values(int argc, const char* const* argv) {
  std::string option;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool named = word.starts_with("--");
    if (named) option = word.substr(0, word.find('='));
    if (word.empty() || (named && word.find('=') == word.size() - 1)) {
      usage(option.empty() ? "an argument is empty" : option + ": its value is empty");
    }
  }
}

// --replay is three modes: the file says which.
Command replay_of(const std::string& path) {
  if (is_recording(path)) return simulate;
  return is_gate_result(path) ? replay_gate : replay_sweep;
}

std::string page_of(const OptionTable& table, const std::string& page) {
  if (page == "man") return man_page(table.docs(), tool_info().version);
  if (page == "bash") return bash_completion(table.docs());
  if (page == "zsh") return zsh_completion(table.docs());
  usage("--print: there are the pages man, bash and zsh, not " + page);
}

// What --list, --check, --sweep, --forward and --convert want of an adapter.
void require_adapter(const OptionTable& table, Options& options) {
  const bool given = table.given("--adapter");
  if (options.command == list && given) options.command = list_adapter;
  const auto want = [&](const char* option, const char* what) {
    if (!table.given(option)) {
      usage(words_of(options.command) + " wants " + option + ", " + what);
    }
  };
  if (options.command == forward || options.command == convert) {
    want("--adapter", "the folder of an adapter");
    want("--out", options.command == forward ? "the safetensors file of y" : "the folder to write");
  }
  if (options.command == forward) want("--module", "a module of the adapter");
  if (options.command == forward) want("--x", "a safetensors file");
  if (options.command == convert) want("--to", "a format");
  for (const char* option : {"--format", "--alpha", "--rank", "--lenient", "--module"}) {
    if (table.given(option) && !given) usage(std::string(option) + " is for --adapter");
  }
}

// Where files go that no option names.
void set_default_paths(const OptionTable& table, Options& options) {
  if (options.command == gate && !table.given("--out")) options.out = "gate.json";
  if (!options.journal.empty()) return;
  options.journal = options.out;
  if (options.shards > 1) {
    options.journal +=
        "." + std::to_string(options.shard) + "-of-" + std::to_string(options.shards);
  }
  options.journal += ".journal";
}

}  // namespace

Options parse_command_line(int argc, const char* const* argv) {
  refuse_empty_values(argc, argv);
  Options options;
  OptionTable table;
  add_all(table, options);
  std::vector<const char*> own;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]).starts_with("--benchmark_")) {
      options.benchmark_flags.emplace_back(argv[i]);  // Google Benchmark reads its flags itself
    } else {
      own.push_back(argv[i]);
    }
  }
  if (!table.parse(own, options.help)) {
    options.command = help;
    return options;
  }
  options.command = table.mode();
  if (options.command == replay_sweep) options.command = replay_of(options.replay);
  if (options.command == help) {
    table.require_read_by(help);
    options.help = page_of(table, options.print);
    return options;
  }
  require_adapter(table, options);
  table.require_read_by(options.command);
  if (options.command != bench && !options.benchmark_flags.empty()) {
    usage(options.benchmark_flags.front() + " is not for " + words_of(options.command));
  }
  if (options.command == record && !table.given("--sweep")) usage("--record is a part of --sweep");
  if (options.command == merge && !table.given("--out")) {
    usage("--merge wants --out, the file to write");
  }
  if (options.command == sweep && table.given("--evaluations") && options.evaluations == 0) {
    usage("--evaluations: a share is of a recording; a sweep wants a number like 200");
  }
  // The host has no device, and no kernels to choose among.
  for (const char* option : {"--device", "--tuned", "--mode"}) {
    if (options.forward.host && table.given(option)) {
      usage(std::string(option) + " is not for --host");
    }
  }
  const std::vector<int>& looks = options.gate.looks;
  if (std::adjacent_find(looks.begin(), looks.end(), std::greater_equal<>()) != looks.end()) {
    usage("--looks: rising numbers of rounds are wanted, like 20,40,80");
  }
  for (const char* option : {"--tuned", "--mode"}) {
    if (options.command == gate && table.given("--against") && table.given(option)) {
      usage(std::string(option) + " makes the plans of this build; --against has others");
    }
  }
  set_default_paths(table, options);
  return options;
}

}  // namespace loratune
