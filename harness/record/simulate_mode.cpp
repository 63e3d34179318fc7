#include <algorithm>
#include <cmath>

#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/record/modes.h"
#include "harness/record/recording.h"
#include "harness/sweep/plan.h"
#include "tuner/random.h"
#include "tuner/statistics.h"
#include "tuner/strategy.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr std::size_t kKept = 3;  // of what was found, for neighbours to begin with

// A recorded problem as a strategy sees it.
struct Landscape {
  Problem problem;
  std::vector<SpacePoint> space;
  std::vector<std::size_t> starts;  // the default, then starting_points()
  std::vector<double> costs;        // NaN: cannot run
  double optimum = 0;
};

// The variants of the recording, null where this build has none of that name and parameters.
std::vector<const Variant*> variants_of(const Recording& recording) {
  std::vector<const Variant*> variants;
  for (const RecordedVariant& recorded : recording.variants) {
    const Variant* variant = find_variant(recorded.name);
    const bool same =
        variant != nullptr &&
        std::ranges::equal(variant->space.parameters, recorded.parameters, {}, &Parameter::name);
    variants.push_back(same ? variant : nullptr);
  }
  return variants;
}

Landscape landscape_of(const RecordedProblem& recorded, std::span<const Variant* const> variants,
                       const DeviceInfo& device) {
  Landscape landscape;
  landscape.problem = recorded.problem;
  landscape.optimum = HUGE_VAL;
  for (const RecordedConfig& config : recorded.configs) {
    landscape.space.push_back({config.variant, config.config});
    landscape.costs.push_back(recorded_ns(config));
    landscape.optimum = std::fmin(landscape.optimum, landscape.costs.back());
  }
  landscape.starts = {0};
  append_new(landscape.starts,
             starting_points(variants, landscape.space, landscape.problem, device));
  return landscape;
}

std::size_t allowance(const Landscape& landscape, const Options& options) {
  const double all = static_cast<double>(landscape.space.size());
  const double wanted =
      options.evaluations > 0 ? options.evaluations : std::ceil(0.01 * options.share * all);
  return static_cast<std::size_t>(std::clamp(wanted, 1.0, all));
}

// Of one run: optimum / best so far, after each evaluation.
using Curve = std::vector<double>;

Curve search(const Landscape& landscape, Strategy& strategy, std::size_t evaluations) {
  Curve curve;
  double best = HUGE_VAL;
  while (curve.size() < evaluations) {
    const auto asked = strategy.ask(1);
    if (asked.empty()) break;
    for (const std::size_t point : asked) {
      strategy.tell(point, landscape.costs[point]);
      best = std::fmin(best, landscape.costs[point]);
      curve.push_back(landscape.optimum / best);
    }
  }
  return curve;
}

// The problems in a seeded order, each beginning with what the earlier ones found where the
// strategy listens to that. Curves in the recording's order.
std::vector<Curve> search_all(const std::vector<Landscape>& landscapes, const Options& options,
                              std::uint64_t seed) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < landscapes.size(); ++i) order.push_back(i);
  Random(mix_seed(seed, 0)).shuffle(order);
  std::vector<Curve> curves(landscapes.size());
  std::vector<Found> found;
  for (const std::size_t i : order) {
    const Landscape& landscape = landscapes[i];
    std::vector<std::size_t> hints = landscape.starts;
    if (options.strategy == StrategyKind::automatic) {
      append_new(hints, warm_start(landscape.problem, landscape.space, found));
    }
    Strategy strategy(options.strategy, landscape.space, hints, mix_seed(seed, i + 1));
    curves[i] = search(landscape, strategy, allowance(landscape, options));
    Found one{landscape.problem, {}};
    for (const std::size_t point : strategy.best(kKept)) one.best.push_back(landscape.space[point]);
    found.push_back(std::move(one));
  }
  return curves;
}

void print(const std::vector<Landscape>& landscapes, const std::vector<std::vector<Curve>>& runs,
           const Options& options) {
  std::printf("%-36s %7s %12s %11s %8s %8s %8s\n", "problem", "configs", "optimum us",
              "evaluations", "median", "5 %", "least");
  std::vector<double> all;
  const auto row = [](const char* name, std::size_t configs, double us, std::size_t evaluations,
                      const std::vector<double>& reached) {
    std::printf("%-36s %7zu %12.2f %11zu %8.3f %8.3f %8.3f\n", name, configs, us, evaluations,
                quantile(reached, 0.5), quantile(reached, 0.05), quantile(reached, 0));
  };
  for (std::size_t i = 0; i < landscapes.size(); ++i) {
    std::vector<double> reached;
    for (const auto& curves : runs) reached.push_back(curves[i].back());
    all.insert(all.end(), reached.begin(), reached.end());
    row(to_string(landscapes[i].problem).c_str(), landscapes[i].space.size(),
        landscapes[i].optimum * 1e-3, runs[0][i].size(), reached);
  }
  std::printf("\n%s, %d seeds, fraction of the recorded optimum: median %.4f, 5 %% %.4f\n",
              std::string(to_string(options.strategy)).c_str(), options.seeds, quantile(all, 0.5),
              quantile(all, 0.05));
}

}  // namespace

int simulate_mode(const Options& options) {
  std::vector<Landscape> landscapes;
  const Recording recording = read_recording(options.replay);
  const std::vector<const Variant*> variants = variants_of(recording);
  for (const RecordedProblem& problem : recording.problems) {
    landscapes.push_back(landscape_of(problem, variants, recording.device));
    if (!std::isfinite(landscapes.back().optimum)) {
      throw Failure(kExitUsage, "recording '" + options.replay + "': nothing ran on " +
                                    to_string(problem.problem));
    }
  }
  std::vector<std::vector<Curve>> runs;
  for (int i = 0; i < options.seeds; ++i) {
    runs.push_back(search_all(landscapes, options, options.seed + static_cast<unsigned>(i)));
  }
  if (!options.json) {
    print(landscapes, runs, options);
    return kExitGood;
  }
  json result = {{"strategy", to_string(options.strategy)}, {"problems", json::array()}};
  for (std::size_t i = 0; i < landscapes.size(); ++i) {
    json curves = json::array();
    for (const auto& run : runs) curves.push_back(run[i]);
    result["problems"].push_back({{"problem", to_string(landscapes[i].problem)},
                                  {"configs", landscapes[i].space.size()},
                                  {"fractions", curves}});
  }
  std::printf("%s\n", result.dump().c_str());
  return kExitGood;
}

}  // namespace loratune
