#include "tuner/rules.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace loratune {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Features = std::pair<std::int64_t, std::int64_t>;  // k, n
using GroupKey = std::pair<Kind, int>;                   // with the rank

// The grid problems of one kind and rank; log ratios of every candidate that any of
// them measured, on each of them.
struct Group {
  std::vector<Candidate> pool;
  std::map<std::pair<std::int64_t, Features>, std::vector<double>> log_ratios;  // by m and features
};

// A value of an axis, or the gap between two neighbours of it.
template <class Value>
struct Span {
  Value lo, hi;
  bool gap() const { return lo != hi; }
  std::vector<Value> ends() const {
    return gap() ? std::vector<Value>{lo, hi} : std::vector<Value>{lo};
  }
};

// The box axis that a span covers, its ends being measured points of their own when it is a gap.
Range covered(std::int64_t low, std::int64_t high, bool gap) {
  return gap ? Range{low + 1, high - 1} : Range{low, high};
}

std::vector<Span<std::int64_t>> m_spans(const Group& group) {
  std::set<std::int64_t> values;
  for (const auto& entry : group.log_ratios) values.insert(entry.first.first);
  std::vector<Span<std::int64_t>> spans;
  for (const std::int64_t value : values) {
    if (!spans.empty()) spans.push_back({spans.back().lo, value});
    spans.push_back({value, value});
  }
  return spans;
}

// Gaps lie along one chain of pairs that grow in both k and n, so no two of them overlap and no
// pair lies inside one.
std::vector<Span<Features>> feature_spans(const Group& group) {
  std::set<Features> values;
  for (const auto& entry : group.log_ratios) values.insert(entry.first.second);
  std::vector<Span<Features>> spans;
  Features last = *values.begin();
  for (const Features& value : values) {
    if (value.first > last.first && value.second > last.second) {
      spans.push_back({last, value});
      last = value;
    }
    spans.push_back({value, value});
  }
  return spans;
}

// The candidate's log ratio on a problem; infinite where it was tried and not raced: it was slow,
// or failed. A candidate that the problem does not list counts as the listed one whose plan it
// shares there: only the first of several was measured. Unknown where it was not tried, or cannot
// run.
double log_ratio_of(const Candidate& candidate, const MeasuredProblem& measured,
                    const std::vector<LaunchPlan>& plans, const DeviceInfo& device) {
  const auto& listed = measured.candidates;
  const auto of = [&](std::size_t i) {
    const double log_ratio = measured.log_ratios[i];
    if (!std::isfinite(log_ratio)) return kInfinity;
    return log_ratio;
  };
  const auto same = std::find(listed.begin(), listed.end(), candidate);
  if (same != listed.end()) return of(static_cast<std::size_t>(same - listed.begin()));
  const Problem& problem = measured.problem;
  if (!can_run(*candidate.variant, candidate.config, problem, device)) return kUnknown;
  const LaunchPlan plan = candidate.variant->plan(problem, candidate.config, device);
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (listed[i].variant == candidate.variant && plans[i] == plan) return of(i);
  }
  return kUnknown;
}

std::map<GroupKey, Group> make_groups(std::span<const MeasuredProblem> measured,
                                      const DeviceInfo& device) {
  std::map<GroupKey, std::vector<const MeasuredProblem*>> members;
  for (const MeasuredProblem& entry : measured) {
    const Problem& problem = entry.problem;
    if (problem.align != 0) continue;
    members[{kind_of(problem), problem.rank}].push_back(&entry);
  }
  std::map<GroupKey, Group> groups;
  for (auto& [key, entries] : members) {
    // In order of the problems, so that a tie falls the same way whatever order they came in.
    std::stable_sort(entries.begin(), entries.end(), [](const auto* a, const auto* b) {
      return std::tie(a->problem.m, a->problem.k, a->problem.n) <
             std::tie(b->problem.m, b->problem.k, b->problem.n);
    });
    Group& group = groups[key];
    for (const MeasuredProblem* entry : entries) {
      for (std::size_t i = 0; i < entry->candidates.size(); ++i) {
        const Candidate& candidate = entry->candidates[i];
        const auto end = group.pool.end();
        if (std::isfinite(entry->log_ratios[i]) &&
            std::find(group.pool.begin(), end, candidate) == end) {
          group.pool.push_back(candidate);
        }
      }
    }
    for (const MeasuredProblem* entry : entries) {
      std::vector<LaunchPlan> plans;
      for (const Candidate& candidate : entry->candidates) {
        plans.push_back(candidate.variant->plan(entry->problem, candidate.config, device));
      }
      const Problem& problem = entry->problem;
      auto& row = group.log_ratios[{problem.m, {problem.k, problem.n}}];
      row.clear();
      for (const Candidate& candidate : group.pool) {
        row.push_back(log_ratio_of(candidate, *entry, plans, device));
      }
    }
  }
  return groups;
}

// ln(time / best time) of each candidate of the pool at a corner; unknown stays unknown.
std::vector<double> regrets(std::vector<double> log_ratios) {
  double best = 0;  // the default's
  for (const double ratio : log_ratios) best = std::fmin(best, ratio);
  for (double& ratio : log_ratios) ratio -= best;
  return log_ratios;
}

struct Pick {
  std::size_t index = 0;
  double worst = kInfinity;
};

// The candidate with the least worst regret, then the least total; corner `left_out` has no say.
template <class Allowed>
Pick least_regret(const std::vector<std::vector<double>>& corners, std::size_t left_out,
                  Allowed allowed) {
  Pick pick;
  double least_total = kInfinity;
  for (std::size_t candidate = 0; candidate < corners.front().size(); ++candidate) {
    if (!allowed(candidate)) continue;
    double worst = 0;
    double total = 0;
    for (std::size_t corner = 0; corner < corners.size(); ++corner) {
      if (corner == left_out) continue;
      worst = std::max(worst, corners[corner][candidate]);
      total += corners[corner][candidate];
    }
    if (std::tie(worst, total) < std::tie(pick.worst, least_total)) {
      pick = {candidate, worst};
      least_total = total;
    }
  }
  return pick;
}

// Appends the rule of a box, if its corners give one. `box` holds all but choice and bound.
void add_rule(const Group& group, const std::vector<const std::vector<double>*>& corners,
              RuleRange box, const DeviceInfo& device, const RuleLimits& limits,
              std::vector<RuleRange>& rules) {
  std::vector<std::vector<double>> regret;
  for (const auto* log_ratios : corners) regret.push_back(regrets(*log_ratios));
  const auto runs_at = [&](const Candidate& candidate, const auto end) {
    const Problem problem =
        make_problem(box.kind, box.m.*end, box.k.*end, box.n.*end, static_cast<int>(box.rank.*end));
    return can_run(*candidate.variant, candidate.config, problem, device);
  };
  // The bound says what choosing among these is worth: what was tried at all corners.
  const auto allowed = [&](std::size_t i) {
    const auto unknown = [&](const auto& corner) { return std::isnan(corner[i]); };
    return std::none_of(regret.begin(), regret.end(), unknown) &&
           runs_at(group.pool[i], &Range::lo) && runs_at(group.pool[i], &Range::hi);
  };
  const Pick pick = least_regret(regret, corners.size(), allowed);
  if (pick.worst == kInfinity) return;
  for (const auto* log_ratios : corners) {
    if (!((*log_ratios)[pick.index] < -std::log(limits.gain))) return;
  }
  double bound = pick.worst;
  for (std::size_t left_out = 0; left_out < corners.size(); ++left_out) {
    const Pick others = least_regret(regret, left_out, allowed);
    bound = std::max(bound, regret[left_out][others.index]);
  }
  box.choice = group.pool[pick.index];
  box.regret_bound = std::expm1(bound);
  if (box.regret_bound <= limits.regret) rules.push_back(box);
}

// Joins rules that follow one another on `axis`, agree on all else and choose the same.
void merge_along(Range RuleRange::*axis, std::vector<RuleRange>& rules) {
  const auto follows = [&](const RuleRange& first, RuleRange second) {
    if ((first.*axis).hi + 1 != (second.*axis).lo) return false;
    second.*axis = first.*axis;
    second.regret_bound = first.regret_bound;
    return second == first;
  };
  for (std::size_t i = 0; i < rules.size(); ++i) {
    // Rules are in order, so what follows one on any axis comes after it.
    for (std::size_t j = i + 1; j < rules.size();) {
      if (!follows(rules[i], rules[j])) {
        ++j;
        continue;
      }
      (rules[i].*axis).hi = (rules[j].*axis).hi;
      rules[i].regret_bound = std::max(rules[i].regret_bound, rules[j].regret_bound);
      rules.erase(rules.begin() + static_cast<std::ptrdiff_t>(j));
    }
  }
}

}  // namespace

std::vector<RuleRange> make_rules(std::span<const MeasuredProblem> measured,
                                  const DeviceInfo& device, const RuleLimits& limits) {
  std::vector<RuleRange> rules;
  std::optional<GroupKey> last;
  for (const auto& [key, group] : make_groups(measured, device)) {
    const auto& [kind, rank] = key;
    const bool lowest = !last || last->first != kind;
    const std::int64_t rank_low = lowest ? rank : std::max(last->second, rank / 2) + 1;
    last = key;
    for (const auto& features : feature_spans(group)) {
      for (const auto& m : m_spans(group)) {
        std::vector<const std::vector<double>*> corners;
        bool complete = true;
        for (const std::int64_t m_end : m.ends()) {
          for (const Features& end : features.ends()) {
            const auto corner = group.log_ratios.find({m_end, end});
            complete = complete && corner != group.log_ratios.end();
            if (complete) corners.push_back(&corner->second);
          }
        }
        if (!complete || corners.size() < 2) continue;
        RuleRange box;
        box.kind = kind;
        box.rank = {rank_low, rank};
        box.m = covered(m.lo, m.hi, m.gap());
        box.k = covered(features.lo.first, features.hi.first, features.gap());
        box.n = covered(features.lo.second, features.hi.second, features.gap());
        const auto empty = [](const Range& range) { return range.lo > range.hi; };
        if (empty(box.m) || empty(box.k) || empty(box.n)) continue;
        add_rule(group, corners, box, device, limits, rules);
      }
    }
  }
  merge_along(&RuleRange::m, rules);
  merge_along(&RuleRange::rank, rules);
  return rules;
}

}  // namespace loratune
