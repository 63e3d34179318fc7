// Measures what a device can do at most: the yardsticks beside every time.
#pragma once

#include "harness/timing/measure.h"
#include "harness/timing/roofline.h"
#include "loratune/engine/engine.h"

namespace loratune {

// Takes about a second where compilers are slow. Throws OpenclError.
Ceilings measure_ceilings(Engine& engine, Probes& probes);

}  // namespace loratune
