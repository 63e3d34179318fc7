// CLBlast as a rival, in builds that have it: clblast_arm.cpp, or no_clblast.cpp.
#pragma once

#include "harness/bench/arm.h"

namespace loratune {

// Whether this build has CLBlast.
bool have_clblast();

// Two GEMMs of CLBlast on the device, the second one accumulating: in half where the problem is f16
// and the device has cl_khr_fp16, else in f32 on operands widened beforehand. The weights rotate
// over copies that take more than twice `cache_bytes`; with 0 they stay warm. A build without
// CLBlast has an arm whose outcome is `skipped`. `checker` outlives the arm.
BenchArm clblast_arm(Engine& engine, Checker& checker, std::int64_t cache_bytes);

}  // namespace loratune
