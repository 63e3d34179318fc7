// Configs that ended the worker, or made it be killed, at two places are not tried at a third. A
// function of outcomes alone, so that a replay finds the same.
#pragma once

#include <map>
#include <set>
#include <string>

#include "harness/worker/protocol.h"
#include "tuner/candidates.h"

namespace loratune {

inline constexpr const char* kQuarantined = "failed on two problems before";

class Quarantine {
 public:
  using Places = std::set<std::string>;

  // `place`: the problem that the config ran on, or the group that it was built for.
  void report(const Candidate& candidate, const std::string& place, Outcome outcome) {
    if (is_loss(outcome)) faults_[name(candidate)].insert(place);
  }

  bool holds(const Candidate& candidate) const {
    const auto found = faults_.find(name(candidate));
    return found != faults_.end() && held(found->second);
  }

  // Adds what another part of the sweep has seen.
  void add(const Quarantine& other) {
    for (const auto& [config, places] : other.faults_) {
      faults_[config].insert(places.begin(), places.end());
    }
  }

  // By config, where it failed.
  std::map<std::string, Places> list() const {
    std::map<std::string, Places> list = faults_;
    std::erase_if(list, [](const auto& fault) { return !held(fault.second); });
    return list;
  }

 private:
  static bool held(const Places& places) { return places.size() > 1; }

  static std::string name(const Candidate& candidate) {
    return std::string(candidate.variant->name) + " " +
           to_string(candidate.variant->space, candidate.config);
  }

  std::map<std::string, Places> faults_;
};

}  // namespace loratune
