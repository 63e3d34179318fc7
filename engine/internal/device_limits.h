// What a device that drivers and files describe can have at most: planning takes memory for it.
#pragma once

namespace loratune {

inline constexpr int kMaxComputeUnits = 1 << 20;

}  // namespace loratune
