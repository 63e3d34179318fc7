// A dispatcher as the caller holds it. Both shared libraries know its layout and that of what it
// holds, so its tag names the build that made it.
#pragma once

#include <cstdint>
#include <memory>

#include "capi/build_identity.h"
#include "loratune/dispatch/dispatcher.h"

struct loratune_dispatcher {
  static constexpr std::uint64_t kTag = 0x6c6f72615f646973U ^ loratune::capi::kBuildIdentity;
  std::uint64_t tag = kTag;
  std::shared_ptr<const loratune::Dispatcher> dispatcher;
};
