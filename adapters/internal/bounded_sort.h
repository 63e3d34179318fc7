#pragma once

#include <algorithm>

namespace loratune {

// Sorts what is compared by views into a mapped file. Who writes to the file meanwhile makes
// comparisons contradict one another. std::sort may then leave its range, and a heap does not.
template <class Range, class Less>
void bounded_sort(Range& range, Less less) {
  std::make_heap(range.begin(), range.end(), less);
  std::sort_heap(range.begin(), range.end(), less);
}

}  // namespace loratune
