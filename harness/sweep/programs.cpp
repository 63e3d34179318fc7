#include "harness/sweep/programs.h"

#include <algorithm>

#include "harness/worker/protocol.h"
#include "loratune/dispatch/default_choice.h"

namespace loratune {

using nlohmann::json;

Programs::Programs(Conversation& conversation, const DeviceInfo& device, Quarantine* quarantine,
                   Worker* worker, BuildAhead* ahead)
    : conversation_(conversation),
      device_(device),
      quarantine_(quarantine),
      worker_(worker),
      ahead_(ahead) {}

bool Programs::given_up(const Candidate& candidate) const {
  return quarantine_ != nullptr && quarantine_->holds(candidate);
}

Prepared Programs::build_one(const Problem& problem, const Candidate& candidate, TimeShare& time,
                             int tries) {
  const LaunchPlan plan = candidate.variant->plan(problem, candidate.config, device_);
  const std::string program = program_key(plan);
  const auto known = built_.find(program);
  if (known != built_.end()) return known->second;
  if (given_up(candidate)) return {Outcome::skipped, 0, 0, kQuarantined};
  const std::string tag = "build " + group_key(problem) + " " +
                          std::string(candidate.variant->name) + " " +
                          to_string(candidate.variant->space, candidate.config);
  const json reply = conversation_.ask(tag, [&] {
    const double begin = conversation_.elapsed_s();
    Prepared prepared = worker_->build(problem, plan);
    for (int i = 1; i < tries && is_loss(prepared.outcome); ++i) {
      prepared = worker_->build(problem, plan);
    }
    json value = to_json(prepared);
    value["seconds"] = conversation_.elapsed_s() - begin;
    value["late"] = conversation_.elapsed_s() > time.until_s;
    return value;
  });
  time.late = reply.at("late").get<bool>();
  const auto seconds = reply.at("seconds").get<double>();
  build_s_ += seconds;
  if (built_ahead_.contains(program)) ledger_.found += seconds;
  ++builds_;
  built_from_.push_back(candidate);
  const Prepared& prepared = built_.emplace(program, prepared_from_json(reply)).first->second;
  if (quarantine_ != nullptr) {
    quarantine_->report(candidate, group_key(problem), prepared.outcome);
  }
  return prepared;
}

Prepared Programs::build(const Family& family, const Candidate& candidate, TimeShare& time) {
  return build(family, candidate, time, 1);
}

Prepared Programs::build(const Family& family, const Candidate& candidate, TimeShare& time,
                         int tries) {
  Prepared prepared;
  for (const Problem& problem : family) {
    if (!can_run(*candidate.variant, candidate.config, problem, device_)) {
      return {Outcome::constraints, 0, 0, "cannot run " + to_string(problem)};
    }
    prepared = build_one(problem, candidate, time, tries);
    if (prepared.outcome != Outcome::correct) break;
  }
  return prepared;
}

Prepared Programs::settle_default(const Family& family, Candidate& standard, TimeShare& time) {
  constexpr int kTries = 2;
  Prepared built = build(family, standard, time, kTries);
  for (const Choice& choice : fallback_choices(family.front(), device_)) {
    if (built.outcome != Outcome::constraints) break;
    standard = {choice.variant, choice.config};
    built = build(family, standard, time, kTries);
  }
  return built;
}

void Programs::build_ahead(const Family& family, std::span<const Candidate> candidates,
                           std::size_t first) {
  if (!ledger_.pays()) return;
  std::vector<Program> programs;
  std::vector<std::string> keys;
  for (std::size_t i = first; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    for (const Problem& problem : family) {
      if (given_up(candidate) || !can_run(*candidate.variant, candidate.config, problem, device_)) {
        break;
      }
      LaunchPlan plan = candidate.variant->plan(problem, candidate.config, device_);
      std::string key = program_key(plan);
      if (built_.contains(key) || std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
      keys.push_back(std::move(key));
      programs.push_back({problem, std::move(plan)});
    }
  }
  if (programs.size() < 2) return;
  const json reply = conversation_.ask("ahead " + group_key(family.front()), [&] {
    const double begin = conversation_.elapsed_s();
    json seconds = json::array();
    for (const BuiltAhead& one : ahead_->build(programs)) {
      seconds.push_back(one.outcome == Outcome::correct ? one.seconds : 0);
    }
    return json{{"built_s", seconds}, {"seconds", conversation_.elapsed_s() - begin}};
  });
  const auto seconds = reply.at("seconds").get<double>();
  build_s_ += seconds;
  ledger_.side_by_side += seconds;
  const auto built_s = reply.at("built_s").get<std::vector<double>>();
  for (std::size_t i = 0; i < std::min(built_s.size(), keys.size()); ++i) {
    if (built_s[i] == 0) continue;
    ledger_.one_by_one += built_s[i];
    built_ahead_.insert(keys[i]);
  }
}

std::vector<double> Programs::prices(std::span<const Variant* const> variants,
                                     std::span<const SpacePoint> space,
                                     std::span<const std::size_t> numbers, const Problem& problem,
                                     double attempt_s) const {
  constexpr double kUsualBuild = 10;  // attempts, while neither was seen
  std::set<std::size_t> built;
  for (const Candidate& candidate : built_from_) {
    const auto variant = std::find(variants.begin(), variants.end(), candidate.variant);
    if (variant == variants.end() ||
        !can_run(*candidate.variant, candidate.config, problem, device_) ||
        !built_.contains(
            program_key(candidate.variant->plan(problem, candidate.config, device_)))) {
      continue;
    }
    const SpacePoint point{static_cast<int>(variant - variants.begin()), candidate.config};
    const auto at = std::find(space.begin(), space.end(), point);
    if (at != space.end()) built.insert(numbers[static_cast<std::size_t>(at - space.begin())]);
  }
  const double a_build =
      builds_ > 0 && attempt_s > 0 ? build_s_ / builds_ / attempt_s : kUsualBuild;
  std::vector<double> prices;
  for (const std::size_t number : numbers) {
    prices.push_back(built.contains(number) ? 1 : 1 + a_build);
  }
  return prices;
}

}  // namespace loratune
