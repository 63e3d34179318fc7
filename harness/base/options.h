// The command line of lora-bench as data. cli/parse.cpp makes it, and every mode reads its part.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/cache.h"
#include "loratune/dispatch/choice.h"
#include "tuner/strategy.h"

namespace loratune {

enum class Command : std::uint8_t {
  list,
  list_adapter,  // --list of the modules of --adapter
  check,
  sweep,
  replay_sweep,  // makes the tuned file of a journal again
  record,
  simulate,  // searches a recording
  bench,
  verify,
  pick,
  forward,  // one product of a module of --adapter
  convert,  // writes --adapter as another tool's
  merge,
  export_plans,
  emit,  // writes picks as C and OpenCL C
  gate,
  replay_gate,  // makes the verdict of a gate again
  report,
  worker,
  help  // prints Options::help: the help text, the version, or a page
};

// An adapter of another tool, and what its files do not say. `module` names one of it.
struct AdapterArguments {
  std::string path;    // a folder or a file; empty where no adapter is given
  std::string format;  // empty: the files say it
  std::string module;
  std::optional<double> alpha;
  int rank = 0;  // 0: not given
  bool lenient = false;
};

// The files of a --forward: what is read and what is written besides --out.
struct ForwardArguments {
  std::string x, base;
  bool host = false;  // without OpenCL
};

// What --convert makes of the adapter.
struct ConvertArguments {
  std::string to;
  std::vector<int> heads;  // of queries, of keys
};

// What --export-plans and --gate read. `base` is empty where the gate is replayed.
struct GateArguments {
  std::string plans;                          // the file that --export-plans writes
  std::string base, against;                  // plans files
  std::string markdown, junit, step_summary;  // files to write; step_summary is appended to
  std::vector<std::string> allow_missing;
  std::vector<int> looks;  // empty: the usual looks
  bool strict = false, time_unchanged = false;
  int repeat_work = 0;  // percent of the first launch, for a gate that is to find it
};

// Which modes read which of these is said in cli/parse.cpp, option by option.
struct Options {
  Command command = Command::list;
  std::string help;  // what Command::help prints

  // Selection.
  std::string device;  // substring or index; empty: the first GPU, else the first device
  std::vector<std::int64_t> tokens, in, out_features, features;
  std::vector<int> ranks, adapters;
  std::vector<std::string> dtypes, slices, variants, problem_keys;
  std::string problems_file;
  bool set = false;  // overwrite y instead of adding to it
  bool quick = false;
  Mode mode = Mode::fast;
  std::string tuned;  // the tuned file to pick from

  // Timing.
  double budget_s = 0;        // 0: under 10 minutes, with --quick one
  double lock_wait_s = 3600;  // for a device that another suite is timing on
  std::uint64_t seed = 1;
  Cache cache = Cache::warm;

  // Of --check and --bench: how long a process may be silent beyond what its work takes.
  double patience_s = 60;

  // Check.
  bool full = false;
  int most_cases = 0;           // of a variant; 0: all
  double max_flops = 0;         // of a case; 0: any
  std::string config, strides;  // of a single case

  // Sweep.
  std::string journal;
  bool resume = false;
  std::string weights;        // a file of problem keys and how much each matters
  int shard = 1, shards = 1;  // part `shard` of `shards` of the problems, from 1
  int builders = -1;          // processes that build ahead; -1: as many as are usual
  int evaluations = 0;        // of a problem, at most; 0: what the time allows, or `share`

  // Recordings.
  std::string record;    // the recording to write
  int most_configs = 0;  // of a variant; 0 stands for 150
  StrategyKind strategy = StrategyKind::automatic;
  double share = 5;  // percent of a problem's configs
  int seeds = 1;     // runs, with seed, seed + 1, ...

  // Adapters.
  AdapterArguments adapter;
  ForwardArguments forward;
  ConvertArguments convert;

  // What other modes are about.
  std::string print;  // man, bash or zsh
  std::string emit;   // the folder to write
  std::string pick_key;
  std::string verify;               // a tuned file
  std::string replay;               // a journal, a recording or the result of a gate
  std::vector<std::string> merge;   // tuned files and journals
  std::vector<std::string> report;  // the page to write, then the files that it shows
  std::vector<std::string> benchmark_flags;
  GateArguments gate;

  // Output.
  std::string out = "tuned.json";
  std::vector<std::string> forget;  // variants whose records of other sources `out` may lose
  bool json = false;
};

}  // namespace loratune
