#include <algorithm>
#include <set>

#include "harness/sweep/sweep.h"
#include "loratune/dispatch/default_choice.h"

namespace loratune {

using nlohmann::json;

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
  if (built_ahead_.contains(program)) ledger_.found += reply.at("seconds").get<double>();
  ++builds_;
  built_from_.push_back(candidate);
  const Prepared& prepared = built_.emplace(program, prepared_from(reply)).first->second;
  quarantine_.report(candidate, group_key(problem), prepared.outcome);
  return prepared;
}

Prepared Sweep::build(const Family& family, const Candidate& candidate, double until_s,
                      bool& late) {
  Prepared prepared;
  for (const Problem& problem : family) {
    if (!can_run(*candidate.variant, candidate.config, problem, device_)) {
      return {Outcome::constraints, 0, 0, "cannot run " + to_string(problem)};
    }
    prepared = build(problem, candidate, until_s, late);
    if (prepared.outcome != Outcome::correct) break;
  }
  return prepared;
}

// Has the candidates from number `first` on built side by side, so that the worker finds them
// built, as long as that pays.
void Sweep::build_ahead(const FamilyPlan& plan, std::size_t first) {
  if (!ledger_.pays()) return;
  std::vector<Program> programs;
  std::vector<std::string> keys;
  for (std::size_t i = first; i < plan.candidates.size(); ++i) {
    const Candidate& candidate = plan.candidates[i];
    for (const Problem& problem : plan.problems) {
      if (quarantine_.holds(candidate) ||
          !can_run(*candidate.variant, candidate.config, problem, device_)) {
        break;
      }
      LaunchPlan launches = candidate.variant->plan(problem, candidate.config, device_);
      std::string key = program_key(launches);
      if (built_.contains(key) || std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
      keys.push_back(std::move(key));
      programs.push_back({problem, std::move(launches)});
    }
  }
  if (programs.size() < 2) return;
  const json reply = ask("ahead " + group_key(plan.problems.front()), [&] {
    const double begin = journal_.elapsed();
    json seconds = json::array();
    for (const BuiltAhead& one : ahead_->build(programs)) {
      seconds.push_back(one.outcome == Outcome::correct ? one.seconds : 0);
    }
    return json{{"built_s", seconds}, {"seconds", journal_.elapsed() - begin}};
  });
  build_s_ += reply.at("seconds").get<double>();
  ledger_.side_by_side += reply.at("seconds").get<double>();
  const auto built_s = reply.at("built_s").get<std::vector<double>>();
  for (std::size_t i = 0; i < std::min(built_s.size(), keys.size()); ++i) {
    if (built_s[i] == 0) continue;
    ledger_.one_by_one += built_s[i];
    built_ahead_.insert(keys[i]);
  }
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
Prepared Sweep::settle_anchor(FamilyPlan& plan, double until_s, bool& late) {
  Prepared built = build(plan.problems, plan.candidates[0], until_s, late);
  for (const Choice& choice : fallback_choices(plan.problems.front(), device_)) {
    if (built.outcome != Outcome::constraints) break;
    plan.candidates[0] = {choice.variant, choice.config};
    built = build(plan.problems, plan.candidates[0], until_s, late);
  }
  return built;
}

}  // namespace loratune
