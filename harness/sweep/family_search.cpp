#include "harness/sweep/family_search.h"

#include <algorithm>
#include <cmath>

#include "harness/base/repeated_work.h"
#include "tuner/random.h"
#include "tuner/statistics.h"
#include "tuner/stopping.h"

namespace loratune {
namespace {

using nlohmann::json;

// A config that takes so many times the default's time on one problem of a family is of no use,
// however fast it is on the others.
constexpr double kSlowSomewhere = 1.25;
constexpr std::size_t kBatch = 6;  // configs built and then measured before the next are chosen

// A candidate as the progress names it.
std::string words_of(const FamilyPlan& plan, int candidate) {
  const Candidate& one = plan.candidates[static_cast<std::size_t>(candidate)];
  return std::string(one.variant->name) + " " + to_string(one.variant->space, one.config);
}

}  // namespace

FamilySearch::FamilySearch(Conversation& conversation, Programs& programs, Quarantine& quarantine,
                           FamilyArms* arms, const SweepOptions& options, const DeviceInfo& device)
    : conversation_(conversation),
      programs_(programs),
      quarantine_(quarantine),
      arms_(arms),
      options_(options),
      device_(device) {}

// The candidate's plans, by problem, without their source: that is the same in all plans of a
// variant, and long to compare.
std::vector<LaunchPlan> FamilySearch::plans_of(const FamilyRun& run,
                                               const Candidate& candidate) const {
  std::vector<LaunchPlan> plans;
  for (const Problem& problem : run.plan.problems) {
    plans.push_back(candidate.variant->plan(problem, candidate.config, device_));
    plans.back().source = candidate.variant->name;
  }
  return plans;
}

void FamilySearch::search(FamilyRun& run, std::span<const Known> known, double until_s) {
  FamilyPlan& plan = run.plan;
  std::vector<Prepared>& prepared = run.prepared;
  const Problem& first = plan.problems.front();
  TimeShare time{until_s};
  prepared = {programs_.settle_default(plan.problems, plan.candidates[0], time)};
  if (prepared[0].outcome == Outcome::correct) prepared[0] = attempt(run, 0, time);
  if (prepared[0].outcome != Outcome::correct) return;

  const std::vector<SpacePoint> space =
      search_space(options_.variants, plan.problems, options_.mode, device_);
  run.space = static_cast<double>(space.size());
  Strategy strategy(StrategyKind::automatic, space,
                    first_points(options_.variants, space, first, device_, known),
                    seed_of("search " + to_string(first), options_.seed));
  std::vector<std::vector<LaunchPlan>> tried = {plans_of(run, plan.candidates[0])};
  const auto most =
      options_.evaluations > 0 ? static_cast<std::size_t>(options_.evaluations) : space.size();
  const std::vector<std::size_t> numbers = programs_of(options_.variants, space, first, device_);
  const SearchStop stop;
  while (prepared.size() < most && stop.may_try(prepared.size() - 1, time.late)) {
    if (stop.satisfied(prepared.size() - 1, [&] { return strategy.expected_gain(); })) break;
    std::vector<std::size_t> fresh;
    const auto asked = strategy.ask(std::min(kBatch, most - prepared.size()),
                                    programs_.prices(options_.variants, space, numbers, first,
                                                     attempts_ > 0 ? attempt_s_ / attempts_ : 0));
    if (asked.empty()) break;
    for (const std::size_t point : asked) {
      const Candidate candidate{options_.variants[static_cast<std::size_t>(space[point].variant)],
                                space[point].config};
      std::vector<LaunchPlan> plans = plans_of(run, candidate);
      const auto same = std::find(tried.begin(), tried.end(), plans);
      const bool same_bits = std::all_of(plans.begin(), plans.end(),
                                         [](const LaunchPlan& one) { return one.deterministic; });
      if (same != tried.end()) {
        const auto i = static_cast<std::size_t>(same - tried.begin());
        strategy.tell(point, i < prepared.size() ? prepared[i].probe_ns : 0);
      } else if (options_.mode != Mode::fast && !same_bits) {
        strategy.tell(point, 0);
      } else {
        tried.push_back(std::move(plans));
        plan.candidates.push_back(candidate);
        fresh.push_back(point);
      }
    }
    // All of a batch are built before any is timed. What there is no time to build is left out.
    std::size_t built = prepared.size();
    conversation_.now_doing("building");
    programs_.build_ahead(plan.problems, plan.candidates, built);
    while (built < plan.candidates.size() && stop.may_try(built - 1, time.late)) {
      programs_.build(plan.problems, plan.candidates[built++], time);
    }
    plan.candidates.resize(built);
    tried.resize(built);
    fresh.resize(built - prepared.size());
    for (const std::size_t point : fresh) {
      prepared.push_back(attempt(run, static_cast<int>(prepared.size()), time));
      strategy.tell(point, prepared.back().probe_ns);
    }
  }
}

Prepared FamilySearch::attempt(FamilyRun& run, int candidate, TimeShare& time) {
  conversation_.now_doing(words_of(run.plan, candidate));
  Prepared prepared = build_and_probe(run, candidate, time);
  const bool timed = prepared.outcome == Outcome::correct && prepared.probe_ns > 0;
  conversation_.tried(timed ? geometric_mean(run.anchor_ns) / prepared.probe_ns : 0);
  return prepared;
}

// Checks and probes a candidate on all problems of the family.
Prepared FamilySearch::build_and_probe(FamilyRun& run, int candidate, TimeShare& time) {
  const FamilyPlan& plan = run.plan;
  const Candidate& wanted = plan.candidates[static_cast<std::size_t>(candidate)];
  Prepared built = programs_.build(plan.problems, wanted, time);
  if (built.outcome != Outcome::correct) return built;
  Prepared all = built;
  std::vector<double> probes;
  double worst = 0;  // multiple of the default's time
  for (std::size_t part = 0; part < plan.problems.size(); ++part) {
    Prepared one = attempt_part(run, part, candidate, time);
    if (one.outcome != Outcome::correct) return one;
    all.error_over_bound = std::max(all.error_over_bound, one.error_over_bound);
    probes.push_back(one.probe_ns);
    if (candidate > 0) worst = std::max(worst, one.probe_ns / run.anchor_ns[part]);
  }
  all.probe_ns = geometric_mean(probes);
  if (candidate == 0) run.anchor_ns = probes;
  if (plan.problems.size() > 1 && worst > kSlowSomewhere) {
    all.outcome = Outcome::slow;
    all.probe_ns = worst * geometric_mean(run.anchor_ns);  // what the search is to think of it
  }
  return all;
}

// Checks and probes a candidate that was built on one of the problems.
Prepared FamilySearch::attempt_part(const FamilyRun& run, std::size_t part, int candidate,
                                    TimeShare& time) {
  const FamilyPlan& plan = run.plan;
  const Problem& problem = plan.problems[part];
  const Candidate& wanted = plan.candidates[static_cast<std::size_t>(candidate)];
  if (candidate != 0 && quarantine_.holds(wanted)) return {Outcome::skipped, 0, 0, kQuarantined};
  const auto flops = [&](const Candidate& one) { return one.variant->flops(problem, one.config); };
  const double times = flops(wanted) / std::max(flops(plan.candidates[0]), 1.0);
  if (candidate != 0 && repeats_too_much(kSweptWork, times, times * run.anchor_ns[part])) {
    return {Outcome::skipped, 0, 0,
            "does " + std::to_string(std::lround(times)) + " times the default's work"};
  }
  const json reply =
      conversation_.ask("prepare " + to_string(problem) + " " + std::to_string(candidate), [&] {
        const double begin = conversation_.elapsed_s();
        json value = to_json(arms_->prepare(run, part, candidate));
        value["seconds"] = conversation_.elapsed_s() - begin;
        value["late"] = conversation_.elapsed_s() > time.until_s;
        return value;
      });
  time.late = reply.at("late").get<bool>();
  Prepared prepared = prepared_from_json(reply);
  quarantine_.report(wanted, to_string(problem), prepared.outcome);
  if (candidate > 0) {  // the first one waits for the problem's data too
    attempt_s_ += reply.at("seconds").get<double>();
    ++attempts_;
  }
  return prepared;
}

}  // namespace loratune
