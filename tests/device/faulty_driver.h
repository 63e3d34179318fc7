// The environment of a program whose OpenCL driver faulty_driver.c spoils.
#pragma once

#include <string>

#include "device/process.h"

namespace loratune {

inline Words with_fault(const std::string& fault) {
  // AddressSanitizer wants to be the first of what is preloaded; here it need not be.
  return {"LD_PRELOAD=" LORATUNE_FAULTY_DRIVER, "LORATUNE_FAULT=" + fault,
          "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0"};
}

}  // namespace loratune
