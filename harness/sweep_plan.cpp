#include "harness/sweep_plan.h"

#include <algorithm>

#include "dispatch/default_choice.h"

namespace loratune {
namespace {

constexpr std::size_t kConfigsPerVariant = 64;  // of a group, where the time allows

std::string group_key(const Problem& p) {
  return std::string(to_string(p.op)) + "_r" + std::to_string(p.rank) + "_" +
         std::string(to_string(p.dtype)) + (p.accumulate ? "_acc" : "_set");
}

bool mode_allows(Mode mode, const LaunchPlan& plan) {
  return mode == Mode::fast || plan.deterministic;
}

}  // namespace

std::vector<Group> plan_sweep(const SweepOptions& options, const DeviceInfo& device) {
  std::vector<Group> groups;
  for (const Problem& problem : options.problems) {
    const std::string key = group_key(problem);
    auto group =
        std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.key == key; });
    if (group == groups.end()) group = groups.insert(groups.end(), Group{key, {}});
    group->problems.push_back({problem, {}, 0});
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
