#include "harness/sweep/report.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "dispatch/internal/printable.h"
#include "harness/base/adapter_source.h"
#include "harness/base/output_files.h"
#include "harness/base/tool_info.h"
#include "harness/sweep/adapter_gain.h"
#include "harness/sweep/output.h"
#include "harness/sweep/result_table.h"
#include "loratune/dispatch/dispatcher.h"
#include "loratune/dispatch/plan_text.h"
#include "tuner/portfolio.h"

namespace loratune {
namespace {

Throughput throughput_of(const Record& record, const Ceilings& ceilings, const Dispatcher& tuned) {
  const DeviceInfo& device = tuned.device();
  const Choice choice = tuned.pick(record.problem, record.mode);
  const bool on_units = choice.variant == nullptr ||
                        !is_native(choice.variant->plan(record.problem, choice.config, device));
  return throughput(record.problem, static_cast<double>(record.time_ns),
                    ceilings_hold(device, on_units) ? ceilings : Ceilings{});
}

// Asked again where a time contradicts them: beside another process a device does less.
std::optional<Ceilings> ceilings_of(Worker& worker, const TunedFile& file,
                                    const Dispatcher& tuned) {
  std::optional<Ceilings> ceilings = worker.ceilings();
  if (!ceilings) return ceilings;
  const bool contradicted =
      std::any_of(file.records.begin(), file.records.end(), [&](const Record& record) {
        return !throughput_of(record, *ceilings, tuned).refused.empty();
      });
  if (!contradicted) return ceilings;
  const std::optional<Ceilings> again = worker.ceilings();
  return again ? highest(*ceilings, *again) : ceilings;
}

// What the times come to, beside what the device does at most. Nothing for a time that cannot be.
void print_rates(Worker& worker, const TunedFile& file, const DeviceInfo& device) {
  const Dispatcher tuned(file, device);
  const std::optional<Ceilings> ceilings = ceilings_of(worker, file, tuned);
  if (!ceilings) return;
  std::printf("\n%s\n%-36s %9s %9s %9s %9s %9s\n", describe(*ceilings).c_str(), "problem", "us",
              "GB/s", "of copy", "GFLOP/s", "of peak");
  for (const Record& record : file.records) {
    const auto time_ns = static_cast<double>(record.time_ns);
    const Throughput rate = throughput_of(record, *ceilings, tuned);
    std::printf("%-36s ", to_string(record.problem).c_str());
    if (rate.refused.empty()) {
      std::printf("%9.2f %9.3g %7.1f %% %9.3g %7.1f %%\n", time_ns * 1e-3, rate.gbps,
                  100 * rate.share_of_copy, rate.gflops, 100 * rate.share_of_peak);
    } else {
      std::printf("%s\n", rate.refused.c_str());
    }
  }
}

// Candidates that were not correct: how many came to which outcome, and of the wrong ones each;
// which configs were given up.
ExitCode report_outcomes(std::span<const Decided> decided, const Quarantine& quarantine) {
  int counts[8] = {};
  bool default_wrong = false;
  bool default_failed = false;
  for (const Decided& one : decided) {
    default_failed = default_failed || one.verdict.reason == "default_failed";
    for (std::size_t i = 0; i < one.prepared.size(); ++i) {
      const Prepared& prepared = one.prepared[i];
      ++counts[static_cast<unsigned>(prepared.outcome)];
      const bool fault =
          prepared.outcome != Outcome::correct && prepared.outcome != Outcome::slow &&
          prepared.outcome != Outcome::skipped && prepared.outcome != Outcome::constraints;
      if (!fault) continue;
      const Candidate& candidate = one.candidates[i];
      std::fprintf(stderr,
                   "%s: %s\n  lora-bench --check --variants %s --problem %s --config \"%s\"\n",
                   std::string(to_string(prepared.outcome)).c_str(),
                   printable_line(prepared.detail.substr(0, 300)).c_str(),
                   std::string(candidate.variant->name).c_str(), to_string(one.problem).c_str(),
                   to_string(candidate.variant->space, candidate.config).c_str());
      default_wrong = default_wrong || (i == 0 && prepared.outcome == Outcome::correctness);
    }
  }
  std::fprintf(stderr, "candidates:");
  for (unsigned i = 0; i < 8; ++i) {
    if (counts[i] > 0) {
      std::fprintf(stderr, " %d %s", counts[i],
                   std::string(to_string(static_cast<Outcome>(i))).c_str());
    }
  }
  std::fprintf(stderr, "\n");
  for (const auto& [config, places] : quarantine.list()) {
    std::fprintf(stderr, "quarantined: %s, after faults on", config.c_str());
    for (const std::string& place : places) std::fprintf(stderr, " %s", place.c_str());
    std::fprintf(stderr, "\n");
  }
  if (!default_failed) return kExitGood;
  return default_wrong ? kExitWrongResult : kExitDeviceFault;
}

// What a runtime has to compile at least to be nearly as fast as with all that was measured.
void report_portfolio(const std::vector<Decided>& decided, const DeviceInfo& device) {
  constexpr double kRegret = 0.03;
  std::map<std::string, std::size_t> programs;
  for (const bool counting : {true, false}) {
    std::vector<std::vector<double>> log_times;
    for (const Decided& one : decided) {
      log_times.emplace_back(programs.size(), std::nan(""));
      for (std::size_t i = 0; i < one.candidates.size(); ++i) {
        if (!std::isfinite(one.log_ratios[i])) continue;
        const Candidate& candidate = one.candidates[i];
        const std::string key =
            program_key(candidate.variant->plan(one.problem, candidate.config, device));
        const std::size_t program = programs.emplace(key, programs.size()).first->second;
        if (counting) continue;
        double& time = log_times.back()[program];
        time = std::fmin(time, one.log_ratios[i]);
      }
    }
    if (counting) continue;
    std::fprintf(stderr,
                 "%zu of the %zu programs that were raced keep every problem within %.0f %%\n",
                 portfolio(log_times, kRegret).size(), programs.size(), 100 * kRegret);
  }
}

// What was measured is not lost with the tuned file.
TunedFile write_or_say_how(const Options& options, const TunedFile& made) {
  try {
    return update_tuned_file(options.out, made, options.forget);
  } catch (const Failure& failure) {
    if (!options.replay.empty()) throw;
    throw Failure(failure.code(), std::string(failure.what()) +
                                      "; what was measured is kept: --resume makes the file");
  }
}

}  // namespace

void require_writable(const std::string& path) {
  earlier_file(path);
  require_writable({{"--out", path}}, {});
}

ExitCode finish_sweep(const Options& options, const SweepResult& swept, Worker* worker) {
  const TunedFile made =
      make_tuned_file(swept.decided, swept.setup.options.mode, swept.setup.device, tool_info());
  const TunedFile file = write_or_say_how(options, made);
  if (options.json) {
    std::printf("%s", serialize(made).c_str());
  } else {
    std::printf("%s", result_table(made, terminal_of(STDOUT_FILENO)).c_str());
    if (worker != nullptr) print_rates(*worker, made, swept.setup.device);
  }
  const ExitCode code = report_outcomes(swept.decided, swept.quarantine);
  if (worker != nullptr) {
    std::fprintf(stderr, "launch floor: %.2f us\n", worker->launch_floor_ns() * 1e-3);
  }
  std::fprintf(stderr, "tuned file: %s (%zu records of this sweep, %zu in all, %zu rules)\n",
               printable_line(options.out).c_str(), made.records.size(), file.records.size(),
               file.rules.size());
  report_portfolio(swept.decided, swept.setup.device);
  if (!options.adapter.path.empty()) {
    for (const AdapterGain& gain : adapter_gains(module_problems(options), made)) {
      std::fprintf(stderr, "%s\n", to_string(gain).c_str());
    }
  }
  std::fprintf(stderr, "%s", next_steps(made, options.out).c_str());
  return code;
}

}  // namespace loratune
