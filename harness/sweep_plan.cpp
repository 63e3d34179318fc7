#include "harness/sweep_plan.h"

#include <algorithm>

#include "dispatch/default_choice.h"

namespace loratune {
namespace {

constexpr std::size_t kConfigsPerVariant = 64;  // of a group, where the time allows
constexpr std::size_t kPortion = 3;             // problems; more of them share more programs

bool mode_allows(Mode mode, const LaunchPlan& plan) {
  return mode == Mode::fast || plan.deterministic;
}

// The problems of each group, groups in the order in which they first come up.
std::vector<std::pair<std::string, std::vector<Problem>>> group_problems(
    const std::vector<Problem>& problems) {
  std::vector<std::pair<std::string, std::vector<Problem>>> groups;
  for (const Problem& problem : problems) {
    const std::string key = group_key(problem);
    auto group =
        std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == key; });
    if (group == groups.end()) group = groups.insert(groups.end(), {key, {}});
    group->second.push_back(problem);
  }
  return groups;
}

}  // namespace

std::string group_key(const Problem& p) {
  return std::string(to_string(p.op)) + "_r" + std::to_string(p.rank) + "_" +
         std::string(to_string(p.dtype)) + (p.accumulate ? "_acc" : "_set");
}

std::vector<Problem> shard_of(const std::vector<Problem>& problems, int shard, int shards) {
  const auto end_of = [&](int part) {
    return problems.size() * static_cast<std::size_t>(part) / static_cast<std::size_t>(shards);
  };
  std::vector<Problem> part;
  std::size_t at = 0;
  for (const auto& [key, group] : group_problems(problems)) {
    for (const Problem& problem : group) {
      if (end_of(shard - 1) <= at && at < end_of(shard)) part.push_back(problem);
      ++at;
    }
  }
  return part;
}

std::vector<std::vector<Problem>> portions_of(const std::vector<Problem>& problems) {
  std::vector<std::vector<Problem>> portions;
  for (const auto& [key, group] : group_problems(problems)) {
    for (std::size_t at = 0; at < group.size(); ++at) {
      if (at % kPortion == 0) portions.emplace_back();
      portions.back().push_back(group[at]);
    }
  }
  return portions;
}

std::vector<Group> plan_sweep(const SweepOptions& options, const DeviceInfo& device) {
  std::vector<Group> groups;
  for (const auto& [key, problems] : group_problems(options.problems)) {
    groups.push_back({key, {}});
    for (const Problem& problem : problems) groups.back().problems.push_back({problem, {}, 0});
  }
  for (Group& group : groups) {
    std::vector<Problem> problems;
    for (const ProblemPlan& plan : group.problems) problems.push_back(plan.problem);
    std::vector<std::vector<Config>> sampled;
    for (const Variant* variant : options.variants) {
      sampled.push_back(sample_configs(*variant, problems, device, kConfigsPerVariant,
                                       options.seed * 1000003 + sampled.size()));
    }
    std::vector<Candidate> pool;
    for (std::size_t i = 0; i < kConfigsPerVariant; ++i) {
      for (std::size_t v = 0; v < sampled.size(); ++v) {
        if (i < sampled[v].size()) pool.push_back({options.variants[v], sampled[v][i]});
      }
    }
    for (ProblemPlan& plan : group.problems) {
      const Choice choice = default_choice(plan.problem, device);
      plan.candidates = candidates_for(plan.problem, device, pool, {choice.variant, choice.config});
      std::erase_if(plan.candidates, [&](const Candidate& candidate) {
        return !mode_allows(options.mode,
                            candidate.variant->plan(plan.problem, candidate.config, device));
      });
      for (const Variant* variant : options.variants) {
        plan.space += static_cast<double>(constrained_size(*variant, plan.problem, device));
      }
    }
  }
  return groups;
}

}  // namespace loratune
