# A number that differs wherever one of the FILES does.
# cmake -D OUT=... -D FILES=... -P build_identity.cmake
cmake_minimum_required(VERSION 3.25)
set(hashes "")
foreach(file IN LISTS FILES)
  file(SHA256 ${file} hash)
  string(APPEND hashes ${hash})
endforeach()
string(SHA256 identity "${hashes}")
string(SUBSTRING ${identity} 0 16 identity)
file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT
"// Which build made an object that one shared library hands to the other.
#pragma once

#include <cstdint>

namespace loratune::capi {
inline constexpr std::uint64_t kBuildIdentity = 0x@identity@ULL;
}  // namespace loratune::capi
")
