#include <algorithm>
#include <cmath>

#include "harness/sweep/sweep.h"
#include "tuner/statistics.h"

namespace loratune {
namespace {

using nlohmann::json;

// What repeats so much of the default's work that it would take longer, at the same rate, is not
// tried; it may well take a hundred times as long.
constexpr double kWorthTimingNs = 5e6;
constexpr double kRepeatedWork = 5;  // that much: multiples of the default's flops
// A config that takes so many times the default's time on one problem of a family is of no use,
// however fast it is on the others.
constexpr double kSlowSomewhere = 1.25;
constexpr std::size_t kBatch = 6;  // configs built and then measured before the next are chosen
constexpr std::size_t kFloor = 4;  // configs tried however little time there is
// The search ends where no config is expected to be so much better, in ln time, but not before it
// has seen enough to expect anything.
constexpr double kWorthTrying = 0.01;
constexpr std::size_t kEnough = 30;

}  // namespace

// Outcomes of the candidates, which it adds to the plan.
std::vector<Prepared> Sweep::search(Running& running, double until_s) {
  FamilyPlan& plan = running.plan;
  const Problem& first = plan.problems.front();
  bool late = false;
  std::vector<Prepared> prepared = {settle_anchor(plan, until_s, late)};
  if (prepared[0].outcome == Outcome::correct) prepared[0] = attempt(running, 0, until_s, late);
  if (prepared[0].outcome != Outcome::correct) return prepared;

  const std::vector<SpacePoint> space =
      search_space(options_.variants, plan.problems, options_.mode, device_);
  running.space = static_cast<double>(space.size());
  std::vector<Known> known = options_.known;
  known.insert(known.end(), known_.begin(), known_.end());
  Strategy strategy(StrategyKind::automatic, space,
                    first_points(options_.variants, space, first, device_, known),
                    seed_of("search " + to_string(first)));
  std::vector<std::vector<LaunchPlan>> tried;  // by problem
  const auto plans_of = [&](const Candidate& candidate) {
    std::vector<LaunchPlan> launches;
    for (const Problem& problem : plan.problems) {
      launches.push_back(candidate.variant->plan(problem, candidate.config, device_));
      // The same in all plans of a variant, and long to compare.
      launches.back().source = candidate.variant->name;
    }
    return launches;
  };
  tried.push_back(plans_of(plan.candidates[0]));
  const auto most =
      options_.evaluations > 0 ? static_cast<std::size_t>(options_.evaluations) : space.size();
  const std::vector<std::size_t> programs = programs_of(options_.variants, space, first, device_);
  while (prepared.size() < most && (!late || prepared.size() <= kFloor)) {
    if (prepared.size() > kEnough && strategy.expected_gain() < kWorthTrying) break;
    std::vector<std::size_t> fresh;
    const auto asked =
        strategy.ask(std::min(kBatch, most - prepared.size()), prices(space, programs, first));
    if (asked.empty()) break;
    for (const std::size_t point : asked) {
      const Candidate candidate{options_.variants[static_cast<std::size_t>(space[point].variant)],
                                space[point].config};
      std::vector<LaunchPlan> launches = plans_of(candidate);
      const auto same = std::find(tried.begin(), tried.end(), launches);
      const bool same_bits =
          std::all_of(launches.begin(), launches.end(),
                      [](const LaunchPlan& launch) { return launch.deterministic; });
      if (same != tried.end()) {
        const auto i = static_cast<std::size_t>(same - tried.begin());
        strategy.tell(point, i < prepared.size() ? prepared[i].probe_ns : 0);
      } else if (options_.mode != Mode::fast && !same_bits) {
        strategy.tell(point, 0);
      } else {
        tried.push_back(std::move(launches));
        plan.candidates.push_back(candidate);
        fresh.push_back(point);
      }
    }
    // All of a batch are built before any is timed. What there is no time to build is left out.
    std::size_t built = prepared.size();
    build_ahead(plan, built);
    while (built < plan.candidates.size() && (built <= kFloor || !late)) {
      build(plan.problems, plan.candidates[built++], until_s, late);
    }
    plan.candidates.resize(built);
    tried.resize(built);
    fresh.resize(built - prepared.size());
    for (const std::size_t point : fresh) {
      prepared.push_back(attempt(running, static_cast<int>(prepared.size()), until_s, late));
      strategy.tell(point, prepared.back().probe_ns);
    }
  }
  return prepared;
}

// Checks and probes a candidate on all problems of the family; `late` is set once the time is up.
Prepared Sweep::attempt(Running& running, int candidate, double until_s, bool& late) {
  const FamilyPlan& plan = running.plan;
  const Candidate& wanted = plan.candidates[static_cast<std::size_t>(candidate)];
  const Prepared built = build(plan.problems, wanted, until_s, late);
  if (built.outcome != Outcome::correct) return built;
  Prepared all = built;
  std::vector<double> probes;
  double worst = 0;  // multiple of the default's time
  for (std::size_t part = 0; part < plan.problems.size(); ++part) {
    const Prepared one = attempt(running, part, candidate, until_s, late);
    if (one.outcome != Outcome::correct) return one;
    all.error_over_bound = std::max(all.error_over_bound, one.error_over_bound);
    probes.push_back(one.probe_ns);
    if (candidate > 0) worst = std::max(worst, one.probe_ns / running.anchor_ns[part]);
  }
  all.probe_ns = geometric_mean(probes);
  if (candidate == 0) running.anchor_ns = probes;
  if (plan.problems.size() > 1 && worst > kSlowSomewhere) {
    all.outcome = Outcome::slow;
    all.probe_ns = worst * geometric_mean(running.anchor_ns);  // what the search is to think of it
  }
  return all;
}

// Of a candidate that was built, on one of the problems.
Prepared Sweep::attempt(const Running& running, std::size_t part, int candidate, double until_s,
                        bool& late) {
  const FamilyPlan& plan = running.plan;
  const Problem& problem = plan.problems[part];
  const Candidate& wanted = plan.candidates[static_cast<std::size_t>(candidate)];
  if (candidate != 0 && quarantine_.holds(wanted)) return {Outcome::skipped, 0, 0, kQuarantined};
  const auto flops = [&](const Candidate& one) { return one.variant->flops(problem, one.config); };
  const double repeated = flops(wanted) / std::max(flops(plan.candidates[0]), 1.0);
  if (candidate != 0 && repeated > kRepeatedWork &&
      repeated * running.anchor_ns[part] > kWorthTimingNs) {
    return {Outcome::skipped, 0, 0,
            "does " + std::to_string(std::lround(repeated)) + " times the default's work"};
  }
  const json reply = ask("prepare " + to_string(problem) + " " + std::to_string(candidate), [&] {
    const double begin = journal_.elapsed();
    json value = to_json(live_prepare(running, part, candidate));
    value["seconds"] = journal_.elapsed() - begin;
    value["late"] = journal_.elapsed() > until_s;
    return value;
  });
  late = reply.at("late").get<bool>();
  const Prepared prepared = prepared_from(reply);
  quarantine_.report(wanted, to_string(problem), prepared.outcome);
  if (candidate > 0) {  // the first one waits for the problem's data too
    attempt_s_ += reply.at("seconds").get<double>();
    ++attempts_;
  }
  return prepared;
}

}  // namespace loratune
