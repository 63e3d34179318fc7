#include "harness/bench/lineup.h"

#include <algorithm>

namespace loratune {

Lineup make_lineup(const Problem& problem, const DeviceInfo& device,
                   const std::vector<Rival>& rivals) {
  Lineup lineup;
  for (const Rival& rival : rivals) {
    ArmSpec arm;
    if (rival.choice) {
      const Variant& variant = *rival.choice->variant;
      arm.plan = variant.plan(problem, rival.choice->config, device);
      lineup.labels[rival.name] =
          std::string(variant.name) + " " + to_string(variant.space, rival.choice->config);
    } else {
      arm.other = rival.name;
    }
    const auto same = std::find(lineup.arms.begin(), lineup.arms.end(), arm);
    lineup.arm_of_rival[rival.name] = static_cast<int>(same - lineup.arms.begin());
    if (same == lineup.arms.end()) lineup.arms.push_back(std::move(arm));
  }
  return lineup;
}

}  // namespace loratune
