#include "harness/record/recorder.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "harness/base/failure.h"
#include "harness/base/repeated_work.h"
#include "loratune/dispatch/default_choice.h"
#include "tuner/race.h"
#include "tuner/statistics.h"
#include "tuner/stopping.h"

namespace loratune {
namespace {

constexpr int kSubBlocks = 2;
constexpr double kFarBehind = 3;  // multiples of the best's time that no round is spent on

std::size_t at(int arm) { return static_cast<std::size_t>(arm); }

}  // namespace

Recorder::Recorder(Worker& worker, BuildAhead& ahead, const DeviceInfo& device, std::uint64_t seed,
                   Cache cache)
    : device_(device),
      seed_(seed),
      cache_(cache),
      conversation_(nullptr, std::numeric_limits<double>::infinity(), 0, interrupted,
                    [](const SweepProgress&) {}),
      // A recording is to have what fails again and again, too: no quarantine.
      programs_(conversation_, device_, nullptr, &worker, &ahead),
      arms_(worker) {}

Candidate Recorder::anchor(const Problem& problem) {
  const Choice choice = default_choice(problem, device_);
  Candidate standard{choice.variant, choice.config};
  TimeShare time{std::numeric_limits<double>::infinity()};
  const Prepared built = programs_.settle_default({problem}, standard, time);
  if (built.outcome != Outcome::correct) {
    throw Failure(kExitDeviceFault,
                  "no default runs for " + to_string(problem) + ": " + built.detail.substr(0, 300));
  }
  return standard;
}

void Recorder::begin(const Problem& problem, const std::vector<Candidate>& candidates) {
  problem_ = problem;
  candidates_ = candidates;
  outcomes_.assign(candidates.size(), Outcome::skipped);
  probes_.assign(candidates.size(), 0);
  samples_ = PairedSamples(static_cast<int>(candidates.size()));
  rounds_ = 0;
  arms_.select(problem, seed_, cache_, false, [this](Worker& worker, int arm) {
    const Candidate& wanted = candidates_[at(arm)];
    return worker.prepare(arm, wanted.variant->plan(problem_, wanted.config, device_), probes_[0]);
  });
}

std::vector<RecordedConfig> Recorder::record(const Problem& problem,
                                             const std::vector<Candidate>& candidates) {
  TimeShare time{std::numeric_limits<double>::infinity()};
  std::vector<Prepared> built;
  programs_.build_ahead({problem}, candidates, 0);
  for (const Candidate& candidate : candidates) {
    built.push_back(programs_.build({problem}, candidate, time));
  }
  begin(problem, candidates);
  const double anchor_flops = candidates[0].variant->flops(problem, candidates[0].config);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    Prepared prepared = built[i];
    const Candidate& candidate = candidates[i];
    const double times = candidate.variant->flops(problem, candidate.config) / anchor_flops;
    if (prepared.outcome == Outcome::correct &&
        repeats_too_much(kRecordedWork, times, times * probes_[0])) {
      prepared.outcome = Outcome::skipped;
    } else if (prepared.outcome == Outcome::correct) {
      prepared = prepare(static_cast<int>(i));
    }
    outcomes_[i] = prepared.outcome;
    if (prepared.outcome == Outcome::correct) probes_[i] = prepared.probe_ns;
    if (i == 0 && prepared.outcome != Outcome::correct) {
      throw Failure(kExitDeviceFault, to_string(problem) + ": the default: " + prepared.detail);
    }
  }
  constexpr Stage kStages[] = {{1, 3}, {0.25, 5}, {0, 12}};
  for (const Stage& stage : kStages) run(stage);
  const double anchor_ns = samples_.median_ns(kAnchor);
  std::vector<RecordedConfig> configs;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    RecordedConfig config;
    config.config = candidates[i].config;
    config.outcome = outcomes_[i];
    if (config.outcome == Outcome::correct) {
      config.ns.push_back(probes_[i] / probes_[0] * anchor_ns);
      for (const double log_ratio : samples_.log_ratios(static_cast<int>(i), kAnchor)) {
        config.ns.push_back(std::exp(log_ratio) * anchor_ns);
      }
      if (config.ns.size() == 1) config.outcome = Outcome::slow;
    }
    configs.push_back(std::move(config));
  }
  return configs;
}

// The default is tried a second time where it costs the worker.
Prepared Recorder::prepare(int arm) {
  return arm == kAnchor ? arms_.prepare_or_retry(arm) : arms_.prepare(arm);
}

// About what the arm takes, in multiples of the default's time.
double Recorder::standing(int arm) const {
  const std::vector<double> log_ratios = samples_.log_ratios(arm, kAnchor);
  return log_ratios.empty() ? probes_[at(arm)] / probes_[0] : std::exp(median(log_ratios));
}

void Recorder::run(const Stage& stage) {
  std::vector<int> arms;
  double best = standing(kAnchor);
  for (int arm = 1; arm < static_cast<int>(probes_.size()); ++arm) {
    if (probes_[at(arm)] > 0 && outcomes_[at(arm)] == Outcome::correct) arms.push_back(arm);
  }
  for (const int arm : arms) best = std::min(best, standing(arm));
  std::erase_if(arms, [&](int arm) { return standing(arm) > kFarBehind * best; });
  std::stable_sort(arms.begin(), arms.end(),
                   [&](int a, int b) { return standing(a) < standing(b); });
  constexpr std::size_t kBeside = kMaxArms - 1;
  const auto wanted = static_cast<std::size_t>(stage.share * static_cast<double>(arms.size()));
  arms.resize(std::min(arms.size(), std::max(wanted, kBeside)));
  // At least one heat, of the default alone where there is nothing beside it.
  for (std::size_t first = 0; first == 0 || first < arms.size(); first += kBeside) {
    std::vector<int> heat = {kAnchor};
    for (std::size_t i = first; i < std::min(first + kBeside, arms.size()); ++i) {
      heat.push_back(arms[i]);
    }
    const bool alone = heat.size() == 1;
    CanaryWatch watch(2.0);
    int valid = 0;
    const RoundQuota quota{.wanted = stage.rounds};
    for (int tried = 0; quota.wants_more(valid, tried); ++tried) {
      if ((alone || heat.size() > 1) && one_round(heat, watch)) ++valid;
    }
  }
}

// Whether the round counted.
bool Recorder::one_round(std::vector<int>& arms, CanaryWatch& watch) {
  const Round round = shuffled_round(seed_, rounds_++, arms, kSubBlocks);
  const RoundReply reply = arms_.run_round(round);
  if (reply.failed >= 0) {
    if (reply.failed == kAnchor) {
      throw Failure(kExitDeviceFault, to_string(problem_) + ": the default failed in a round");
    }
    outcomes_[at(reply.failed)] = reply.failure;
    std::erase(arms, reply.failed);
    return false;
  }
  if (!watch.undisturbed(round, reply)) return false;
  const int timed = samples_.rounds(kAnchor);
  samples_.add(round, reply);
  return samples_.rounds(kAnchor) > timed;
}

}  // namespace loratune
