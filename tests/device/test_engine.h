// The device that device tests run on: PoCL's, since it is on every machine that runs them.
#pragma once

#include "harness/base/selection.h"
#include "loratune/engine/engine.h"

namespace loratune {

inline const Device& test_device() {
  static const Device kDevice = select_device("Portable Computing Language");
  return kDevice;
}

inline Engine& test_engine() {
  static Engine engine(test_device());
  return engine;
}

}  // namespace loratune
