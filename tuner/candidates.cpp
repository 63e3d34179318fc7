#include "tuner/candidates.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "tuner/enumerate.h"
#include "tuner/random.h"

namespace loratune {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

// Collects configs of one variant, refusing what some problem cannot tell from an earlier one.
class Sample {
 public:
  Sample(const Variant& variant, std::span<const Problem> problems, const DeviceInfo& device)
      : variant_(variant), device_(device) {
    for (const Problem& problem : problems) {
      if (variant.supports(problem, device)) problems_.push_back(problem);
    }
  }

  const std::vector<Problem>& problems() const { return problems_; }
  std::vector<Config>& configs() { return configs_; }
  int size() const { return static_cast<int>(configs_.size()); }

  bool allowed(const Config& config) const {
    return std::any_of(problems_.begin(), problems_.end(), [&](const Problem& problem) {
      return variant_.space.constraint(config, problem, device_);
    });
  }

  bool add(const Config& config) {
    if (std::find(configs_.begin(), configs_.end(), config) != configs_.end()) return false;
    configs_.push_back(config);
    return true;
  }

  // As add(), but also refuses a config whose plans are all equal to those of an earlier one.
  bool add_distinct(const Config& config) {
    for (; planned_ < configs_.size(); ++planned_) plans_.push_back(plans(configs_[planned_]));
    std::vector<LaunchPlan> own = plans(config);
    if (std::find(plans_.begin(), plans_.end(), own) != plans_.end() || !add(config)) return false;
    plans_.push_back(std::move(own));
    ++planned_;
    return true;
  }

 private:
  // One for each problem; without a launch where the config is not allowed.
  std::vector<LaunchPlan> plans(const Config& config) const {
    std::vector<LaunchPlan> all;
    for (const Problem& problem : problems_) {
      const bool allowed = variant_.space.constraint(config, problem, device_);
      all.push_back(allowed ? variant_.plan(problem, config, device_) : LaunchPlan{});
      all.back().source.clear();  // the same in all plans of a variant, and long to compare
    }
    return all;
  }

  const Variant& variant_;
  const DeviceInfo& device_;
  std::vector<Problem> problems_;
  std::vector<Config> configs_;
  std::vector<std::vector<LaunchPlan>> plans_;
  std::size_t planned_ = 0;
};

// The config with one or two of its parameters at another value.
Config mutate(const SearchSpace& space, Config config, Random& random) {
  const std::uint64_t moves = 1 + random.below(2);
  for (std::uint64_t move = 0; move < moves; ++move) {
    const auto i = static_cast<int>(random.below(space.parameters.size()));
    const auto& values = space.parameters[at(i)].values;
    config[i] = values[random.below(values.size())];
  }
  return config;
}

}  // namespace

std::vector<Config> sample_configs(const Variant& variant, std::span<const Problem> problems,
                                   const DeviceInfo& device, int count, std::uint64_t seed) {
  Sample sample(variant, problems, device);
  for (const Problem& problem : sample.problems()) {
    const Config config = variant.default_config(problem, device);
    if (sample.size() < count) sample.add(config);
  }
  const std::vector<Config> defaults = sample.configs();
  if (defaults.empty()) return {};

  std::vector<Config> allowed;
  for_each_allowed(
      axes_of(variant.space), [&](const Config& config) { return sample.allowed(config); },
      [&](const Config& config) { allowed.push_back(config); });
  if (static_cast<std::int64_t>(allowed.size()) <= count) {
    const auto is_default = [&](const Config& config) {
      return std::find(defaults.begin(), defaults.end(), config) != defaults.end();
    };
    std::copy_if(allowed.begin(), allowed.end(), std::back_inserter(sample.configs()),
                 std::not_fn(is_default));
    return sample.configs();
  }

  Random random(seed);
  random.shuffle(allowed);
  // In turn, so that however early the list is cut off, both kinds are among what is tried.
  const auto add_mutation = [&] {
    constexpr int kTries = 20;  // the neighbourhood of the defaults may hold fewer than are wanted
    const int before = sample.size();
    for (int tries = kTries; sample.size() == before && tries > 0; --tries) {
      const Config config = mutate(variant.space, defaults[random.below(defaults.size())], random);
      if (sample.allowed(config)) sample.add_distinct(config);
    }
    return sample.size() > before;
  };
  bool neighbours_left = true;
  for (auto next = allowed.begin();
       sample.size() < count && (neighbours_left || next != allowed.end());) {
    neighbours_left = neighbours_left && add_mutation();
    if (next != allowed.end() && sample.size() < count) sample.add_distinct(*next++);
  }
  return sample.configs();
}

std::vector<Candidate> candidates_for(const Problem& problem, const DeviceInfo& device,
                                      std::span<const Candidate> pool, const Candidate& anchor) {
  std::vector<Candidate> candidates = {anchor};
  std::vector<LaunchPlan> plans = {anchor.variant->plan(problem, anchor.config, device)};
  for (const Candidate& candidate : pool) {
    if (!can_run(*candidate.variant, candidate.config, problem, device)) continue;
    LaunchPlan plan = candidate.variant->plan(problem, candidate.config, device);
    bool known = false;
    for (std::size_t i = 0; i < plans.size() && !known; ++i) {
      known = candidates[i].variant == candidate.variant && plans[i] == plan;
    }
    if (known) continue;
    candidates.push_back(candidate);
    plans.push_back(std::move(plan));
  }
  return candidates;
}

}  // namespace loratune
