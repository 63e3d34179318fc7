#include "harness/cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/gate/result.h"
#include "harness/record/recording.h"

namespace loratune {
namespace {

[[noreturn]] void usage(const std::string& line) { throw Failure(kExitUsage, line); }

// "90s", "10m", "1h", or plain seconds.
double parse_seconds(const std::string& option, const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const double factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (error != std::errc() || factor == 0 || !(value >= 0) || value * factor > 1e6) {
    usage(option + " " + text + ": a time like 90s, 10m or 1h");
  }
  return value * factor;
}

// "3/8".
void parse_shard(const std::string& text, Options& options) {
  const char* const end = text.data() + text.size();
  const auto [slash, error] = std::from_chars(text.data(), end, options.shard);
  const bool split = error == std::errc() && slash != end && *slash == '/';
  const auto [rest, bad] =
      split ? std::from_chars(slash + 1, end, options.shards) : std::from_chars_result{};
  if (!split || bad != std::errc() || rest != end || options.shard < 1 ||
      options.shard > options.shards) {
    usage("--shard " + text + ": a part and of how many, from 1/8 to 8/8");
  }
}

// "200", or "5%" where the number of configs is known beforehand.
void read_evaluations(const std::string& text, Options& options) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const bool share = unit == "%" && options.command == Command::simulate && value <= 100;
  const bool count = unit.empty() && value >= 1 && value <= 1e6 && value == std::floor(value);
  if (error != std::errc() || !(value > 0) || (!share && !count)) {
    usage("--evaluations " + text + ": a number like 200, or of a recording a share like 5%");
  }
  if (share) {
    options.share = value;
  } else {
    options.evaluations = static_cast<int>(value);
  }
}

void add_gate_options(CLI::App& app, GateArguments& gate) {
  const auto add = [&](const char* name, auto& value, const char* text) {
    return app.add_option(name, value, text)->group("Gate");
  };
  add("--against", gate.against, "The candidate's plans file; this build's own plans by default");
  app.add_flag("--time-unchanged", gate.time_unchanged, "Time equal plans too")->group("Gate");
  app.add_flag("--strict", gate.strict, "An inconclusive case fails, with 3")->group("Gate");
  add("--allow-missing", gate.allow_missing, "A case that may be gone");
  add("--markdown", gate.markdown, "Write the report here as Markdown");
  add("--junit", gate.junit, "Write the report here as JUnit XML");
  add("--looks", gate.looks, "Rounds after which the intervals are read, like 20,40,80")
      ->delimiter(',');
  add("--repeat-work", gate.repeat_work,
      "--export-plans: kernels made slower, by so many percent of their first launch")
      ->check(CLI::Range(0, 1000));
}

}  // namespace

Options parse_command_line(int argc, const char* const* argv) {
  Options options;
  std::string mode = "fast";
  std::string budget;
  std::string strategy = "auto";
  std::string evaluations;
  std::string lock_wait;
  std::string shard;
  bool list = false;
  bool check = false;
  bool sweep = false;
  bool bench = false;
  bool worker = false;
  std::string cache = "warm";
  CLI::App app{"Fused LoRA kernels for OpenCL: checked, timed and tuned.", "lora-bench"};
  app.add_flag("--list", list, "Devices, variants with their search spaces, default problems")
      ->group("Modes");
  app.add_flag("--check", check, "The correctness matrix on a device")->group("Modes");
  app.add_flag("--sweep", sweep, "Check, tune, write the tuned file")->group("Modes");
  app.add_flag("--bench", bench,
               "Google Benchmark beside OpenBLAS and CLBlast; takes every --benchmark_* flag")
      ->group("Modes");
  app.add_option("--verify", options.verify, "Time a dozen of a tuned file's records again")
      ->option_text("FILE")
      ->group("Modes");
  app.add_option("--pick", options.pick_key, "What the dispatcher answers for a problem, and why")
      ->option_text("KEY")
      ->group("Modes");
  app.add_option("--merge", options.merge, "Tuned files, or journals, as one, written to --out")
      ->option_text("FILE...")
      ->group("Modes");
  app.add_option("--export-plans", options.gate.plans, "Write what would run, as data, for --gate")
      ->option_text("FILE")
      ->group("Modes");
  app.add_option("--gate", options.gate.base, "Compare this build's kernels with a plans file")
      ->option_text("BASE")
      ->group("Modes");
  app.add_flag("--worker", worker)->group("");

  const auto list_of = [&](const char* name, auto& values, const char* text) {
    app.add_option(name, values, text)
        ->delimiter(',')
        ->check([](const std::string& item) {
          return item.empty() ? std::string("an item is empty") : std::string();
        })
        ->group("Selection");
  };
  app.add_option("--device", options.device, "Index of --list, or part of the name")
      ->group("Selection");
  list_of("--tokens", options.tokens, "m");
  list_of("--features", options.features, "k = n");
  list_of("--in", options.in, "k");
  list_of("--out-features", options.out_features, "n");
  list_of("--ranks", options.ranks, "Ranks");
  list_of("--dtypes", options.dtypes, "f32, f16");
  list_of("--variants", options.variants, "Variants by name");
  list_of("--problem", options.problem_keys, "Problems by key, like m1_k1024_n1024_r8_f16_acc");
  app.add_option("--problems", options.problems_file, "File of problem keys, one a line")
      ->group("Selection");
  app.add_flag("--set", options.set, "Overwrite y instead of adding to it")->group("Selection");
  app.add_option("--mode", mode, "fast, deterministic or batch_invariant")->group("Selection");

  app.add_flag("--full", options.full, "The whole product of boundary values: hours")
      ->group("Check");
  app.add_option("--cases", options.most_cases, "At most so many cases of a variant")
      ->group("Check");
  app.add_option("--max-flops", options.max_flops, "Leave out cases of more work")->group("Check");
  app.add_option("--config", options.config, "Check this config: \"NAME=value ...\"")
      ->group("Check");
  app.add_option("--strides", options.strides, "off_x,pad_x,off_y,pad_y in elements")
      ->group("Check");

  app.add_option("--out", options.out, "The tuned file to write; of a gate the result, gate.json")
      ->capture_default_str()
      ->group("Sweep");
  app.add_option("--journal", options.journal,
                 "The journal; <out>.journal by default, of a shard <out>.3-of-8.journal")
      ->group("Sweep");
  app.add_flag("--resume", options.resume, "Go on from the journal")->group("Sweep");
  app.add_option("--replay", options.replay,
                 "Without a device: a journal's tuned file or a gate's verdict made again, or a "
                 "recording searched")
      ->group("Sweep");
  app.add_option("--record", options.record,
                 "Time every config of the problems, into a recording that --replay searches")
      ->option_text("FILE")
      ->group("Sweep");
  app.add_option("--configs", options.most_configs,
                 "--record: at most so many configs of a variant; its axes are thinned to that")
      ->check(CLI::Range(1, 1000000))
      ->group("Sweep");
  app.add_option("--strategy", strategy,
                 "--replay of a recording: auto, cold (auto without hints from other problems), "
                 "random or exhaustive")
      ->group("Sweep");
  app.add_option("--evaluations", evaluations,
                 "Configs tried of a problem, at most; of a recording also a share, 5% by default")
      ->group("Sweep");
  app.add_option("--weights", options.weights,
                 "JSON file of problem keys and how much time each is worth, 1 by default")
      ->option_text("FILE")
      ->group("Sweep");
  app.add_option("--seeds", options.seeds, "--replay of a recording: runs, each with the next seed")
      ->check(CLI::Range(1, 100000))
      ->group("Sweep");
  app.add_flag("--quick", options.quick, "12 problems, about a minute")->group("Sweep");
  app.add_option("--budget", budget, "Time to work to, like 10m")->group("Sweep");
  app.add_option("--shard", shard,
                 "Only this part of the problems, like 3/8, from 1; --merge joins")
      ->group("Sweep");
  app.add_option("--builders", options.builders,
                 "Processes that build side by side, before what they built is timed; by default a "
                 "core each, at most 6")
      ->check(CLI::Range(0, 64))
      ->group("Sweep");
  app.add_option("--lock-wait", lock_wait,
                 "How long to wait while another suite times on the device; 1h by default")
      ->group("Sweep");
  app.add_option("--seed", options.seed, "Of everything random")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->group("Sweep");

  app.add_option("--cache", cache, "warm, or rotate: other copies of the weights in every run")
      ->capture_default_str()
      ->group("Sweep");
  app.add_option("--tuned", options.tuned, "The tuned file to pick from")->group("Pick");
  add_gate_options(app, options.gate);
  app.add_flag("--json", options.json, "Results as JSON on stdout");
  // Google Benchmark's own flags are its own to read.
  std::vector<const char*> own_arguments;
  for (int i = 0; i < argc; ++i) {
    if (std::string_view(argv[i]).starts_with("--benchmark_")) {
      options.benchmark_flags.emplace_back(argv[i]);
    } else {
      own_arguments.push_back(argv[i]);
    }
  }
  try {
    app.parse(static_cast<int>(own_arguments.size()), own_arguments.data());
  } catch (const CLI::CallForHelp&) {
    options.command = Command::help;
    options.help = app.help();
    return options;
  } catch (const CLI::ParseError& error) {
    std::string line = error.what();
    std::replace(line.begin(), line.end(), '\n', ' ');
    usage(line);
  }
  const bool pick = app.count("--pick") > 0;
  const bool verify = app.count("--verify") > 0;
  const bool merge = app.count("--merge") > 0;
  const bool replay = !options.replay.empty() && !sweep;
  const bool exporting = app.count("--export-plans") > 0;
  const bool gate = app.count("--gate") > 0;
  const int modes =
      list + check + sweep + bench + verify + pick + merge + exporting + gate + worker + replay;
  if (modes != 1)
    usage(
        "one of --list, --check, --sweep, --bench, --verify, --pick, --merge, --export-plans, "
        "--gate is wanted; see --help");
  options.command = list                                                 ? Command::list
                    : check                                              ? Command::check
                    : bench                                              ? Command::bench
                    : verify                                             ? Command::verify
                    : pick                                               ? Command::pick
                    : merge                                              ? Command::merge
                    : worker                                             ? Command::worker
                    : exporting                                          ? Command::export_plans
                    : !options.record.empty()                            ? Command::record
                    : replay && is_recording(options.replay)             ? Command::simulate
                    : gate || (replay && is_gate_result(options.replay)) ? Command::gate
                                                                         : Command::sweep;
  if (gate && options.gate.base.empty()) usage("--gate wants a plans file");
  if (merge && app.count("--out") == 0) usage("--merge wants --out, the file to write");
  if (options.command == Command::gate && app.count("--out") == 0) options.out = "gate.json";
  if (!bench && !options.benchmark_flags.empty()) {
    usage(options.benchmark_flags.front() + " is for --bench");
  }
  const auto known_mode = parse_mode(mode);
  if (!known_mode) usage("--mode " + mode + ": there are fast, deterministic and batch_invariant");
  options.mode = *known_mode;
  const auto kind = parse_strategy(strategy);
  if (!kind) usage("--strategy " + strategy + ": there are auto, cold, random and exhaustive");
  options.strategy = *kind;
  const auto known_cache = parse_cache(cache);
  if (!known_cache) usage("--cache " + cache + ": there are warm and rotate");
  options.cache = *known_cache;
  if (!evaluations.empty()) read_evaluations(evaluations, options);
  if (!budget.empty()) {
    options.budget_s = parse_seconds("--budget", budget);
    if (options.budget_s == 0) usage("--budget " + budget + ": no time at all");
  }
  if (!lock_wait.empty()) options.lock_wait_s = parse_seconds("--lock-wait", lock_wait);
  if (app.count("--shard") > 0) parse_shard(shard, options);
  if (options.most_cases < 0) usage("--cases is a positive number");
  if (!(options.max_flops >= 0)) usage("--max-flops is a positive number");
  if (options.journal.empty()) {
    options.journal = options.out;
    if (options.shards > 1) {
      options.journal +=
          "." + std::to_string(options.shard) + "-of-" + std::to_string(options.shards);
    }
    options.journal += ".journal";
  }
  if (options.shards > 1 && (!sweep || !options.replay.empty())) {
    usage("--shard is a part of a --sweep");
  }
  if (options.resume && !options.replay.empty()) usage("--resume and --replay exclude each other");
  return options;
}

}  // namespace loratune
