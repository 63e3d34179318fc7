// The environment of a program whose OpenCL driver faulty_driver.c spoils.
#pragma once

#include <string>

#include "device/environment.h"
#include "device/process.h"

namespace loratune {

inline Words with_fault(const std::string& fault) {
  return Words{"LD_PRELOAD=" LORATUNE_FAULTY_DRIVER, "LORATUNE_FAULT=" + fault} +
         kSanitizersStandBack;
}

}  // namespace loratune
