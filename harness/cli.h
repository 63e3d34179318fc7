// The command line of lora-bench as data, and what it selects.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "dispatch/choice.h"
#include "dispatch/device.h"
#include "harness/weight_ring.h"
#include "tuner/strategy.h"
#include "variants/variant.h"

namespace loratune {

// Where several apply, the worst in the order 2, 5, 4, 6, 1, 3 counts.
enum ExitCode : int {
  kExitGood = 0,
  kExitRegression = 1,
  kExitUsage = 2,  // or input that cannot be read, or output that cannot be written
  kExitInconclusive = 3,
  kExitWrongResult = 4,
  kExitDeviceFault = 5,
  kExitMissingCase = 6,
  kExitNoDevice = 77,
  kExitInterrupted = 130
};

// Ends the program with one line on stderr and this code.
class Failure : public std::runtime_error {
 public:
  Failure(ExitCode code, const std::string& line) : std::runtime_error(line), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

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

// Throws Failure with kExitUsage.
Options parse_command_line(int argc, const char* const* argv);

// The device the options mean. Throws Failure: kExitNoDevice where there is none at all, kExitUsage
// where none, or more than one, matches.
Device select_device(const std::string& selector);

// The problems the options mean, the default grid where they say nothing; without duplicates.
// Throws Failure for a shape out of range, an unreadable file, or no problem at all.
std::vector<Problem> select_problems(const Options& options);

// How much each of the problems matters by the file, an object of keys and positive numbers; 1
// where it says nothing. Throws Failure for a file that is none, or that names none of them.
std::vector<double> read_weights(const std::string& path, const std::vector<Problem>& problems);

// The variants of --variants, all by default.
std::vector<const Variant*> select_variants(const Options& options);

// "Platform: name", how a device is shown.
std::string display_name(const DeviceInfo& device);

}  // namespace loratune
