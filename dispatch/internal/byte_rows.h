// Rows of bytes at one pitch, and whether two such share a byte.
#pragma once

#include <cstdint>

namespace loratune {

struct ByteRows {
  std::int64_t begin, row, pitch, rows;  // in bytes, but for the number of rows; rows > 0
};

// Rows of elements of `bytes` bytes, which begin at the byte `begin`. The pitch of one row means
// nothing, and may be any number.
inline ByteRows byte_rows(std::int64_t begin, std::int64_t bytes, std::int64_t row,
                          std::int64_t pitch, std::int64_t rows) {
  return {begin, row * bytes, (rows == 1 ? row : pitch) * bytes, rows};
}

// Both lie in one memory. Rows of one pitch may lie beside one another.
inline bool share_bytes(const ByteRows& a, const ByteRows& b) {
  const auto end = [](const ByteRows& s) { return s.begin + (s.rows - 1) * s.pitch + s.row; };
  if (end(a) <= b.begin || end(b) <= a.begin) return false;
  const std::int64_t pitch = a.pitch;
  if (pitch != b.pitch) return true;
  const std::int64_t at = a.begin % pitch;
  const std::int64_t bt = b.begin % pitch;
  const std::int64_t a_end = at + a.row;
  const std::int64_t b_end = bt + b.row;
  // A row may end in the next pitch.
  return (at < b_end && bt < a_end) || a_end - pitch > bt || b_end - pitch > at;
}

}  // namespace loratune
