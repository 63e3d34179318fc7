#include "harness/bench/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

namespace loratune {
namespace {

const std::vector<std::string> kOthers = {"host", "openblas", "clblast"};

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), pattern, value);
  return text;
}

std::string time_cell(const ProblemResult& result, const std::string& name) {
  const auto found = result.rivals.find(name);
  if (found == result.rivals.end()) return "-";
  if (found->second.outcome != Outcome::correct) {
    return std::string(to_string(found->second.outcome));
  }
  return format("%.2f", found->second.wall_ns * 1e-3);
}

// The names of all rivals that any row has, ours first.
std::vector<std::string> columns(const std::map<std::string, ProblemResult>& results) {
  std::set<std::string> seen;
  for (const auto& [key, result] : results) {
    for (const auto& [name, rival] : result.rivals) seen.insert(name);
  }
  std::vector<std::string> ordered;
  const auto take = [&](const std::string& name) {
    if (seen.erase(name) > 0) ordered.push_back(name);
  };
  take("tuned");
  take("default");
  const std::set<std::string> rest = seen;
  for (const std::string& name : rest) {
    if (std::find(kOthers.begin(), kOthers.end(), name) == kOthers.end()) take(name);
  }
  for (const std::string& name : kOthers) take(name);
  return ordered;
}

}  // namespace

std::string bench_table(const std::vector<Problem>& problems,
                        const std::map<std::string, ProblemResult>& results) {
  const std::vector<std::string> names = columns(results);
  if (names.empty()) return {};
  const std::string& ours = names.front();
  std::string text = "| problem, us |";
  std::string rule = "| --- |";
  for (const std::string& name : names) {
    text += " " + name + " |";
    rule += " --: |";
  }
  text += " GB/s | GFLOP/s | " + ours + " / best rival |\n" + rule + " --: | --: | :-- |\n";
  int won = 0;
  int lost = 0;
  int compared = 0;
  double sum = 0;
  for (const Problem& problem : problems) {
    const auto found = results.find(to_string(problem));
    if (found == results.end()) continue;
    const ProblemResult& result = found->second;
    text += "| " + found->first + " |";
    for (const std::string& name : names) text += " " + time_cell(result, name) + " |";
    const RivalResult& mine = result.rivals.at(ours);
    text += " " + format("%.3g", mine.throughput.gbps) + " | " +
            format("%.3g", mine.throughput.gflops) + " |";
    std::string best;
    for (const std::string& other : kOthers) {
      if (!result.log_ratio(ours, other)) continue;
      if (best.empty() || result.rivals.at(other).wall_ns < result.rivals.at(best).wall_ns) {
        best = other;
      }
    }
    if (best.empty()) {
      text += " - |\n";
      continue;
    }
    const MedianInterval ratio = *result.log_ratio(ours, best);
    text += " " + format("%.3f", std::exp(ratio.median));
    if (std::isfinite(ratio.low)) {
      text += " (" + format("%.3f", std::exp(ratio.low)) + ".." +
              format("%.3f", std::exp(ratio.high)) + ")";
    }
    text += " " + best + " |\n";
    ++compared;
    sum += ratio.median;
    if (ratio.high < 0) ++won;
    if (ratio.low > 0) ++lost;
  }
  if (compared > 0) {
    text += "\n" + ours + " / best rival: geometric mean " +
            format("%.3f", std::exp(sum / compared)) + " over " + std::to_string(compared) +
            " problems; faster on " + std::to_string(won) + ", slower on " + std::to_string(lost) +
            ", not told apart on " + std::to_string(compared - won - lost) + "\n";
  }
  return text;
}

}  // namespace loratune
