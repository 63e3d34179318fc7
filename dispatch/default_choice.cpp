#include "dispatch/default_choice.h"

#include <algorithm>
#include <initializer_list>

namespace loratune {

namespace {

// The first of the variants that supports the problem; `naive` supports every one.
Choice first_of(std::initializer_list<const char*> names, const Problem& problem,
                const DeviceInfo& device) {
  for (const char* name : names) {
    const Variant* variant = find_variant(name);
    if (!variant->supports(problem, device)) continue;
    return {variant, variant->default_config(problem, device), DeviceMatch::none,
            ShapeMatch::fallback};
  }
  return {};
}

// Of so few ranks and elements of x every work-group has all of x A^T before tensor's have waited
// for one another. From a sweep: of rank 4 it paid up to 512 x 1024, of rank 8 up to 128 x 1024;
// and of ranks 10 and 12, but for few rows of k 1536 and more. At rank 16 it pays in f32 alone, and
// not everywhere.
bool recomputing_pays(const Problem& problem) {
  const std::int64_t rank = std::max(problem.rank, 4);
  const bool lanes_suffice = rank <= 8 || problem.k <= 1024 || problem.m >= 16;
  return rank <= 12 && lanes_suffice &&
         problem.m * problem.k <= (std::int64_t{1} << 23) / (rank * rank);
}

// What suits so many rows does for one and for hundreds: on two AVX-512 cores, 1 to 512 rows, ranks
// 4 to 64, it took 0.62 to 0.94 of the time of what suits one, in the geometric mean.
constexpr std::int64_t kRowsOfAnyBatch = 64;

}  // namespace

Choice default_choice(const Problem& problem, const DeviceInfo& device) {
  if (recomputing_pays(problem) && find_variant("tensor")->supports(problem, device)) {
    return first_of({"rank_specialized"}, problem, device);
  }
  return first_of({"register_tiled", "tensor", "split", "naive"}, problem, device);
}

Choice default_choice(const Problem& problem, const DeviceInfo& device, Mode mode) {
  if (mode == Mode::batch_invariant) {
    const Problem single = regardless_of_m(problem, mode);
    Problem some = problem;
    for (const std::int64_t rows : {kRowsOfAnyBatch, std::int64_t{1}}) {
      some.m = rows;
      const Choice choice = default_choice(some, device);
      const auto runs = [&](const Problem& one) {
        return can_run(*choice.variant, choice.config, one, device);
      };
      if (runs(single) && runs(problem)) return choice;
    }
  }
  return default_choice(problem, device);
}

std::vector<Choice> fallback_choices(const Problem& problem, const DeviceInfo& device) {
  std::vector<Choice> choices;
  const auto add = [&](const Choice& choice) {
    const bool known = std::any_of(choices.begin(), choices.end(), [&](const Choice& other) {
      return other.variant == choice.variant && other.config == choice.config;
    });
    if (!known) choices.push_back(choice);
  };
  add(default_choice(problem, device));
  DeviceInfo smaller = device;
  for (; smaller.max_work_group_size >= 1; smaller.max_work_group_size /= 2) {
    add(first_of({"tensor", "split", "naive"}, problem, smaller));
    smaller.local_mem_bytes /= 2;
  }
  smaller.max_work_group_size = 1;
  const Variant* naive = find_variant("naive");
  add({naive, naive->default_config(problem, smaller), DeviceMatch::none, ShapeMatch::fallback});
  return choices;
}

}  // namespace loratune
