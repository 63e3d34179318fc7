#include "harness/cli/did_you_mean.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace loratune {
namespace {

constexpr std::size_t kMostEdits = 2;

// The Levenshtein distance, by rows: row[j] is the distance of the letters of `one` read so far
// from the first j letters of `other`.
std::size_t edit_distance(std::string_view one, std::string_view other) {
  std::vector<std::size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (const char letter : one) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j < row.size(); ++j) {
      const std::size_t changed = diagonal + (letter == other[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string did_you_mean(std::string_view word, std::span<const std::string> names) {
  std::string nearest;
  std::size_t least = kMostEdits + 1;
  for (const std::string& name : names) {
    // So much is to be added or left out at least; a word may be very long.
    if (std::max(word.size(), name.size()) - std::min(word.size(), name.size()) >= least) continue;
    const std::size_t distance = edit_distance(word, name);
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}

}  // namespace loratune
