// Plans for tests of workers: good ones, and ones that a process does not survive.
#pragma once

#include <string>

#include "test_engine.h"

namespace loratune {

inline Problem small_problem() {
  Problem problem;
  problem.m = 4;
  problem.k = 64;
  problem.n = 32;
  problem.rank = 4;
  return problem;
}

inline LaunchPlan split_plan(const Problem& problem = small_problem()) {
  const Variant& variant = *find_variant("split");
  const DeviceInfo& device = test_device().info;
  return variant.plan(problem, variant.default_config(problem, device), device);
}

// A plan whose kernel's body is `body`.
inline LaunchPlan plan_of(const std::string& body) {
  LaunchPlan plan;
  plan.source = "kernel void bad(global float* y, long off_y, int m) {" + body + "}";
  Launch launch;
  launch.kernel = "bad";
  launch.args = {{Role::y}, {Role::off_y}, {Role::m}};
  plan.launches = {launch};
  return plan;
}

inline const LaunchPlan& hanging_plan() {
  static const LaunchPlan kPlan =
      plan_of("volatile global float* p = y; while (p[off_y] != 1e30f) p[off_y] = 0;");
  return kPlan;
}

inline LaunchPlan stray_plan() { return plan_of("y[(1L << 40) + off_y] = 1;"); }

}  // namespace loratune
