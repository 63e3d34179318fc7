// Measures what a device can do at most: the yardsticks beside every time.
#pragma once

#include "dispatch/engine.h"
#include "harness/measure.h"
#include "harness/roofline.h"

namespace loratune {

// Takes about a second where compilers are slow. Throws cl::Error.
Ceilings measure_ceilings(Engine& engine, Probes& probes);

}  // namespace loratune
