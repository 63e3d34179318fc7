#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <sstream>

#include "dispatch/internal/atomic_write.h"
#include "dispatch/internal/printable.h"
#include "harness/base/clock.h"
#include "harness/base/device_lock.h"
#include "harness/base/failure.h"
#include "harness/base/interrupt.h"
#include "harness/base/options.h"
#include "harness/base/selection.h"
#include "harness/base/shell_word.h"
#include "harness/base/terminal.h"
#include "harness/bench/arena_benchmark.h"
#include "harness/bench/benchmark_flags.h"
#include "harness/bench/dispatch_benchmarks.h"
#include "harness/bench/modes.h"
#include "harness/bench/samples.h"
#include "harness/bench/session.h"
#include "harness/bench/table.h"

namespace loratune {
namespace {

constexpr double kDefaultBudget = 540;  // seconds

// A Run is what all benchmarks share: the session that measures, the time that it has, and the
// worst exit code so far.
struct Run {
  BenchSession session;
  std::vector<Problem> problems;
  double budget_s, begin_s;
  std::string reproduce;  // the line that runs a problem again, up to the problem
  std::size_t measured = 0;
  ExitCode worst = kExitGood;

  double share_s() const {
    const double left = std::max(budget_s - (seconds_now() - begin_s), 0.0);
    return left / static_cast<double>(std::max<std::size_t>(problems.size() - measured, 1));
  }
  void fail(ExitCode code) { worst = worse(worst, code); }
};

// A rival is skipped with the whole problem where nobody could run that, as a sweep refuses it;
// else for want of good rounds.
ExitCode exit_code(const ProblemResult& result, Outcome outcome) {
  if (outcome == Outcome::correct) return kExitGood;
  if (outcome == Outcome::correctness) return kExitWrongResult;
  if (outcome != Outcome::skipped) return kExitDeviceFault;
  return result.fault.empty() ? kExitInconclusive : kExitUsage;
}

// Leaves out a value that is not finite: JSON cannot hold it.
void set_counter(benchmark::State& state, const std::string& name, double value) {
  if (std::isfinite(value)) state.counters[name] = value;
}

void set_ratio(benchmark::State& state, const ProblemResult& result, const std::string& rival,
               const std::string& other) {
  const auto ratio = result.log_ratio(rival, other);
  if (!ratio) return;
  set_counter(state, "vs_" + other, std::exp(ratio->median));
  if (!std::isfinite(ratio->low)) return;
  set_counter(state, "vs_" + other + "_lo", std::exp(ratio->low));
  set_counter(state, "vs_" + other + "_hi", std::exp(ratio->high));
}

void set_counters(benchmark::State& state, const ProblemResult& result, const std::string& name,
                  const RivalResult& rival) {
  set_counter(state, "wall_ns", rival.wall_ns);
  if (rival.slope_ns > 0) set_counter(state, "wall_slope_ns", rival.slope_ns);
  if (rival.event_ns > 0) set_counter(state, "event_ns", rival.event_ns);
  if (rival.throughput.gbps > 0) {  // an empty launch moves nothing
    set_counter(state, "gb_per_s", rival.throughput.gbps);
    set_counter(state, "gflop_per_s", rival.throughput.gflops);
  }
  if (rival.throughput.share_of_copy > 0) {
    set_counter(state, "share_of_copy", rival.throughput.share_of_copy);
    set_counter(state, "share_of_peak", rival.throughput.share_of_peak);
  }
  if (rival.launches > 0) set_counter(state, "launches", rival.launches);
  set_counter(state, "rounds", static_cast<double>(rival.times_ns.size()));
  set_counter(state, "void_rounds", result.void_rounds);
  set_counter(state, "error_over_bound", rival.error_over_bound);
  set_ratio(state, result, name, "default");
  if (!result.general.empty()) set_ratio(state, result, name, result.general);
}

// The line that runs a problem again: it lacks the problem's key.
std::string reproduce_line(const Options& options) {
  std::string line = "lora-bench --bench";
  if (!options.device.empty()) line += " --device " + shell_word(options.device);
  if (!options.tuned.empty()) line += " --tuned " + shell_word(options.tuned);
  for (const std::string& variant : options.variants) line += " --variants " + variant;
  const Options standard;
  if (options.mode != standard.mode) line += " --mode " + std::string(to_string(options.mode));
  if (options.cache != standard.cache) line += " --cache " + std::string(to_string(options.cache));
  if (options.seed != standard.seed) line += " --seed " + std::to_string(options.seed);
  return line + " --problem ";
}

// Tells on stderr what failed on a problem, and what reproduces it.
void complain(const ProblemResult& result, const std::string& problem, const Run& run) {
  const auto tell = [&](const std::string& of, const std::string& why) {
    std::fprintf(stderr, "%s: %s\n  %s%s\n", of.c_str(), printable_line(why).c_str(),
                 run.reproduce.c_str(), problem.c_str());
  };
  if (!result.fault.empty()) return tell(problem, result.fault);
  for (const auto& [name, rival] : result.rivals) {
    if (rival.outcome == Outcome::correct || rival.outcome == Outcome::skipped) continue;
    tell(std::string(problem).append("/").append(name),
         std::string(to_string(rival.outcome)) + ": " + rival.detail.substr(0, 500));
  }
}

// Hands the rounds that the session recorded to Google Benchmark, one as each iteration's time.
void report_rounds(benchmark::State& state, Run& run, const Problem& problem,
                   const std::string& name) {
  if (interrupted()) return state.SkipWithError("interrupted");
  const std::size_t before = run.session.results().size();
  const ProblemResult& result = run.session.result(problem, run.share_s());
  if (run.session.results().size() > before) {
    ++run.measured;
    complain(result, to_string(problem), run);
  }
  const RivalResult& rival = result.rivals.at(name);
  std::string label = rival.label;
  if (!rival.event_fault.empty()) label += "; event clock not believed: " + rival.event_fault;
  state.SetLabel(label);
  if (rival.outcome != Outcome::correct) {
    run.fail(exit_code(result, rival.outcome));
    const std::string why =
        std::string(to_string(rival.outcome)) + ": " + rival.detail.substr(0, 500);
    state.SkipWithError(printable_line(why).c_str());
    return;
  }
  SampleFeed samples(rival.times_ns);
  for (auto iteration : state) {
    static_cast<void>(iteration);
    state.SetIterationTime(samples.next_seconds());
  }
  set_counters(state, result, name, rival);
}

// An interrupt leaves what was reported until then.
void report_rounds_until_interrupted(benchmark::State& state, Run& run, const Problem& problem,
                                     const std::string& name) {
  try {
    report_rounds(state, run, problem, name);
  } catch (const Interrupted&) {
    state.SkipWithError("interrupted");
  }
}

// A FiniteReporter passes on finite statistics only: a counter that is 0 has the variation 0/0. It
// may show few of the counters, as a terminal has no room for all. A rate is a plain number: the
// console would write `s` behind it, whatever the unit in its name is.
template <class Base>
class FiniteReporter : public Base {
 public:
  FiniteReporter() = default;
  template <class Options>
  FiniteReporter(Options options, std::set<std::string> shown)
      : Base(options), shown_(std::move(shown)) {}
  void ReportRuns(const std::vector<benchmark::BenchmarkReporter::Run>& reports) override {
    std::vector<benchmark::BenchmarkReporter::Run> finite;
    for (benchmark::BenchmarkReporter::Run run : reports) {
      for (auto counter = run.counters.begin(); counter != run.counters.end();) {
        const bool keep = std::isfinite(counter->second.value) &&
                          (shown_.empty() || shown_.contains(counter->first));
        counter->second.flags = benchmark::Counter::kDefaults;
        counter = keep ? std::next(counter) : run.counters.erase(counter);
      }
      if (!std::isfinite(run.cpu_accumulated_time)) run.cpu_accumulated_time = 0;
      if (std::isfinite(run.real_accumulated_time)) finite.push_back(std::move(run));
    }
    if (!finite.empty()) Base::ReportRuns(finite);
  }

 private:
  std::set<std::string> shown_;  // empty: all
};

// A FileReporter writes into memory: the file of --benchmark_out is written whole when all is
// measured, and the library would empty it before.
template <class Base>
class FileReporter : public Base {
 public:
  template <class... Arguments>
  explicit FileReporter(std::ostream& memory, const Arguments&... arguments)
      : Base(arguments...), memory_(memory) {}
  bool ReportContext(const benchmark::BenchmarkReporter::Context& context) override {
    this->SetOutputStream(&memory_);
    this->SetErrorStream(&memory_);
    return Base::ReportContext(context);
  }

 private:
  std::ostream& memory_;
};

using Console = FiniteReporter<benchmark::ConsoleReporter>;

Console make_console(bool colored) {
  using Base = benchmark::ConsoleReporter;
  const auto options = static_cast<Base::OutputOptions>(Base::OO_Tabular |
                                                        (colored ? Base::OO_Color : Base::OO_None));
  return {options, std::set<std::string>{"gb_per_s", "gflop_per_s", "rounds", "vs_split", "ratio",
                                         "over_bare_ns", "ns_per_pick"}};
}

using Reporter = std::unique_ptr<benchmark::BenchmarkReporter>;

Reporter make_display_reporter(const std::vector<std::string>& flags) {
  const std::string format = value_of(flags, "--benchmark_format", "console");
  using Json = FiniteReporter<benchmark::JSONReporter>;
  if (format == "json") return std::make_unique<Json>();
  if (format == "csv") return nullptr;  // Google Benchmark makes this one itself
  const std::string color = value_of(flags, "--benchmark_color", "auto");
  const bool colored = color == "auto" ? terminal_of(STDOUT_FILENO).colour : means_on(color);
  return std::make_unique<Console>(make_console(colored));
}

// Of the file of --benchmark_out; none without that flag.
Reporter make_file_reporter(const std::vector<std::string>& flags, std::ostream& memory) {
  if (!has_flag(flags, "--benchmark_out")) return nullptr;
  const std::string format = value_of(flags, "--benchmark_out_format", "json");
  using Json = FiniteReporter<benchmark::JSONReporter>;
  if (format == "json") return std::make_unique<FileReporter<Json>>(memory);
  if (format == "console") {
    return std::make_unique<FileReporter<Console>>(memory, make_console(false));
  }
// The class is deprecated, for users who would derive formats of their own from it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  return std::make_unique<FileReporter<benchmark::CSVReporter>>(memory);
#pragma GCC diagnostic pop
}

void add_context(const Run& run, const DeviceInfo& device, const Options& options) {
  const Ceilings& ceilings = run.session.ceilings();
  const auto number = [](double value) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.6g", value);
    return std::string(text);
  };
  benchmark::AddCustomContext("device", display_name(device));
  benchmark::AddCustomContext("driver", device.driver);
  benchmark::AddCustomContext("cache", std::string(to_string(options.cache)));
  benchmark::AddCustomContext("launch_floor_ns", number(ceilings.floor_ns));
  benchmark::AddCustomContext("copy_gb_per_s", number(ceilings.copy_gbps));
  benchmark::AddCustomContext("cache_gb_per_s", number(memory_roof_gbps(ceilings, 0)));
  benchmark::AddCustomContext("peak_gflop_per_s", number(ceilings.peak_gflops));
}

std::optional<Dispatcher> load_tuned(const Options& options, const DeviceInfo& device) {
  if (options.tuned.empty()) return std::nullopt;
  Dispatcher::Loaded loaded = Dispatcher::load(options.tuned, device);
  if (!loaded.dispatcher) throw Failure(kExitUsage, loaded.error);
  return std::move(loaded.dispatcher);
}

}  // namespace

int bench_mode(const Options& options) {
  const std::vector<std::string> flags = benchmark_flags(options);
  initialize_benchmark(flags);
  const Device device = select_device(options.device);
  const std::optional<Dispatcher> tuned = load_tuned(options, device.info);
  tell_limit(device.info);
  const DeviceLock lock(device_place(device), options.lock_wait_s);
  BenchOptions wanted;
  if (!options.variants.empty()) wanted.variants = select_variants(options);
  wanted.mode = options.mode;
  wanted.cache = options.cache;
  wanted.seed = options.seed;
  wanted.patience_s = options.patience_s;
  note_interrupts();
  Run run{BenchSession(options.device, device.info, wanted, tuned ? &*tuned : nullptr),
          select_problems(options), options.budget_s > 0 ? options.budget_s : kDefaultBudget,
          seconds_now(), reproduce_line(options)};
  for (const Problem& problem : run.problems) {
    for (const std::string& rival : run.session.rivals(problem)) {
      auto* registered = benchmark::RegisterBenchmark(
          (to_string(problem) + "/" + rival).c_str(),
          [&run, problem, rival](benchmark::State& state) {
            report_rounds_until_interrupted(state, run, problem, rival);
          });
      registered->UseManualTime()->Unit(benchmark::kMicrosecond);
      // One iteration reports one round. To fill --benchmark_min_time rounds are reported again.
      if (!has_flag(flags, "--benchmark_min_time")) registered->Iterations(wanted.rounds);
    }
  }
  if (wants_dispatch_benchmarks(flags)) {
    register_dispatch_benchmarks(device);
    register_arena_benchmarks(device);
  }
  add_context(run, device.info, options);
  std::ostringstream memory;
  const Reporter display = make_display_reporter(flags);
  const Reporter file = make_file_reporter(flags, memory);
  const std::size_t matched = benchmark::RunSpecifiedBenchmarks(display.get(), file.get());
  benchmark::Shutdown();
  if (matched == 0) throw Failure(kExitUsage, "no benchmark matches --benchmark_filter");
  if (!run.session.results().empty()) {
    const std::string table = bench_table(run.problems, run.session.results());
    const bool console = value_of(flags, "--benchmark_format", "console") == "console";
    std::fprintf(console ? stdout : stderr, "\n%s\n%s", describe(run.session.ceilings()).c_str(),
                 table.c_str());
  }
  if (file != nullptr) {
    const std::string error = atomic_write(value_of(flags, "--benchmark_out", ""), memory.str());
    if (!error.empty()) {
      std::fprintf(stderr, "lora-bench: --benchmark_out: %s\n", error.c_str());
      run.fail(kExitUsage);
    }
  }
  return interrupted() ? worse(run.worst, kExitInterrupted) : run.worst;
}

}  // namespace loratune
