#include "harness/bench/rivals.h"

#include <algorithm>
#include <stdexcept>

#include "harness/base/repeated_work.h"
#include "harness/bench/clblast_arm.h"
#include "loratune/dispatch/default_choice.h"

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
  const Variant* general = general_variant(problem, device);
  if (std::find(listed.begin(), listed.end(), general) == listed.end()) listed.push_back(general);
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
  if (problem.m > 0) {
    all.push_back({"host", std::nullopt});
    all.push_back({"openblas", std::nullopt});
    if (have_clblast()) all.push_back({"clblast", std::nullopt});
  }
  if (all.size() > kMostArms) {
    throw std::invalid_argument("--variants: too many to be timed in one round");
  }
  return all;
}

}  // namespace loratune
