// How much each problem of a sweep matters.
#pragma once

#include <string>
#include <vector>

#include "loratune/variants/problem.h"

namespace loratune {

// How much each of the problems matters by the file, an object of keys and positive numbers; 1
// where it says nothing. Throws Failure for a file that is none, or that names none of them.
std::vector<double> read_weights(const std::string& path, const std::vector<Problem>& problems);

}  // namespace loratune
