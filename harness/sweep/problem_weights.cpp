#include "harness/sweep/problem_weights.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/base/failure.h"

namespace loratune {

std::vector<double> read_weights(const std::string& path, const std::vector<Problem>& problems) {
  const auto refuse = [&](const std::string& why) {
    throw Failure(kExitUsage, "--weights '" + path + "' " + why);
  };
  std::ifstream file(path);
  if (!file) refuse("cannot be read");
  const auto content = nlohmann::json::parse(file, nullptr, false);
  if (!content.is_object()) refuse("is no JSON object of problem keys and numbers");
  std::vector<double> weights(problems.size(), 1);
  bool any = false;
  for (const auto& [key, value] : content.items()) {
    std::string why;
    const auto problem = parse_problem(key, why);
    if (!problem) refuse("names no problem: " + why);
    const double weight = value.is_number() ? value.get<double>() : std::nan("");
    if (!(weight > 0) || weight > 1e6) refuse("gives " + key + " no weight between 0 and 1e6");
    const auto at = std::find(problems.begin(), problems.end(), *problem);
    if (at == problems.end()) continue;
    weights[static_cast<std::size_t>(at - problems.begin())] = weight;
    any = true;
  }
  if (!any) refuse("names none of the selected problems");
  return weights;
}

}  // namespace loratune
