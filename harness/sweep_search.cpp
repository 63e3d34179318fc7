#include <algorithm>
#include <cmath>
#include <set>

#include "dispatch/default_choice.h"
#include "harness/sweep.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr double kWorthTimingNs =
    20e6;  // what repeats so much work that it would take longer is not tried
constexpr double kRepeatedWork = 5;  // that much: multiples of the default's flops
constexpr const char* kQuarantined = "failed on two problems before";
constexpr std::size_t kBatch = 6;  // configs built and then measured before the next are chosen
constexpr std::size_t kFloor = 4;  // configs tried however little time there is
// The search ends where no config is expected to be so much better, in ln time, but not before it
// has seen enough to expect anything.
constexpr double kWorthTrying = 0.01;
constexpr std::size_t kEnough = 30;

}  // namespace

json to_json(const Prepared& prepared) {
  return {{"outcome", to_string(prepared.outcome)},
          {"probe_ns", prepared.probe_ns},
          {"error", prepared.error_over_bound},
          {"detail", prepared.detail}};
}

Prepared prepared_from(const json& reply) {
  Prepared prepared;
  prepared.outcome =
      parse_outcome(reply.at("outcome").get<std::string>()).value_or(Outcome::skipped);
  prepared.probe_ns = reply.at("probe_ns").get<double>();
  prepared.error_over_bound = reply.at("error").get<double>();
  prepared.detail = reply.at("detail").get<std::string>();
  return prepared;
}

// Equal programs are built once.
Prepared Sweep::build(const Problem& problem, const Candidate& candidate, double until_s,
                      bool& late) {
  const LaunchPlan plan = candidate.variant->plan(problem, candidate.config, device_);
  const std::string program = program_key(plan);
  const auto known = built_.find(program);
  if (known != built_.end()) return known->second;
  if (quarantine_.holds(candidate)) {
    return {Outcome::skipped, 0, 0, kQuarantined};
  }
  const std::string tag = "build " + group_key(problem) + " " +
                          std::string(candidate.variant->name) + " " +
                          to_string(candidate.variant->space, candidate.config);
  const json reply = ask(tag, [&] {
    const double begin = journal_.elapsed();
    json value = to_json(worker_->build(problem, plan));
    value["seconds"] = journal_.elapsed() - begin;
    value["late"] = journal_.elapsed() > until_s;
    return value;
  });
  late = reply.at("late").get<bool>();
  build_s_ += reply.at("seconds").get<double>();
  ++builds_;
  built_from_.push_back(candidate);
  const Prepared& prepared = built_.emplace(program, prepared_from(reply)).first->second;
  quarantine_.report(candidate, group_key(problem), prepared.outcome);
  return prepared;
}

// What each point costs to try, in attempts: one, and what building takes where its program was not
// built yet.
std::vector<double> Sweep::prices(std::span<const SpacePoint> space,
                                  std::span<const std::size_t> programs,
                                  const Problem& problem) const {
  std::set<std::size_t> built;
  for (const Candidate& candidate : built_from_) {
    const auto variant =
        std::find(options_.variants.begin(), options_.variants.end(), candidate.variant);
    if (variant == options_.variants.end() ||
        !can_run(*candidate.variant, candidate.config, problem, device_) ||
        !built_.contains(
            program_key(candidate.variant->plan(problem, candidate.config, device_)))) {
      continue;
    }
    const SpacePoint point{static_cast<int>(variant - options_.variants.begin()), candidate.config};
    const auto at = std::find(space.begin(), space.end(), point);
    if (at != space.end()) built.insert(programs[static_cast<std::size_t>(at - space.begin())]);
  }
  constexpr double kUsualBuild = 10;
  const double a_build = builds_ > 0 && attempts_ > 0 && attempt_s_ > 0
                             ? build_s_ / builds_ / (attempt_s_ / attempts_)
                             : kUsualBuild;
  std::vector<double> prices;
  for (const std::size_t program : programs) {
    prices.push_back(built.contains(program) ? 1 : 1 + a_build);
  }
  return prices;
}

// A default whose built kernel exceeds what the driver grants it gives way to the next in line.
Prepared Sweep::settle_anchor(ProblemPlan& plan, double until_s, bool& late) {
  Prepared built = build(plan.problem, plan.candidates[0], until_s, late);
  for (const Choice& choice : fallback_choices(plan.problem, device_)) {
    if (built.outcome != Outcome::constraints) break;
    plan.candidates[0] = {choice.variant, choice.config};
    built = build(plan.problem, plan.candidates[0], until_s, late);
  }
  return built;
}

// Outcomes of the candidates, which it adds to the plan.
std::vector<Prepared> Sweep::search(Running& running, double until_s) {
  ProblemPlan& plan = running.plan;
  bool late = false;
  std::vector<Prepared> prepared = {settle_anchor(plan, until_s, late)};
  if (prepared[0].outcome == Outcome::correct) prepared[0] = attempt(plan, 0, 0, until_s, late);
  if (prepared[0].outcome != Outcome::correct) return prepared;

  const std::vector<SpacePoint> space = search_space(options_.variants, plan.problem, device_);
  running.space = static_cast<double>(space.size());
  std::vector<Known> known = options_.known;
  known.insert(known.end(), known_.begin(), known_.end());
  Strategy strategy(StrategyKind::automatic, space,
                    first_points(options_.variants, space, plan.problem, device_, known),
                    seed_of("search " + to_string(plan.problem)));
  std::vector<LaunchPlan> tried;
  const auto plan_of = [&](const Candidate& candidate) {
    LaunchPlan launch = candidate.variant->plan(plan.problem, candidate.config, device_);
    // The same in all plans of a variant, and long to compare.
    launch.source = candidate.variant->name;
    return launch;
  };
  tried.push_back(plan_of(plan.candidates[0]));
  const auto most =
      options_.evaluations > 0 ? static_cast<std::size_t>(options_.evaluations) : space.size();
  const std::vector<std::size_t> programs =
      programs_of(options_.variants, space, plan.problem, device_);
  while (prepared.size() < most && (!late || prepared.size() <= kFloor)) {
    if (prepared.size() > kEnough && strategy.expected_gain() < kWorthTrying) break;
    std::vector<std::size_t> fresh;
    const auto asked = strategy.ask(std::min(kBatch, most - prepared.size()),
                                    prices(space, programs, plan.problem));
    if (asked.empty()) break;
    for (const std::size_t point : asked) {
      const Candidate candidate{options_.variants[static_cast<std::size_t>(space[point].variant)],
                                space[point].config};
      LaunchPlan launch = plan_of(candidate);
      const auto same = std::find(tried.begin(), tried.end(), launch);
      if (same != tried.end()) {
        const auto i = static_cast<std::size_t>(same - tried.begin());
        strategy.tell(point, i < prepared.size() ? prepared[i].probe_ns : 0);
      } else if (options_.mode != Mode::fast && !launch.deterministic) {
        strategy.tell(point, 0);
      } else {
        tried.push_back(std::move(launch));
        plan.candidates.push_back(candidate);
        fresh.push_back(point);
      }
    }
    // All of a batch are built before any is timed. What there is no time to build is left out.
    std::size_t built = prepared.size();
    while (built < plan.candidates.size() && (built <= kFloor || !late)) {
      build(plan.problem, plan.candidates[built++], until_s, late);
    }
    plan.candidates.resize(built);
    tried.resize(built);
    fresh.resize(built - prepared.size());
    for (const std::size_t point : fresh) {
      prepared.push_back(
          attempt(plan, static_cast<int>(prepared.size()), prepared[0].probe_ns, until_s, late));
      strategy.tell(point, prepared.back().probe_ns);
    }
  }
  return prepared;
}

// Checks and probes a candidate that was built; `late` is set once the time is up.
Prepared Sweep::attempt(const ProblemPlan& plan, int candidate, double anchor_ns, double until_s,
                        bool& late) {
  const Candidate& wanted = plan.candidates[static_cast<std::size_t>(candidate)];
  const Prepared built = build(plan.problem, wanted, until_s, late);
  if (built.outcome != Outcome::correct) return built;
  if (candidate != 0 && quarantine_.holds(wanted)) return {Outcome::skipped, 0, 0, kQuarantined};
  const auto flops = [&](const Candidate& one) {
    return one.variant->flops(plan.problem, one.config);
  };
  const double repeated = flops(wanted) / std::max(flops(plan.candidates[0]), 1.0);
  if (repeated > kRepeatedWork && repeated * anchor_ns > kWorthTimingNs) {
    return {Outcome::skipped, 0, 0,
            "does " + std::to_string(std::lround(repeated)) + " times the default's work"};
  }
  const json reply =
      ask("prepare " + to_string(plan.problem) + " " + std::to_string(candidate), [&] {
        const double begin = journal_.elapsed();
        json value = to_json(live_prepare(plan, candidate, anchor_ns));
        value["seconds"] = journal_.elapsed() - begin;
        value["late"] = journal_.elapsed() > until_s;
        return value;
      });
  late = reply.at("late").get<bool>();
  quarantine_.report(
      wanted, to_string(plan.problem),
      parse_outcome(reply.at("outcome").get<std::string>()).value_or(Outcome::skipped));
  if (candidate > 0) {  // the first one waits for the problem's data too
    attempt_s_ += reply.at("seconds").get<double>();
    ++attempts_;
  }
  return prepared_from(reply);
}

}  // namespace loratune
