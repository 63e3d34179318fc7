#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

#include "dispatch/tuned_file.h"
#include "harness/device_json.h"
#include "harness/modes.h"
#include "harness/sweep.h"
#include "harness/tuned_output.h"

namespace loratune {
namespace {

using nlohmann::json;

volatile std::sig_atomic_t g_interrupts = 0;

void on_interrupt(int) {
  g_interrupts = g_interrupts + 1;
  if (g_interrupts > 1) _exit(kExitInterrupted);  // the journal holds all but the running round
}

ToolInfo tool_info() { return {"lora-bench", LORATUNE_VERSION, LORATUNE_COMMIT}; }

// What a journal must agree in to be gone on with.
json make_header(const SweepOptions& options, const DeviceInfo& device) {
  json kernels = json::object();
  json names = json::array();
  for (const Variant* variant : options.variants) {
    names.push_back(variant->name);
    kernels[std::string(variant->name)] = {{"sha256", variant->source_sha256},
                                           {"revision", variant->revision}};
  }
  json problems = json::array();
  for (const Problem& problem : options.problems) problems.push_back(to_string(problem));
  const ToolInfo tool = tool_info();
  return {{"schema", "loratune/journal"},
          {"version", 1},
          {"tool", {{"name", tool.name}, {"version", tool.version}, {"commit", tool.commit}}},
          {"device", to_json(device)},
          {"variants", names},
          {"kernels", kernels},
          {"problems", problems},
          {"mode", to_string(options.mode)},
          {"budget_s", options.budget_s},
          {"seed", options.seed},
          {"cache", to_string(options.cache)}};
}

SweepOptions options_from(const json& header) {
  SweepOptions options;
  for (const json& key : header.at("problems")) {
    std::string why;
    const auto problem = parse_problem(key.get<std::string>(), why);
    if (!problem) throw Failure(kExitUsage, "journal: " + why);
    options.problems.push_back(*problem);
  }
  for (const json& name : header.at("variants")) {
    const Variant* variant = find_variant(name.get<std::string>());
    if (variant == nullptr ||
        header.at("kernels").at(name.get<std::string>()).at("sha256") != variant->source_sha256) {
      throw Failure(kExitUsage, "journal: variant " + name.get<std::string>() +
                                    " is not the one this build has");
    }
    options.variants.push_back(variant);
  }
  options.mode = parse_mode(header.at("mode").get<std::string>()).value_or(Mode::fast);
  options.budget_s = header.at("budget_s").get<double>();
  options.seed = header.at("seed").get<std::uint64_t>();
  if (header.value("cache", "warm") == to_string(Cache::rotate)) options.cache = Cache::rotate;
  return options;
}

void show_progress(const SweepProgress& progress) {
  static std::size_t shown = static_cast<std::size_t>(-1);
  const auto minutes = [](double s) { return static_cast<int>(s) / 60; };
  const auto seconds = [](double s) { return static_cast<int>(s) % 60; };
  if (isatty(STDERR_FILENO) != 0) {
    constexpr int kWidth = 24;
    const int full =
        static_cast<int>(progress.decided * kWidth / std::max<std::size_t>(progress.problems, 1));
    std::string bar(static_cast<std::size_t>(full), '#');
    bar.resize(kWidth, '.');
    std::fprintf(stderr, "\r[%s] %zu/%zu, at most %d:%02d left, %.60s\033[K", bar.c_str(),
                 progress.decided, progress.problems, minutes(progress.left_s),
                 seconds(progress.left_s), progress.doing.c_str());
  } else if (progress.decided != shown) {
    shown = progress.decided;
    std::fprintf(stderr, "%zu of %zu problems after %d:%02d\n", progress.decided, progress.problems,
                 minutes(progress.elapsed_s), seconds(progress.elapsed_s));
  }
}

void print_result(const TunedFile& file) {
  std::printf("%-36s %-17s %10s %10s %8s %-15s %-9s %s\n", "problem", "variant", "time us",
              "default us", "speed-up", "interval", "reason", "config");
  for (const Record& record : file.records) {
    std::string config;
    for (const auto& [name, value] : record.config)
      config += name + "=" + std::to_string(value) + " ";
    std::printf("%-36s %-17s %10.2f %10.2f %8.2f %6.2f..%-7.2f %-9s %s\n",
                to_string(record.problem).c_str(), record.variant.c_str(),
                static_cast<double>(record.time_ns) * 1e-3,
                static_cast<double>(record.default_ns) * 1e-3, record.speedup, record.speedup_lo,
                record.speedup_hi, record.reason.c_str(), config.c_str());
  }
}

// What the times come to, beside what the device does at most. Nothing for a time that cannot be.
void print_rates(const TunedFile& file, const Ceilings& ceilings) {
  std::printf("\n%s\n%-36s %9s %9s %9s %9s %9s\n", describe(ceilings).c_str(), "problem", "us",
              "GB/s", "of copy", "GFLOP/s", "of peak");
  for (const Record& record : file.records) {
    const auto time_ns = static_cast<double>(record.time_ns);
    const Throughput rate = throughput(record.problem, time_ns, ceilings);
    std::printf("%-36s ", to_string(record.problem).c_str());
    if (rate.refused.empty()) {
      std::printf("%9.2f %9.3g %7.1f %% %9.3g %7.1f %%\n", time_ns * 1e-3, rate.gbps,
                  100 * rate.share_of_copy, rate.gflops, 100 * rate.share_of_peak);
    } else {
      std::printf("%s\n", rate.refused.c_str());
    }
  }
}

// Candidates that were not correct: how many came to which outcome, and of the wrong ones each.
bool report_outcomes(const std::vector<Decided>& decided) {
  int counts[8] = {};
  bool default_wrong = false;
  for (const Decided& one : decided) {
    for (std::size_t i = 0; i < one.prepared.size(); ++i) {
      const Prepared& prepared = one.prepared[i];
      ++counts[static_cast<unsigned>(prepared.outcome)];
      const bool fault =
          prepared.outcome != Outcome::correct && prepared.outcome != Outcome::slow &&
          prepared.outcome != Outcome::skipped && prepared.outcome != Outcome::constraints;
      if (!fault) continue;
      const Candidate& candidate = one.candidates[i];
      std::fprintf(
          stderr, "%s: %s\n  lora-bench --check --variants %s --problem %s --config \"%s\"\n",
          std::string(to_string(prepared.outcome)).c_str(), prepared.detail.substr(0, 300).c_str(),
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
  return default_wrong;
}

bool default_failed(const std::vector<Decided>& decided) {
  return std::any_of(decided.begin(), decided.end(),
                     [](const Decided& one) { return one.verdict.reason == "default_failed"; });
}

// Before an hour of work: would the file be written?
void require_writable(const std::string& path) {
  const std::string trial = path + "." + std::to_string(getpid()) + ".trial";
  std::FILE* file = std::fopen(trial.c_str(), "wx");
  if (file == nullptr) {
    throw Failure(kExitUsage, "--out '" + path + "' cannot be written: " + std::strerror(errno));
  }
  std::fclose(file);
  std::remove(trial.c_str());
}

struct Setup {
  SweepOptions options;
  DeviceInfo device;
  std::string worker_device;  // empty for a replay
};

Setup live_setup(const Options& options) {
  Setup setup;
  setup.options.problems = select_problems(options);
  for (const Problem& problem : setup.options.problems) {
    if (problem.m == 0) {
      throw Failure(kExitUsage, to_string(problem) + " has no rows: there is nothing to time");
    }
  }
  setup.options.variants = select_variants(options);
  setup.options.mode = options.mode;
  setup.options.seed = options.seed;
  setup.options.cache = options.cache;
  setup.options.budget_s = options.budget_s > 0 ? options.budget_s : options.quick ? 60 : 20 * 60;
  const Device device = select_device(options.device);
  setup.device = device.info;
  setup.worker_device = options.device;
  const auto declines_all = [&](const Variant* variant) {
    return std::none_of(
        setup.options.problems.begin(), setup.options.problems.end(),
        [&](const Problem& problem) { return variant->supports(problem, setup.device); });
  };
  if (options.variants.empty()) std::erase_if(setup.options.variants, declines_all);
  for (const Variant* variant : setup.options.variants) {
    if (declines_all(variant)) {
      throw Failure(kExitUsage, "variant " + std::string(variant->name) +
                                    " declines every selected problem (" +
                                    to_string(setup.options.problems[0]) +
                                    (setup.options.problems.size() > 1 ? ", ...)" : ")"));
    }
  }
  return setup;
}

}  // namespace

int sweep_mode(const Options& options) {
  const bool replaying = !options.replay.empty();
  earlier_file(options.out);  // one that could not be merged with is refused now
  require_writable(options.out);
  JournalContent content;
  Setup setup;
  if (replaying) {
    content = read_journal(options.replay);
    if (content.header.is_null())
      throw Failure(kExitUsage, "journal '" + options.replay + "' is empty");
    setup.options = options_from(content.header);
    setup.device = device_from_json(content.header.at("device"));
  } else {
    setup = live_setup(options);
  }
  const json header = make_header(setup.options, setup.device);
  Journal journal = replaying        ? Journal::replay(std::move(content))
                    : options.resume ? Journal::resume(options.journal, header)
                                     : Journal::create(options.journal, header);
  std::unique_ptr<Worker> worker;
  if (!replaying) {
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    worker = std::make_unique<Worker>(setup.worker_device);
    std::fprintf(stderr, "%s: %zu problems, %zu variants, budget %.0f s\njournal: %s\n",
                 display_name(setup.device).c_str(), setup.options.problems.size(),
                 setup.options.variants.size(), setup.options.budget_s, options.journal.c_str());
  }
  Sweep sweep(
      setup.options, plan_sweep(setup.options, setup.device), setup.device, journal, worker.get(),
      [] { return g_interrupts > 0; }, replaying ? [](const SweepProgress&) {} : show_progress);
  const bool whole = sweep.run();
  if (!replaying && isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\033[K");

  const TunedFile made =
      make_tuned_file(sweep.decided(), setup.options.mode, setup.device, tool_info());
  int dropped = 0;
  const TunedFile file = update_tuned_file(options.out, made, dropped);
  if (options.json) {
    std::printf("%s", serialize(made).c_str());
  } else {
    print_result(made);
    const std::optional<Ceilings> ceilings = worker ? worker->ceilings() : std::nullopt;
    if (ceilings) print_rates(made, *ceilings);
  }
  const bool default_wrong = report_outcomes(sweep.decided());
  if (worker) std::fprintf(stderr, "launch floor: %.2f us\n", worker->launch_floor_ns() * 1e-3);
  std::fprintf(stderr, "tuned file: %s (%zu records of this sweep, %zu in all, %zu rules)\n",
               options.out.c_str(), made.records.size(), file.records.size(), file.rules.size());
  if (dropped > 0)
    std::fprintf(stderr, "%d records of kernels that have changed since were left out\n", dropped);
  if (g_interrupts > 0) return kExitInterrupted;
  if (default_failed(sweep.decided())) return default_wrong ? kExitWrongResult : kExitDeviceFault;
  if (!whole) {
    std::fprintf(stderr, "the journal ends before the sweep does: --resume goes on with it\n");
  }
  return kExitGood;
}

}  // namespace loratune
