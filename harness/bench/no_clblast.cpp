// Stands for clblast_arm.cpp in a build without CLBlast.
#include "harness/bench/clblast_arm.h"

namespace loratune {

bool have_clblast() { return false; }

BenchArm clblast_arm(Engine& /*engine*/, Checker& /*checker*/, std::int64_t /*cache_bytes*/) {
  BenchArm arm;
  arm.outcome = Outcome::skipped;
  arm.detail = "built without CLBlast";
  return arm;
}

}  // namespace loratune
