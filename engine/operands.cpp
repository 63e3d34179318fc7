// Whether operands fit a plan: shapes, pitches and offsets against the sizes of the buffers, and
// what is written against all else.
#include "engine/internal/operands.h"

#include <algorithm>
#include <cstddef>

#include "engine/internal/opencl.h"
#include "engine/internal/spans.h"
#include "engine/internal/weights_shape.h"
#include "loratune/engine/route.h"
#include "loratune/variants/packing.h"

namespace loratune {
namespace {

// Why the slices do not say alike where their rows of y stand, or nothing.
std::string slices_reason(const Problem& problem, const Operands& operands) {
  const bool apart = operands.slices[0].y != nullptr;
  for (int i = 1; i < slice_count(problem); ++i) {
    if ((operands.slices[static_cast<unsigned>(i)].y != nullptr) == apart) continue;
    return "slice " + std::to_string(i) + ": y has " + (apart ? "no" : "a") +
           " buffer of its own, that of slice 0 has " + (apart ? "one" : "none");
  }
  return {};
}

// Why the rows of a problem with adapters cannot find theirs, or nothing.
std::string route_reason(const Problem& problem, const LaunchPlan& plan, const Operands& operands,
                         std::int64_t m) {
  const Route* const route = operands.route;
  if (route == nullptr || operands.slots == nullptr) {
    return "the problem has adapters, the call no pool and route";
  }
  if (route->rows() != m) {
    return "the route is of " + std::to_string(route->rows()) + " rows, the call of " +
           std::to_string(m);
  }
  if (route->slots() > operands.slot_count) {
    return "the route is over " + std::to_string(route->slots()) + " slots, the pool has " +
           std::to_string(operands.slot_count);
  }
  for (const Launch& launch : plan.launches) {
    for (const Arg& arg : launch.args) {
      if (arg.role != Role::block_count) continue;
      const std::int64_t room = most_route_blocks(problem, arg.value);
      if (route->blocks(arg.value) <= room) continue;
      return "the route has " + std::to_string(route->blocks(arg.value)) + " blocks of " +
             std::to_string(arg.value) + " rows, the plan has room for " + std::to_string(room);
    }
  }
  return {};
}

// x, and y or that of each slice.
struct Tensors {
  Span x;
  Spans ys;
};

Tensors tensors_of(const Problem& problem, const Operands& operands, std::int64_t m) {
  const std::int64_t io = element_bytes(problem.dtype);
  Tensors tensors;
  tensors.x = {
      "x", operands.x, io, m, problem.k, operands.off_x, pitch_of(operands.ld_x, problem.k)};
  const bool apart = operands.slices[0].y != nullptr;
  for (int i = 0; i < (apart ? slice_count(problem) : 1); ++i) {
    const Output output = output_of(operands, problem, i);
    const std::int64_t columns = apart ? slice_columns(problem, i) : problem.n;
    tensors.ys.add({"y", output.buffer, io, m, columns, output.off, output.pitch});
  }
  return tensors;
}

std::string tensors_reason(const Tensors& tensors) {
  std::string why = tensor_reason(tensors.x);
  for (std::size_t i = 0; i < tensors.ys.count && why.empty(); ++i) {
    why = tensor_reason(tensors.ys.all[i]);
    if (!why.empty() && tensors.ys.count > 1) why.insert(0, "slice " + std::to_string(i) + ": ");
  }
  return why;
}

// Adds A and B of the plan, or of its parts. Where a plan joins them, A is both.
void add_weights(const Problem& problem, const LaunchPlan& plan, const Operands& operands,
                 Spans& weights) {
  for (std::size_t i = 0; i < plan.parts.size(); ++i) {
    const int slice = static_cast<int>(i);
    add_weights(slice_problem(problem, slice), plan.parts[i],
                part_operands(operands, problem, slice), weights);
  }
  if (plan.launches.empty()) return;
  const bool joined = joins_weights(plan);
  const std::int64_t bytes_a = element_bytes(packed_dtype(plan.a, weights_dtype(problem)));
  const std::int64_t bytes_b = element_bytes(packed_dtype(plan.b, weights_dtype(problem)));
  const std::int64_t size_b = packed_b_size(plan.b, problem);
  const std::int64_t size_a =
      joined ? joined_off_b(plan.a, problem) + size_b : packed_a_size(plan.a, problem);
  Span a{joined ? "a, which holds both matrices," : "a",
         operands.a,
         bytes_a,
         1,
         size_a,
         operands.off_a,
         size_a};
  if (problem.adapters > 0) {
    a.rows = operands.slot_count;
    a.pitch = operands.ld_slot;
  }
  weights.add(a);
  if (!joined) weights.add({"b", operands.b, bytes_b, 1, size_b, operands.off_b, size_b});
}

// Why the launches cannot run on the weights, by the route, or nothing.
std::string launches_reason(const Problem& problem, const LaunchPlan& plan,
                            const Operands& operands, std::int64_t m, const Spans& weights) {
  std::string why;
  if (operands.weights_of) why = shape_reason(*operands.weights_of, problem);
  if (why.empty() && problem.adapters > 0) why = route_reason(problem, plan, operands, m);
  if (why.empty() && takes_arena(plan) && !stand_in_one_buffer(operands, problem)) {
    why = "x, y and the weights stand in several buffers, the plan's kernels take one";
  }
  const bool joined = weights.count == 1;
  if (why.empty() && joined && !places_weights(plan) && operands.off_a != 0) {
    why = "off_a is " + std::to_string(operands.off_a) +
          ", the plan's kernels take weights from the beginning of their buffer on";
  }
  for (const Span& matrix : weights) {
    if (why.empty() && problem.adapters > 0) why = tensor_reason(matrix);
    if (why.empty()) why = weights_reason(matrix, operands.weights_of.has_value());
  }
  return why;
}

// Bytes of the caller's scratch that a run takes. Parts follow one another.
std::int64_t scratch_end(const LaunchPlan& plan) {
  std::int64_t end = 0;
  if (!plan.scratch.empty()) {
    end = scratch_begin(plan, plan.scratch.size() - 1) +
          static_cast<std::int64_t>(plan.scratch.back().bytes);
  }
  for (const LaunchPlan& part : plan.parts) end = std::max(end, scratch_end(part));
  return end;
}

// Why the caller's scratch is none for a run that takes `end` bytes of it, or nothing.
std::string scratch_reason(const Operands& operands, std::int64_t end) {
  const std::int64_t off = operands.off_scratch;
  const auto takes = [&] { return "it takes " + std::to_string(end) + " bytes"; };
  if (operands.scratch == nullptr) return "scratch has no buffer, " + takes();
  if (off < 0 || off % kScratchAlign != 0) {
    return "scratch begins at " + std::to_string(off) + ", no multiple of " +
           std::to_string(kScratchAlign) + " bytes; " + takes();
  }
  const std::int64_t size = size_of(operands.scratch);
  if (off <= size && end <= size - off) return {};
  return "scratch does not fit: " + takes() + " from " + std::to_string(off) +
         " on, its buffer has " + std::to_string(size);
}

// Why something that is written shares bytes with another operand, or nothing, where all of them
// fit their buffers. `end`: bytes of the caller's scratch.
std::string overlap_reason(const Operands& operands, const Tensors& tensors, const Spans& weights,
                           std::int64_t end) {
  const Span x = in_whole(tensors.x);
  Spans ys;
  for (const Span& span : tensors.ys) {
    const Span y = in_whole(span);
    if (overlap(x, y)) return "x and y overlap";
    for (std::size_t before = 0; before < ys.count; ++before) {
      if (!overlap(ys.all[before], y)) continue;
      return "y of slices " + std::to_string(before) + " and " + std::to_string(ys.count) +
             " overlap";
    }
    ys.add(y);
  }
  const auto meets_y = [&](const Span& other) {
    return std::any_of(ys.begin(), ys.end(), [&](const Span& y) { return overlap(other, y); });
  };
  Span scratch{};
  if (end > 0) {
    scratch = in_whole({"scratch", operands.scratch, 1, 1, end, operands.off_scratch, end});
    if (overlap(scratch, x)) return "scratch and x overlap";
    if (meets_y(scratch)) return "scratch and y overlap";
  }
  for (const Span& span : weights) {
    const Span matrix = in_whole(span);
    if (meets_y(matrix)) return "y and weights overlap";
    if (overlap(scratch, matrix)) return "scratch and weights overlap";
  }
  return {};
}

}  // namespace

bool stand_in_one_buffer(const Operands& operands, const Problem& problem) {
  bool one = operands.x != nullptr && operands.a == operands.x;
  for (int i = 0; i < slice_count(problem); ++i) {
    one = one && output_of(operands, problem, i).buffer == operands.x;
  }
  return one;
}

std::int64_t scratch_begin(const LaunchPlan& plan, std::size_t buffer) {
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < buffer; ++i) {
    const auto bytes = static_cast<std::int64_t>(plan.scratch[i].bytes);
    begin += (bytes + kScratchAlign - 1) / kScratchAlign * kScratchAlign;
  }
  return begin;
}

std::string invalid_reason(const Problem& problem, const LaunchPlan& plan,
                           const Operands& operands) {
  return invalid_reason(problem, plan, operands, false);
}

namespace {

// Whether a run of m rows has no command.
bool is_empty(const LaunchPlan& plan, std::int64_t m) {
  return m == 0 || (plan.launches.empty() && plan.parts.empty());
}

// What the operands are, and why they do not fit, each for itself.
struct Fit {
  Tensors tensors;
  Spans weights;
  std::string why;
};

Fit fit_of(const Problem& problem, const LaunchPlan& plan, const Operands& operands) {
  Fit fit;
  std::string& why = fit.why;
  const std::int64_t m = rows_of(operands, problem);
  if (m > problem.m || (m < problem.m && !plan.made_for.problem)) {
    why = "m is " + std::to_string(m) + ", the plan is for " +
          (plan.made_for.problem ? "up to " : "just ") + std::to_string(problem.m) + " rows";
    return fit;
  }
  if (is_empty(plan, m)) return fit;
  why = slices_reason(problem, operands);
  for (std::size_t i = 0; i < plan.parts.size() && why.empty(); ++i) {
    const int slice = static_cast<int>(i);
    why = fit_of(slice_problem(problem, slice), plan.parts[i],
                 part_operands(operands, problem, slice))
              .why;
    if (!why.empty()) why.insert(0, "slice " + std::to_string(i) + ": ");
  }
  if (!why.empty()) return fit;
  fit.tensors = tensors_of(problem, operands, m);
  why = tensors_reason(fit.tensors);
  if (!why.empty()) return fit;
  add_weights(problem, plan, operands, fit.weights);
  if (plan.parts.empty()) why = launches_reason(problem, plan, operands, m, fit.weights);
  return fit;
}

}  // namespace

std::string invalid_reason(const Problem& problem, const LaunchPlan& plan, const Operands& operands,
                           bool caller_scratch) {
  Fit fit = fit_of(problem, plan, operands);
  if (!fit.why.empty() || is_empty(plan, rows_of(operands, problem))) return std::move(fit.why);
  const std::int64_t end = caller_scratch ? scratch_end(plan) : 0;
  if (end > 0) fit.why = scratch_reason(operands, end);
  if (!fit.why.empty()) return std::move(fit.why);
  return overlap_reason(operands, fit.tensors, fit.weights, end);
}

}  // namespace loratune
