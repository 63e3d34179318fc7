#include "harness/sweep/problem_weights.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/read_file.h"

namespace loratune {
namespace {

// ", line 3" of the member's name in the text; nothing for a name that is not written plainly.
std::string line_of(const std::string& member, const std::string& text) {
  const std::size_t at = text.find('"' + member + '"');
  if (at == std::string::npos) return {};
  const auto begin = text.begin();
  const auto breaks = std::count(begin, begin + static_cast<std::ptrdiff_t>(at), '\n');
  return ", line " + std::to_string(breaks + 1);
}

}  // namespace

std::vector<double> read_weights(const std::string& path, const std::vector<Problem>& problems) {
  constexpr std::size_t kMostBytes = std::size_t{16} << 20;
  const std::string name = "--weights '" + printable(path, 200) + "'";
  const auto refuse = [&](const std::string& why) { throw Failure(kExitUsage, name + why); };
  const std::string text = read_file(path, "--weights", kMostBytes);
  nlohmann::json content;
  try {
    content = parse_json(text);
  } catch (const std::invalid_argument& error) {
    refuse(std::string(": ") + error.what());
  }
  if (!content.is_object()) refuse(", line 1: no JSON object of problem keys and numbers");
  std::vector<double> weights(problems.size(), 1);
  bool any = false;
  std::map<std::string, std::string> members;  // by problem, whose key may leave out `fwd_`
  for (const auto& [key, value] : content.items()) {
    std::string why;
    const auto problem = parse_problem(key, why);
    if (!problem) refuse(line_of(key, text) + ": " + printable(why, 300));
    const auto [member, added] = members.emplace(to_string(*problem), key);
    if (!added) {
      refuse(line_of(key, text) + ": " + key + " is the problem of " + member->second + " too");
    }
    const double weight = value.is_number() ? value.get<double>() : std::nan("");
    if (!(weight > 0) || weight > 1e6) {
      refuse(line_of(key, text) + ": " + key + " has no weight between 0 and 1e6");
    }
    const auto at = std::find(problems.begin(), problems.end(), *problem);
    if (at == problems.end()) continue;
    weights[static_cast<std::size_t>(at - problems.begin())] = weight;
    any = true;
  }
  if (!any) refuse(" names none of the selected problems");
  return weights;
}

}  // namespace loratune
