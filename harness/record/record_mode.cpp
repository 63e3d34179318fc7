#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "dispatch/internal/atomic_write.h"
#include "harness/base/clock.h"
#include "harness/base/device_lock.h"
#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/base/selection.h"
#include "harness/record/modes.h"
#include "harness/record/recording.h"
#include "harness/worker/build_ahead.h"
#include "harness/worker/worker.h"
#include "loratune/dispatch/default_choice.h"
#include "tuner/enumerate.h"
#include "tuner/statistics.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr int kConfigsPerVariant = 150;
constexpr int kSubBlocks = 2;
constexpr int kTries = 3;            // of a disturbed round
constexpr double kFarBehind = 3;     // multiples of the best probe that no round is spent on
constexpr double kRepeatedWork = 5;  // multiples of the default's flops,
constexpr double kTooLongNs = 20e6;  // and the time, beyond which a config is not run

// How many of the best configs are timed in so many more rounds, the default always among them.
struct Stage {
  double share;
  int rounds;
};
constexpr Stage kStages[] = {{1, 3}, {0.25, 5}, {0, 12}};

// Each variant's axes, thinned alike for all problems that share programs.
class Spaces {
 public:
  Spaces(const std::vector<const Variant*>& variants, const std::vector<Problem>& problems,
         const DeviceInfo& device, int most)
      : variants_(variants), device_(device) {
    for (const Variant* variant : variants) {
      axes_.push_back(thinned_axes(*variant, problems, device, most));
    }
  }

  // The default first.
  std::vector<Candidate> candidates(const Problem& problem, const Candidate& anchor) const {
    std::vector<Candidate> all;
    for (std::size_t i = 0; i < variants_.size(); ++i) {
      const Variant& variant = *variants_[i];
      for (const Config& config : distinct_configs(
               variant, allowed_configs(variant, axes_[i], problem, device_), problem, device_)) {
        all.push_back({variants_[i], config});
      }
    }
    return candidates_for(problem, device_, all, anchor);
  }

 private:
  std::vector<const Variant*> variants_;
  DeviceInfo device_;
  std::vector<Axes> axes_;
};

class Recorder {
 public:
  Recorder(Worker& worker, BuildAhead& ahead, const DeviceInfo& device, const Options& options)
      : worker_(worker), ahead_(ahead), device_(device), options_(options) {}

  // A default whose kernel exceeds what the driver grants it gives way to the next in line.
  Candidate anchor(const Problem& problem) {
    for (const Choice& choice : fallback_choices(problem, device_)) {
      const Candidate candidate{choice.variant, choice.config};
      if (build(problem, candidate).outcome == Outcome::correct) return candidate;
    }
    throw Failure(kExitDeviceFault, "no default runs for " + to_string(problem));
  }

  std::vector<RecordedConfig> record(const Problem& problem,
                                     const std::vector<Candidate>& candidates) {
    begin(candidates.size());
    std::vector<RecordedConfig> configs;
    std::vector<Prepared> built;
    build_ahead(problem, candidates);
    for (const Candidate& candidate : candidates) built.push_back(build(problem, candidate));
    worker_.set_problem(problem, options_.seed, options_.cache);
    const double anchor_flops = candidates[0].variant->flops(problem, candidates[0].config);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Candidate& candidate = candidates[i];
      const double repeated = candidate.variant->flops(problem, candidate.config) / anchor_flops;
      if (built[i].outcome == Outcome::correct && repeated > kRepeatedWork &&
          repeated * probes_[0] > kTooLongNs) {
        built[i].outcome = Outcome::skipped;
      }
      if (built[i].outcome == Outcome::correct) {
        built[i] = worker_.prepare(static_cast<int>(i),
                                   candidate.variant->plan(problem, candidate.config, device_),
                                   probes_[0]);
        prepared_in_[i] = worker_.generation();
      }
      if (built[i].outcome == Outcome::correct) probes_[i] = built[i].probe_ns;
      if (i == 0 && built[0].outcome != Outcome::correct) {
        throw Failure(kExitDeviceFault, to_string(problem) + ": the default: " + built[0].detail);
      }
    }
    problem_ = problem;
    candidates_ = candidates;
    for (const Stage& stage : kStages) run(stage);
    const double anchor_ns = median(anchor_ns_);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      RecordedConfig config;
      config.config = candidates[i].config;
      config.outcome = failed_[i] != Outcome::correct ? failed_[i] : built[i].outcome;
      if (config.outcome == Outcome::correct) {
        config.ns.push_back(probes_[i] / probes_[0] * anchor_ns);
        for (const double ratio : ratios_[i]) config.ns.push_back(ratio * anchor_ns);
        if (ratios_[i].empty()) config.outcome = Outcome::slow;
      }
      configs.push_back(std::move(config));
    }
    return configs;
  }

 private:
  void begin(std::size_t candidates) {
    probes_.assign(candidates, 0);
    ratios_.assign(candidates, {});
    failed_.assign(candidates, Outcome::correct);
    prepared_in_.assign(candidates, -1);
    anchor_ns_.clear();
    rounds_ = 0;
  }

  // Side by side, so that the worker finds them in the driver's cache.
  void build_ahead(const Problem& problem, const std::vector<Candidate>& candidates) {
    std::map<std::string, Program> programs;
    for (const Candidate& candidate : candidates) {
      LaunchPlan plan = candidate.variant->plan(problem, candidate.config, device_);
      std::string key = program_key(plan);
      if (!built_.contains(key))
        programs.emplace(std::move(key), Program{problem, std::move(plan)});
    }
    std::vector<Program> fresh;
    for (auto& [key, program] : programs) fresh.push_back(std::move(program));
    ahead_.build(fresh);
  }

  Prepared build(const Problem& problem, const Candidate& candidate) {
    const LaunchPlan plan = candidate.variant->plan(problem, candidate.config, device_);
    const auto [at, fresh] = built_.emplace(program_key(plan), Prepared{});
    if (fresh) at->second = worker_.build(problem, plan);
    return at->second;
  }

  double standing(int arm) const {
    const auto i = static_cast<std::size_t>(arm);
    return ratios_[i].empty() ? probes_[i] / probes_[0] : median(ratios_[i]);
  }

  void run(const Stage& stage) {
    std::vector<int> arms;
    double best = standing(0);
    for (int i = 1; i < static_cast<int>(probes_.size()); ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (probes_[at] > 0 && failed_[at] == Outcome::correct) arms.push_back(i);
    }
    for (const int arm : arms) best = std::min(best, standing(arm));
    std::erase_if(arms, [&](int arm) { return standing(arm) > kFarBehind * best; });
    std::stable_sort(arms.begin(), arms.end(),
                     [&](int a, int b) { return standing(a) < standing(b); });
    constexpr std::size_t kBeside = kMaxArms - 1;
    const auto wanted = static_cast<std::size_t>(stage.share * static_cast<double>(arms.size()));
    arms.resize(std::min(arms.size(), std::max(wanted, kBeside)));
    // At least one, of the default alone where there is nothing beside it.
    for (std::size_t first = 0; first == 0 || first < arms.size(); first += kBeside) {
      std::vector<int> heat = {0};
      for (std::size_t i = first; i < std::min(first + kBeside, arms.size()); ++i) {
        heat.push_back(arms[i]);
      }
      const bool alone = heat.size() == 1;
      CanaryWatch watch(2.0);
      int valid = 0;
      for (int tries = 0; valid < stage.rounds && tries < kTries * stage.rounds; ++tries) {
        if ((alone || heat.size() > 1) && one_round(heat, watch)) ++valid;
      }
    }
  }

  // Whether it counted.
  bool one_round(std::vector<int>& arms, CanaryWatch& watch) {
    prepare_again(arms);
    const Round round = shuffled_round(options_.seed, rounds_++, arms, kSubBlocks);
    const RoundReply reply = worker_.run_round(round);
    if (reply.failed >= 0) {
      if (reply.failed == 0) throw Failure(kExitDeviceFault, "the default failed in a round");
      failed_[static_cast<std::size_t>(reply.failed)] = reply.failure;
      std::erase(arms, reply.failed);
      return false;
    }
    const double anchor = least_time(round.order, reply.ns, 0);
    if (!watch.undisturbed(round, reply) || !is_time(anchor)) return false;
    anchor_ns_.push_back(anchor);
    for (const int arm : arms) {
      const double ns = least_time(round.order, reply.ns, arm);
      if (is_time(ns)) ratios_[static_cast<std::size_t>(arm)].push_back(ns / anchor);
    }
    return true;
  }

  // What a lost worker had prepared is gone.
  void prepare_again(const std::vector<int>& arms) {
    for (const int arm : arms) {
      const auto i = static_cast<std::size_t>(arm);
      if (worker_.pid() > 0 && prepared_in_[i] == worker_.generation()) continue;
      const Candidate& candidate = candidates_[i];
      worker_.prepare(arm, candidate.variant->plan(problem_, candidate.config, device_), 0);
      prepared_in_[i] = worker_.generation();
    }
  }

  Worker& worker_;
  BuildAhead& ahead_;
  const DeviceInfo& device_;
  const Options& options_;
  std::map<std::string, Prepared> built_;  // by program
  Problem problem_;
  std::vector<Candidate> candidates_;
  int rounds_ = 0;
  std::vector<int> prepared_in_;  // the worker's generation
  std::vector<double> probes_, anchor_ns_;
  std::vector<std::vector<double>> ratios_;
  std::vector<Outcome> failed_;
};

Recording start_recording(const std::vector<const Variant*>& variants, const DeviceInfo& device) {
  Recording recording;
  recording.device = device;
  for (const Variant* variant : variants) {
    RecordedVariant one{std::string(variant->name), {}};
    for (const Parameter& parameter : variant->space.parameters) {
      one.parameters.emplace_back(parameter.name);
    }
    recording.variants.push_back(std::move(one));
    recording.kernels[std::string(variant->name)] = {{"sha256", variant->source_sha256},
                                                     {"revision", variant->revision}};
  }
  return recording;
}

// The variants, and those of the problems' defaults, with which each problem begins.
std::vector<const Variant*> with_defaults(std::vector<const Variant*> variants,
                                          const std::vector<Problem>& problems,
                                          const DeviceInfo& device) {
  for (const Problem& problem : problems) {
    const Variant* variant = default_choice(problem, device).variant;
    if (std::find(variants.begin(), variants.end(), variant) == variants.end()) {
      variants.push_back(variant);
    }
  }
  return variants;
}

// What the file holds already, if it was made of the same things.
Recording go_on(const std::string& path, Recording fresh) {
  struct stat there {};
  if (stat(path.c_str(), &there) != 0) return fresh;
  Recording earlier = read_recording(path);
  fresh.problems = earlier.problems;
  if (earlier != fresh) {
    throw Failure(kExitUsage, "recording '" + path +
                                  "' is of another device or other kernels; name another file");
  }
  return earlier;
}

}  // namespace

int record_mode(const Options& options) {
  const std::vector<Problem> problems = select_problems(options);
  std::vector<const Variant*> variants = select_variants(options);
  const DeviceInfo device = select_device(options.device).info;
  std::erase_if(variants, [&](const Variant* variant) {
    return std::none_of(problems.begin(), problems.end(),
                        [&](const Problem& problem) { return variant->supports(problem, device); });
  });
  const std::vector<const Variant*> listed = with_defaults(variants, problems, device);
  Recording recording = go_on(options.record, start_recording(listed, device));
  const Spaces spaces(variants, problems, device,
                      options.most_configs > 0 ? options.most_configs : kConfigsPerVariant);
  const double end = options.budget_s > 0 ? seconds_now() + options.budget_s : HUGE_VAL;
  const DeviceLock lock(device_place(select_device(options.device)), options.lock_wait_s);
  Worker worker(options.device);
  BuildAhead ahead(options.device, options.builders);
  Recorder recorder(worker, ahead, device, options);
  std::size_t missing = 0;
  for (const Problem& problem : problems) {
    const bool known =
        std::any_of(recording.problems.begin(), recording.problems.end(),
                    [&](const RecordedProblem& one) { return one.problem == problem; });
    if (known) continue;
    if (seconds_now() > end) {
      ++missing;
      continue;
    }
    const double begin = seconds_now();
    const Candidate anchor = recorder.anchor(problem);
    if (std::find(listed.begin(), listed.end(), anchor.variant) == listed.end()) {
      throw Failure(kExitDeviceFault, "the default of " + to_string(problem) + " does not run");
    }
    const std::vector<Candidate> candidates = spaces.candidates(problem, anchor);
    RecordedProblem one{problem, recorder.record(problem, candidates)};
    int timed = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const auto variant = std::find(listed.begin(), listed.end(), candidates[i].variant);
      one.configs[i].variant = static_cast<int>(variant - listed.begin());
      if (!one.configs[i].ns.empty()) ++timed;
    }
    recording.problems.push_back(std::move(one));
    const std::string error = atomic_write(options.record, serialize(recording));
    if (!error.empty()) throw Failure(kExitUsage, error);
    std::fprintf(stderr, "%s: %zu configs, %d timed, %.0f s\n", to_string(problem).c_str(),
                 candidates.size(), timed, seconds_now() - begin);
  }
  std::fprintf(stderr, "%s: %zu problems", options.record.c_str(), recording.problems.size());
  if (missing > 0) std::fprintf(stderr, "; %zu are missing: run it again", missing);
  std::fprintf(stderr, "\n");
  return kExitGood;
}

}  // namespace loratune
