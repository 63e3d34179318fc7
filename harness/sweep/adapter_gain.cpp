#include "harness/sweep/adapter_gain.h"

#include <algorithm>
#include <cstdio>

namespace loratune {

std::vector<AdapterGain> adapter_gains(const std::vector<ModuleProblem>& problems,
                                       const TunedFile& tuned) {
  std::vector<AdapterGain> gains;
  for (const auto& [module, problem] : problems) {
    auto gain = std::find_if(gains.begin(), gains.end(), [&p = problem](const AdapterGain& one) {
      return one.tokens == p.m && one.types == types_of(p);
    });
    if (gain == gains.end()) {
      gain = gains.insert(gains.end(), {problem.m, types_of(problem), 0, 0, 0, 0});
    }
    const auto record =
        std::find_if(tuned.records.begin(), tuned.records.end(),
                     [&p = problem](const Record& one) { return one.problem == p; });
    if (record == tuned.records.end()) {
      ++gain->missing;
      continue;
    }
    ++gain->modules;
    gain->tuned_ns += static_cast<double>(record->time_ns);
    gain->default_ns += static_cast<double>(record->default_ns);
  }
  return gains;
}

std::string to_string(const AdapterGain& gain) {
  if (gain.modules == 0) return "no module has a record";
  char text[200];
  std::snprintf(
      text, sizeof text,
      "pass through %d modules, %lld tokens, %s: %.1f us tuned, %.1f us by default, %.2fx",
      gain.modules, static_cast<long long>(gain.tokens), to_string(gain.types).c_str(),
      gain.tuned_ns * 1e-3, gain.default_ns * 1e-3, gain.default_ns / gain.tuned_ns);
  std::string line = text;
  if (gain.missing > 0) line += "; " + std::to_string(gain.missing) + " modules have no record";
  return line;
}

}  // namespace loratune
