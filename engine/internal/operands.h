// How the operands of a call stand, where they leave it to the problem to say.
#pragma once

#include "engine/internal/opencl.h"
#include "loratune/engine/engine.h"
#include "loratune/variants/slices.h"

namespace loratune {

// Rows of the call.
inline std::int64_t rows_of(const Operands& operands, const Problem& problem) {
  return operands.m < 0 ? problem.m : operands.m;
}

// The pitch of rows of that length.
inline std::int64_t pitch_of(std::int64_t ld, std::int64_t row) { return ld == 0 ? row : ld; }

// Where the rows of a slice stand in y, or in a buffer of their own.
struct Output {
  cl_mem buffer;
  std::int64_t off, pitch;
};
inline Output output_of(const Operands& operands, const Problem& problem, int slice) {
  const SliceOperands& own = operands.slices[static_cast<unsigned>(slice)];
  if (own.y != nullptr) {
    return {own.y, own.off_y, pitch_of(own.ld_y, slice_columns(problem, slice))};
  }
  return {operands.y, operands.off_y + columns_before(problem, slice),
          pitch_of(operands.ld_y, problem.n)};
}

inline float scale_of(const Operands& operands, int slice) {
  return operands.scale * operands.slices[static_cast<unsigned>(slice)].scale;
}

// Scratch for runs of the executable; null where it takes none of its caller's.
inline Handle<cl_mem> scratch_for(const Executable& executable, cl_context context) {
  const auto bytes = static_cast<std::size_t>(executable.scratch_bytes());
  return bytes == 0 ? Handle<cl_mem>() : make_buffer(context, bytes);
}

// Where a plan's scratch buffers begin in one buffer, and behind the last where it ends.
std::int64_t scratch_begin(const LaunchPlan& plan, std::size_t buffer);

// invalid_reason() of a run that takes its scratch from its caller, or has its own.
std::string invalid_reason(const Problem& problem, const LaunchPlan& plan, const Operands& operands,
                           bool caller_scratch);

// Whether x, y of every slice, and A and B joined stand in the same buffer.
bool stand_in_one_buffer(const Operands& operands, const Problem& problem);

// The operands of a slice alone.
inline Operands part_operands(const Operands& operands, const Problem& problem, int slice) {
  const SliceOperands& own = operands.slices[static_cast<unsigned>(slice)];
  const Output output = output_of(operands, problem, slice);
  Operands part = operands;
  part.slices = {};
  part.y = output.buffer;
  part.off_y = output.off;
  part.ld_y = output.pitch;
  part.a = own.a;
  part.b = own.b;
  part.off_a = own.off_a;
  part.off_b = own.off_b;
  part.scale = scale_of(operands, slice);
  if (part.weights_of) part.weights_of = slice_problem(*part.weights_of, slice);
  return part;
}

}  // namespace loratune
