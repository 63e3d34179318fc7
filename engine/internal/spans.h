// Rows in buffers, whatever they hold: whether they stand in their buffer, and whether two share
// bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/internal/opencl.h"
#include "loratune/variants/problem.h"

namespace loratune {

// Rows of elements in a buffer. `off`, `pitch` and `row` are in elements of `bytes` bytes. `begin`
// is where the buffer begins in the one that it is a part of, in bytes, once in_whole() knows it.
struct Span {
  const char* name;
  cl_mem buffer;
  std::int64_t bytes, rows, row, off, pitch;
  std::int64_t begin = 0;
};

// A few spans: those of y, or of the weights.
struct Spans {
  void add(const Span& span) { all[count++] = span; }
  const Span* begin() const { return all.data(); }
  const Span* end() const { return all.data() + count; }
  std::array<Span, 2 * kMaxSlices> all;  // the first `count`: a run need not clear the others
  std::size_t count = 0;
};

inline std::int64_t size_of(cl_mem buffer) {
  return static_cast<std::int64_t>(buffer_bytes(buffer));
}

// Why the rows do not stand in their buffer, or nothing.
std::string tensor_reason(const Span& span);

// Why packed weights do not stand in their buffer, or nothing. They are one row. Where nobody says
// whose they are, the size of their buffer is all that tells weights of one shape, rank or type
// from those of another.
std::string weights_reason(const Span& span, bool known);

// The same rows in the buffer that theirs is a part of: two parts of one buffer share bytes, and no
// handle.
Span in_whole(Span span);

// Whether two spans of in_whole(), each of which fits its buffer, share bytes.
bool overlap(const Span& a, const Span& b);

}  // namespace loratune
