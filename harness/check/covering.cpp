#include "harness/check/covering.h"

namespace loratune {
namespace {

class Pairs {
 public:
  Pairs(const std::vector<int>& sizes, const std::vector<Excluded>& excluded) {
    for (const int size : sizes) {
      offsets_.push_back(values_);
      values_ += static_cast<std::size_t>(size);
    }
    covered_.assign(values_ * values_, false);
    excluded_.assign(values_ * values_, false);
    for (const auto& [axis, value, other_axis, other] : excluded) {
      excluded_[at(axis, value, other_axis, other)] = true;
      excluded_[at(other_axis, other, axis, value)] = true;
    }
  }
  bool excluded(std::size_t axis, int value, std::size_t other_axis, int other) const {
    return excluded_[at(axis, value, other_axis, other)];
  }
  bool covered(std::size_t axis, int value, std::size_t other_axis, int other) const {
    return covered_[at(axis, value, other_axis, other)];
  }
  void cover(const std::vector<int>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      for (std::size_t j = 0; j < row.size(); ++j) covered_[at(i, row[i], j, row[j])] = true;
    }
  }

 private:
  std::size_t at(std::size_t axis, int value, std::size_t other_axis, int other) const {
    return (offsets_[axis] + static_cast<std::size_t>(value)) * values_ + offsets_[other_axis] +
           static_cast<std::size_t>(other);
  }
  std::vector<std::size_t> offsets_;
  std::size_t values_ = 0;
  std::vector<bool> covered_, excluded_;
};

constexpr int kOpen = -1;

// Gives each open axis the allowed value that covers most new pairs with the axes already given;
// ties go round by row number, so that no value is favoured.
void complete(std::vector<int>& row, const std::vector<int>& sizes, const Pairs& pairs, int turn) {
  for (std::size_t axis = 0; axis < row.size(); ++axis) {
    if (row[axis] != kOpen) continue;
    int best_gain = -1;
    int best = 0;
    for (int step = 0; step < sizes[axis]; ++step) {
      const int value = (step + turn) % sizes[axis];
      int gain = 0;
      bool allowed = true;
      for (std::size_t other = 0; other < row.size(); ++other) {
        if (row[other] == kOpen) continue;
        if (!pairs.covered(axis, value, other, row[other])) ++gain;
        if (pairs.excluded(axis, value, other, row[other])) allowed = false;
      }
      if (allowed && gain > best_gain) {
        best_gain = gain;
        best = value;
      }
    }
    row[axis] = best;
  }
}

}  // namespace

std::vector<std::vector<int>> covering_set(const std::vector<int>& sizes,
                                           const std::vector<Excluded>& excluded) {
  Pairs pairs(sizes, excluded);
  std::vector<std::vector<int>> rows;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (std::size_t j = i + 1; j < sizes.size(); ++j) {
      for (int a = 0; a < sizes[i]; ++a) {
        for (int b = 0; b < sizes[j]; ++b) {
          if (pairs.covered(i, a, j, b) || pairs.excluded(i, a, j, b)) continue;
          std::vector<int> row(sizes.size(), kOpen);
          row[i] = a;
          row[j] = b;
          complete(row, sizes, pairs, static_cast<int>(rows.size()));
          pairs.cover(row);
          rows.push_back(std::move(row));
        }
      }
    }
  }
  return rows;
}

}  // namespace loratune
