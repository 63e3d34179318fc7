#include "engine/internal/spans.h"

#include <string_view>

#include "dispatch/internal/byte_rows.h"
#include "loratune/engine/engine.h"

namespace loratune {
namespace {

// The name ends where its explanation begins: "a, which holds both matrices,".
std::string first_word(const Span& span) {
  const std::string_view name = span.name;
  return std::string(name.substr(0, name.find(',')));
}

std::string offset_text(const Span& span) {
  return "off_" + first_word(span) + " is " + std::to_string(span.off);
}

std::string offset_reason(const Span& span) {
  return offset_text(span) + ", before the buffer begins";
}

}  // namespace

// Sums are not formed before it is known that they are no larger than the buffer: they could
// overflow.
std::string tensor_reason(const Span& span) {
  if (span.buffer == nullptr) return std::string(span.name) + " has no buffer";
  if (span.off < 0) return offset_reason(span);
  if (span.pitch < span.row) {
    const std::string name = first_word(span);
    return "ld_" + name + " is " + std::to_string(span.pitch) + ", a row of " + name + " has " +
           std::to_string(span.row) + " elements";
  }
  const std::int64_t size = size_of(span.buffer) / span.bytes;
  const bool fits =
      span.off <= size && span.row <= size - span.off &&
      (span.rows == 1 || span.pitch <= (size - span.off - span.row) / (span.rows - 1));
  if (fits) return {};
  return first_word(span) + " does not fit: " + std::to_string(span.rows) + " rows of " +
         std::to_string(span.row) + " elements at offset " + std::to_string(span.off) +
         " and pitch " + std::to_string(span.pitch) + ", its buffer holds " + std::to_string(size);
}

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

Span in_whole(Span span) {
  const Whole whole = whole_of(span.buffer);
  span.buffer = whole.buffer;
  span.begin = static_cast<std::int64_t>(whole.begin);
  return span;
}

bool overlap(const Span& a, const Span& b) {
  const auto rows = [](const Span& s) {
    return byte_rows(s.begin + s.off * s.bytes, s.bytes, s.row, s.pitch, s.rows);
  };
  return a.buffer == b.buffer && share_bytes(rows(a), rows(b));
}

}  // namespace loratune
