// The command line of lora-bench as data. cli/parse.cpp makes it, and every mode reads its part.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/base/cache.h"
#include "loratune/dispatch/choice.h"
#include "tuner/strategy.h"

namespace loratune {

enum class Command : std::uint8_t {
  list,
  check,
  sweep,
  bench,
  record,
  simulate,
  verify,
  pick,
  merge,
  export_plans,
  gate,
  worker,
  help
};

// Of --export-plans and --gate. `base` empty: the gate is replayed.
struct GateArguments {
  std::string plans;                          // the file that --export-plans writes
  std::string base, against;                  // plans files
  std::string markdown, junit, step_summary;  // files to write; the last one is appended to
  std::vector<std::string> allow_missing;
  std::vector<int> looks;  // empty: the usual ones
  bool strict = false, time_unchanged = false;
  int repeat_work = 0;  // percent, for the proof
};

struct Options {
  Command command = Command::list;
  std::string help;  // for Command::help

  std::string device;  // substring or index; empty: the first GPU, else the first device
  std::vector<std::int64_t> tokens, in, out_features, features;
  std::vector<int> ranks;
  std::vector<std::string> dtypes, variants, problem_keys;
  std::string problems_file;
  bool set = false;  // overwrite y instead of accumulating
  Mode mode = Mode::fast;

  bool full = false;            // --check
  int most_cases = 0;           // --check: of a variant; 0 means all
  double max_flops = 0;         // --check: of a case; 0 means any
  std::string config, strides;  // --check: of a single case

  bool quick = false, resume = false;  // --sweep
  std::string out = "tuned.json", journal, replay;
  std::string record;    // --sweep: the recording to write, in place of a tuned file
  int most_configs = 0;  // --record: of a variant; 0 stands for 150
  StrategyKind strategy = StrategyKind::automatic;  // --replay of a recording, as are these
  std::string weights;  // --sweep: a file of problem keys and how much each matters
  int evaluations = 0;  // --sweep too: of a problem; 0: what the time allows, or `share` of them
  double share = 5;     // percent of a problem's configs
  int seeds = 1;        // runs, with seed, seed + 1, ...
  double budget_s = 0;  // 0: under 10 minutes, with --quick one
  int shard = 1, shards = 1;  // part `shard` of `shards` of the problems, from 1
  std::uint64_t seed = 1;

  std::string pick_key, tuned;     // --pick; --bench
  std::vector<std::string> merge;  // tuned files and journals
  std::string verify;              // a tuned file
  Cache cache = Cache::warm;       // --sweep, --bench, --verify
  double lock_wait_s = 3600;       // for a device that another suite is timing on
  int builders = -1;               // --sweep: processes that build ahead; -1: as many as are usual
  std::vector<std::string> benchmark_flags;
  GateArguments gate;
  bool json = false;
};

}  // namespace loratune
