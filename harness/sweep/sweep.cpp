#include "harness/sweep/sweep.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "dispatch/internal/printable.h"

namespace loratune {
namespace {

constexpr double kSearchShare = 0.6;   // of a family's time; the rest is for the heats
constexpr double kFinalShare = 0.2;    // of a group's time, kept for the finals
constexpr double kHeatsAtLeast = 0.2;  // of a family's time, however late the search ended
constexpr std::size_t kKept = 3;       // candidates of a family, for its neighbours to begin with

double weight(const Group& group) {
  double sum = 0;
  for (const FamilyPlan& plan : group.families) sum += plan.weight;
  return sum;
}

FamilyArms* address_of(std::optional<FamilyArms>& arms) { return arms ? &*arms : nullptr; }

}  // namespace

Sweep::Sweep(const SweepOptions& options, const DeviceInfo& device, Journal& journal,
             Worker* worker, BuildAhead* ahead, std::function<bool()> interrupted,
             std::function<void(const SweepProgress&)> progress)
    : options_(options),
      device_(device),
      journal_(journal),
      conversation_(&journal, options.budget_s, options.problems.size(), std::move(interrupted),
                    std::move(progress)),
      arms_(worker == nullptr
                ? std::nullopt
                : std::optional<FamilyArms>(std::in_place, *worker, options_, device_)),
      programs_(conversation_, device_, &quarantine_, worker, ahead),
      search_(conversation_, programs_, quarantine_, address_of(arms_), options_, device_),
      race_(conversation_, quarantine_, address_of(arms_), options_),
      known_(options.known) {}

bool Sweep::run() {
  try {
    const std::vector<Group> groups = plan_sweep(options_, device_);
    double left = 0;
    for (const Group& group : groups) left += weight(group);
    for (const Group& group : groups) {
      run_group(group, conversation_.left_s() * weight(group) / left);
      left -= weight(group);
    }
    return true;
  } catch (const Interrupted&) {
    return false;
  } catch (const Journal::ReplayEnd&) {
    return false;
  } catch (const nlohmann::json::exception& error) {
    journal_.refuse("holds what no sweep has written: " + printable(error.what(), 200));
  } catch (const std::invalid_argument& error) {
    journal_.refuse("holds what no sweep has written: " + printable(error.what(), 200));
  }
}

// Time that one family does not need is the next ones'.
void Sweep::run_group(const Group& group, double share_s) {
  const double tuned_by = conversation_.elapsed_s() + (1 - kFinalShare) * share_s;
  double left = weight(group);
  std::vector<FamilyRun> runs;
  for (const FamilyPlan& plan : group.families) {
    const double now = conversation_.elapsed_s();
    runs.push_back(tune(plan, now + std::max(tuned_by - now, 0.0) * plan.weight / left));
    left -= plan.weight;
  }
  double finals_s = 0;
  for (const FamilyRun& run : runs) finals_s += FamilyRace::finals_s(run);
  conversation_.finals_take(finals_s);
  while (!runs.empty()) {
    if (arms_) arms_->use_fresh_process();
    std::erase_if(runs, [&](FamilyRun& run) {
      const auto family = race_.run_final(run);
      if (!family) return false;
      decided_.insert(decided_.end(), family->begin(), family->end());
      conversation_.decided(family->size());
      return true;
    });
  }
}

FamilyRun Sweep::tune(const FamilyPlan& plan, double until_s) {
  FamilyRun run;
  run.plan = plan;
  conversation_.now_on(to_string(plan.problems.front()));
  const double now = conversation_.elapsed_s();
  search_.search(run, known_, now + kSearchShare * (until_s - now));
  // A race that is cut off before its first look is time lost.
  race_.run_heats(run,
                  std::max(until_s, conversation_.elapsed_s() + kHeatsAtLeast * (until_s - now)));
  keep_best(run);
  return run;
}

// The best of the heats, else by probe, are where the neighbours' searches begin.
void Sweep::keep_best(const FamilyRun& run) {
  const std::vector<double> log_ratios = run.tuner->log_ratios();
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < log_ratios.size(); ++i) {
    if (std::isfinite(log_ratios[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return log_ratios[a] < log_ratios[b]; });
  for (std::size_t i = 0; i < std::min(kKept, order.size()); ++i) {
    known_.push_back({run.plan.problems.front(), run.plan.candidates[order[i]]});
  }
}

}  // namespace loratune
