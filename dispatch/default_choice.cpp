#include "loratune/dispatch/default_choice.h"

#include <algorithm>
#include <initializer_list>

#include "variants/internal/planning.h"

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

// On tensor cores. Of so few ranks and elements of x rank_specialized's groups have all of x A^T
// before any other kernel's, though each computes it for itself. From times of 1 to 2048 rows, k
// 512 to 4096. Of f16 beyond rank 4 tensor_rows is ahead.
bool recomputing_pays(const Problem& problem) {
  const std::int64_t elements = problem.m * problem.k;
  if (problem.dtype == Dtype::f16) {
    return problem.rank <= 4 && problem.m <= 128 && elements <= 1 << 18;
  }
  if (problem.rank <= 4) return problem.m <= 512 && elements <= 1 << 21;
  return problem.rank <= 12 && elements <= (std::int64_t{1} << 23) / (problem.rank * problem.rank);
}

// Whether tensor_rows, which reads A and B again for each block of rows, is ahead of tensor, whose
// groups wait for one another: from times of 1 to 8192 rows, k = n 512 to 4096. It is where the
// smallest blocks give each compute unit one; fewer rows it shares out by columns, and computes
// x A^T for each part again, which pays where A and B are small for so many rows, and k is: less so
// for f32 of few ranks, which reads little but x.
bool blocks_pay(const Problem& problem, const DeviceInfo& device) {
  constexpr std::int64_t kLeastRows = 16;
  if (fills(ceil_div(problem.m, kLeastRows), device)) return true;
  const std::int64_t weights = problem.rank * (problem.k + problem.n);
  if (problem.dtype == Dtype::f16) {
    const std::int64_t few = problem.k < 1536 ? 3 << 15 : 11 << 13;
    return (problem.k < 4096 || problem.rank <= 8) && weights <= std::max(few, 160 * problem.m);
  }
  return weights <= std::max<std::int64_t>((problem.rank > 8 ? 6 : 3) << 12, 24 * problem.m);
}

// What suits so many rows does for one and for hundreds: on two AVX-512 cores, 1 to 512 rows, ranks
// 4 to 64, it took 0.62 to 0.94 of the time of what suits one, in the geometric mean.
constexpr std::int64_t kRowsOfAnyBatch = 64;

}  // namespace

Choice default_choice(const Problem& problem, const DeviceInfo& device) {
  if (find_variant("tensor")->supports(problem, device)) {
    if (recomputing_pays(problem)) return first_of({"rank_specialized"}, problem, device);
    if (blocks_pay(problem, device)) return first_of({"tensor_rows", "tensor"}, problem, device);
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
