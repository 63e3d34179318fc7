#include "harness/bench/rivals.h"

#include <algorithm>
#include <stdexcept>

#include "harness/base/repeated_work.h"
#include "harness/bench/clblast_arm.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/variants/slices.h"

namespace loratune {
namespace {

constexpr int kMostArms = 13;

}  // namespace

std::vector<Rival> list_rivals(const Problem& problem, const DeviceInfo& device,
                               const BenchOptions& options, const Dispatcher* tuned) {
  std::vector<Rival> all;
  if (tuned != nullptr) all.push_back({"tuned", tuned->pick(problem, options.mode)});
  all.push_back({"default", default_choice(problem, device, options.mode)});
  std::vector<const Variant*> listed = options.variants;
  const auto list = [&](const Variant* variant) {
    if (std::find(listed.begin(), listed.end(), variant) == listed.end()) listed.push_back(variant);
  };
  // What takes groups only launches the modules one by one: what a group has to beat.
  for (const Variant* variant : variants()) {
    if (variant->supports(problem, device) &&
        !variant->supports(slice_problem(problem, 0), device)) {
      list(variant);
    }
  }
  list(general_variant(problem, device));
  for (const Variant* variant : listed) {
    if (variant == nullptr || !variant->supports(problem, device)) continue;
    Choice choice;
    choice.variant = variant;
    choice.config = variant->default_config(problem, device);
    const double flops = variant->flops(problem, choice.config);
    if (repeats_too_much(kBenchedWork, flops / useful_flops(problem), flops)) continue;
    all.push_back({std::string(variant->name), choice});
  }
  all.push_back({"launch", std::nullopt});
  // A merge, whose x is no wider than the rank, moves little but y.
  if (problem.m > 0 && problem.k <= problem.rank) all.push_back({"copy_y", std::nullopt});
  if (problem.m > 0 && problem.dora) all.push_back({"without_dora", std::nullopt});
  if (problem.m > 0 && problem.adapters > 0) all.push_back({"one_adapter", std::nullopt});
  if (problem.m > 0 && !problem.dora && problem.adapters == 0) {
    if (slice_count(problem) == 1) all.push_back({"host", std::nullopt});
    all.push_back({"openblas", std::nullopt});
    if (have_clblast() && slice_count(problem) == 1) all.push_back({"clblast", std::nullopt});
  }
  if (all.size() > kMostArms) {
    throw std::invalid_argument("--variants: too many to be timed in one round");
  }
  return all;
}

}  // namespace loratune
