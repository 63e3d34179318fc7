// The bounds of a tuned file that are not those of a Problem; results/schema/tuned-v2.schema.json
// states the same.
#pragma once

#include <cstddef>
#include <cstdint>

namespace loratune::limits {

inline constexpr std::size_t kText = 256;  // characters of a string
inline constexpr std::size_t kWord = 64;   // characters of an identifier
inline constexpr std::size_t kExtensions = 512;
inline constexpr std::size_t kMembers = 256;    // devices, kernels
inline constexpr std::size_t kParameters = 16;  // of a config
inline constexpr std::size_t kRecords = 65536;
inline constexpr std::size_t kRules = 4096;        // every pick may look at all of them
inline constexpr std::size_t kEntryValues = 1024;  // JSON values of a device, record or rule
inline constexpr std::size_t kDepth = 8;
inline constexpr std::int64_t kBytes = std::int64_t{1} << 53U;  // exact in every JSON reader
inline constexpr std::int64_t kTimeNs = 1'000'000'000'000'000;
inline constexpr std::int64_t kRounds = 1'000'000;
inline constexpr double kSpeedupLow = 1e-6, kSpeedupHigh = 1e6;
inline constexpr double kRegret = 1000;

}  // namespace loratune::limits
