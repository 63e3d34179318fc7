// Whether operands fit a plan: shapes, pitches and offsets against the sizes of the buffers.
#include "engine/internal/operands.h"

#include <string_view>

#include "engine/internal/opencl.h"
#include "engine/internal/weights_shape.h"
#include "loratune/variants/packing.h"

namespace loratune {
namespace {

// Rows of elements in a buffer. `off`, `pitch` and `row` are in elements of `bytes` bytes.
struct Span {
  const char* name;
  cl_mem buffer;
  std::int64_t bytes, rows, row, off, pitch;
};

std::int64_t size_of(cl_mem buffer) { return static_cast<std::int64_t>(buffer_bytes(buffer)); }

// The name ends where its explanation begins: "a, which holds both matrices,".
std::string offset_text(const Span& span) {
  const std::string_view name = span.name;
  return "off_" + std::string(name.substr(0, name.find(','))) + " is " + std::to_string(span.off);
}

std::string offset_reason(const Span& span) {
  return offset_text(span) + ", before the buffer begins";
}

// Why the rows do not stand in their buffer, or nothing. Sums are not formed before it is known
// that they are no larger than the buffer: they could overflow.
std::string tensor_reason(const Span& span) {
  if (span.buffer == nullptr) return std::string(span.name) + " has no buffer";
  if (span.off < 0) return offset_reason(span);
  const std::string name = span.name;
  if (span.pitch < span.row) {
    return "ld_" + name + " is " + std::to_string(span.pitch) + ", a row of " + name + " has " +
           std::to_string(span.row) + " elements";
  }
  const std::int64_t size = size_of(span.buffer) / span.bytes;
  const bool fits =
      span.off <= size && span.row <= size - span.off &&
      (span.rows == 1 || span.pitch <= (size - span.off - span.row) / (span.rows - 1));
  if (fits) return {};
  return name + " does not fit: " + std::to_string(span.rows) + " rows of " +
         std::to_string(span.row) + " elements at offset " + std::to_string(span.off) +
         " and pitch " + std::to_string(span.pitch) + ", its buffer holds " + std::to_string(size);
}

// Packed weights are one row of elements. Where nobody says whose they are, the size of their
// buffer is all that tells weights of one shape, rank or type from those of another.
std::string weights_reason(const Span& span, bool known) {
  if (span.buffer == nullptr) return std::string(span.name) + " has no buffer";
  if (span.off < 0) return offset_reason(span);
  if (span.off % (kWeightsAlign / span.bytes) != 0) {
    return offset_text(span) + " elements, packed weights begin at a multiple of " +
           std::to_string(kWeightsAlign) + " bytes";
  }
  const std::int64_t size = size_of(span.buffer);
  if (size == span.row * span.bytes && span.off == 0) return {};
  if (known && span.off <= size / span.bytes && span.row <= size / span.bytes - span.off) return {};
  return std::string(span.name) + " has " + std::to_string(size) +
         " bytes, the plan's layout takes " + std::to_string(span.row * span.bytes) +
         " from offset " + std::to_string(span.off) + " on" +
         (known ? "" : ": these are weights of another shape, type or layout");
}

// Whether two spans, each of which fits its buffer, share bytes. Rows of one pitch may lie beside
// one another.
bool overlap(const Span& a, const Span& b) {
  if (a.buffer != b.buffer) return false;
  const auto begin = [](const Span& s) { return s.off * s.bytes; };
  const auto end = [](const Span& s) { return (s.off + (s.rows - 1) * s.pitch + s.row) * s.bytes; };
  if (end(a) <= begin(b) || end(b) <= begin(a)) return false;
  const std::int64_t pitch = a.pitch * a.bytes;
  if (pitch != b.pitch * b.bytes) return true;
  const std::int64_t at = begin(a) % pitch;
  const std::int64_t bt = begin(b) % pitch;
  const std::int64_t a_end = at + a.row * a.bytes;
  const std::int64_t b_end = bt + b.row * b.bytes;
  // A row may end in the next pitch.
  return (at < b_end && bt < a_end) || a_end - pitch > bt || b_end - pitch > at;
}

}  // namespace

std::string invalid_reason(const Problem& problem, const LaunchPlan& plan,
                           const Operands& operands) {
  const std::int64_t m = rows_of(operands, problem);
  if (m > problem.m || (m < problem.m && !plan.made_for.problem)) {
    return "m is " + std::to_string(m) + ", the plan is for " +
           (plan.made_for.problem ? "up to " : "just ") + std::to_string(problem.m) + " rows";
  }
  if (m == 0 || plan.launches.empty()) return {};
  const std::int64_t io = element_bytes(problem.dtype);
  const Span x{
      "x", operands.x, io, m, problem.k, operands.off_x, pitch_of(operands.ld_x, problem.k)};
  const Span y{
      "y", operands.y, io, m, problem.n, operands.off_y, pitch_of(operands.ld_y, problem.n)};
  std::string why = tensor_reason(x);
  if (why.empty()) why = tensor_reason(y);
  if (why.empty() && operands.weights_of) why = shape_reason(*operands.weights_of, problem);
  const bool joined = joins_weights(plan);
  const std::int64_t bytes_a = element_bytes(packed_dtype(plan.a, problem.dtype));
  const std::int64_t bytes_b = element_bytes(packed_dtype(plan.b, problem.dtype));
  const std::int64_t size_b = packed_size(plan.b, problem.n, problem.rank);
  const std::int64_t size_a = joined ? joined_off_b(plan.a, problem) + size_b
                                     : packed_size(plan.a, problem.rank, problem.k);
  const Span a{joined ? "a, which holds both matrices," : "a",
               operands.a,
               bytes_a,
               1,
               size_a,
               operands.off_a,
               size_a};
  const Span b{"b", operands.b, bytes_b, 1, size_b, operands.off_b, size_b};
  const bool known = operands.weights_of.has_value();
  if (why.empty()) why = weights_reason(a, known);
  if (why.empty() && !joined) why = weights_reason(b, known);
  if (why.empty() && overlap(x, y)) why = "x and y overlap";
  if (why.empty() && (overlap(a, y) || (!joined && overlap(b, y)))) why = "y and weights overlap";
  return why;
}

}  // namespace loratune
