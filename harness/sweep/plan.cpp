#include "harness/sweep/plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include "loratune/dispatch/default_choice.h"
#include "tuner/enumerate.h"
#include "tuner/stopping.h"

namespace loratune {
namespace {

constexpr std::size_t kPortion = 3;  // problems; more of them share more programs

struct FamilyGroup {
  std::string key;
  std::vector<Family> families;
};

// Groups and families in the order in which they first come up.
std::vector<FamilyGroup> families_of(const std::vector<Problem>& problems, Mode mode) {
  std::vector<FamilyGroup> groups;
  for (const Problem& problem : problems) {
    const std::string key = group_key(problem);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const FamilyGroup& one) { return one.key == key; });
    if (group == groups.end()) group = groups.insert(groups.end(), {key, {}});
    const auto family =
        std::find_if(group->families.begin(), group->families.end(), [&](const Family& one) {
          return regardless_of_m(one.front(), mode) == regardless_of_m(problem, mode);
        });
    if (family == group->families.end()) {
      group->families.push_back({problem});
    } else {
      family->push_back(problem);
    }
  }
  return groups;
}

// Which parameters are no part of the program: only work sizes and arguments depend on them.
std::vector<bool> run_time_parameters(const Variant& variant, const Problem& problem,
                                      const DeviceInfo& device) {
  const auto key = [&](const Config& config) {
    return program_key(variant.plan(problem, config, device));
  };
  const Config start = variant.default_config(problem, device);
  const std::string same = key(start);
  std::vector<bool> run_time;
  for (int i = 0; i < start.size(); ++i) {
    // Shown by other values that are allowed; where there is none, it may well be part of it.
    bool shown = false;
    bool differs = false;
    for (const std::int32_t value : variant.space.parameters[static_cast<std::size_t>(i)].values) {
      Config config = start;
      config[i] = value;
      if (value == start[i] || !variant.space.constraint(config, problem, device)) continue;
      shown = true;
      differs = differs || key(config) != same;
    }
    run_time.push_back(shown && !differs);
  }
  return run_time;
}

}  // namespace

std::string budget_note(const SweepOptions& options, int devices) {
  // 120 problems took 84 s, whatever less their budget was, on two cores of an EPYC under PoCL.
  constexpr double kLeastOfAProblem = 0.7;
  const std::size_t problems = options.problems.size();
  const double least = kLeastOfAProblem * static_cast<double>(problems) / devices;
  if (options.budget_s >= least) return {};
  std::array<char, 400> text{};
  std::snprintf(
      text.data(), text.size(),
      "the budget of %.3g s is less than the %.0f s or so that %zu problems take at least: "
      "%.1f s each, as measured on two CPU cores, to build and check the default and %zu "
      "other configs and to confirm the choice, which is done however late it is",
      options.budget_s, std::ceil(least), problems, kLeastOfAProblem, SearchStop{}.at_least);
  return text.data();
}

std::string group_key(const Problem& p) {
  const std::string slices = p.slices.count == 0 ? "" : "_n" + to_string(p.slices);
  return std::string(to_string(p.op)) + slices + "_r" + std::to_string(p.rank) + "_" +
         to_string(kind_of(p));
}

std::vector<Problem> shard_of(const std::vector<Problem>& problems, Mode mode, int shard,
                              int shards) {
  const auto end_of = [&](int part) {
    return problems.size() * static_cast<std::size_t>(part) / static_cast<std::size_t>(shards);
  };
  std::vector<Problem> part;
  std::size_t at = 0;
  for (const FamilyGroup& group : families_of(problems, mode)) {
    for (const Family& family : group.families) {
      if (end_of(shard - 1) <= at && at < end_of(shard)) {
        part.insert(part.end(), family.begin(), family.end());
      }
      at += family.size();
    }
  }
  return part;
}

std::vector<std::vector<Problem>> portions_of(const std::vector<Problem>& problems, Mode mode) {
  std::vector<std::vector<Problem>> portions;
  for (const FamilyGroup& group : families_of(problems, mode)) {
    bool full = true;
    for (const Family& family : group.families) {
      if (full) portions.emplace_back();
      portions.back().insert(portions.back().end(), family.begin(), family.end());
      full = portions.back().size() >= kPortion;
    }
  }
  return portions;
}

std::vector<Group> plan_sweep(const SweepOptions& options, const DeviceInfo& device) {
  const auto weight_of = [&](const Problem& problem) {
    const auto at = std::find(options.problems.begin(), options.problems.end(), problem);
    const auto i = static_cast<std::size_t>(at - options.problems.begin());
    return options.weights.empty() ? 1 : options.weights[i];
  };
  std::vector<Group> groups;
  for (const FamilyGroup& group : families_of(options.problems, options.mode)) {
    groups.push_back({group.key, {}});
    for (const Family& family : group.families) {
      const Choice choice = default_choice(family.front(), device, options.mode);
      double weight = 0;
      for (const Problem& problem : family) weight += weight_of(problem);
      groups.back().families.push_back({family, {{choice.variant, choice.config}}, weight});
    }
  }
  return groups;
}

std::vector<SpacePoint> search_space(std::span<const Variant* const> variants, const Family& family,
                                     Mode mode, const DeviceInfo& device) {
  std::vector<SpacePoint> space;
  for (std::size_t v = 0; v < variants.size(); ++v) {
    const Variant& variant = *variants[v];
    // Of Mode::batch_invariant it must also do for one row, which may be asked for.
    const Problem first = regardless_of_m(family.front(), mode);
    for (const Config& config : allowed_configs(variant, axes_of(variant.space), first, device)) {
      const bool runs = std::all_of(family.begin(), family.end(), [&](const Problem& problem) {
        return problem == first || can_run(variant, config, problem, device);
      });
      if (runs) space.push_back({static_cast<int>(v), config});
    }
  }
  return space;
}

std::vector<std::size_t> starting_points(std::span<const Variant* const> variants,
                                         std::span<const SpacePoint> space, const Problem& problem,
                                         const DeviceInfo& device) {
  std::vector<SpacePoint> starts, proven;
  for (std::size_t v = 0; v < variants.size(); ++v) {
    if (variants[v] == nullptr || !variants[v]->supports(problem, device)) continue;
    const int number = static_cast<int>(v);
    starts.push_back({number, variants[v]->default_config(problem, device)});
    for (const Config& config : variants[v]->proven) proven.push_back({number, config});
  }
  starts.insert(starts.end(), proven.begin(), proven.end());
  std::vector<std::size_t> points;
  for (const SpacePoint& start : starts) {
    const auto at = std::find(space.begin(), space.end(), start);
    if (at == space.end()) continue;
    const auto point = static_cast<std::size_t>(at - space.begin());
    append_new(points, {&point, 1});
  }
  return points;
}

std::vector<std::size_t> first_points(std::span<const Variant* const> variants,
                                      std::span<const SpacePoint> space, const Problem& problem,
                                      const DeviceInfo& device, std::span<const Known> known) {
  std::vector<std::size_t> points = starting_points(variants, space, problem, device);
  std::vector<Found> found;
  for (const Known& one : known) {
    const auto variant = std::find(variants.begin(), variants.end(), one.choice.variant);
    if (variant == variants.end()) continue;
    const SpacePoint point{static_cast<int>(variant - variants.begin()), one.choice.config};
    const auto same = std::find_if(found.begin(), found.end(),
                                   [&](const Found& f) { return f.problem == one.problem; });
    if (same == found.end()) {
      found.push_back({one.problem, {point}});
    } else {
      same->best.push_back(point);
    }
  }
  append_new(points, warm_start(problem, space, found));
  return points;
}

std::vector<std::size_t> programs_of(std::span<const Variant* const> variants,
                                     std::span<const SpacePoint> space, const Problem& problem,
                                     const DeviceInfo& device) {
  std::vector<std::vector<bool>> run_time;
  for (const Variant* variant : variants) {
    run_time.push_back(variant->supports(problem, device)
                           ? run_time_parameters(*variant, problem, device)
                           : std::vector<bool>{});
  }
  std::map<std::vector<std::int32_t>, std::size_t> numbers;
  std::vector<std::size_t> programs;
  for (const SpacePoint& point : space) {
    std::vector<std::int32_t> values = {point.variant};
    const auto& left_out = run_time[static_cast<std::size_t>(point.variant)];
    for (int i = 0; i < point.config.size(); ++i) {
      if (!left_out[static_cast<std::size_t>(i)]) values.push_back(point.config[i]);
    }
    programs.push_back(numbers.emplace(std::move(values), numbers.size()).first->second);
  }
  return programs;
}

}  // namespace loratune
