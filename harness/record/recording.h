// A recording: what became of every config of a few problems on one device, so that strategies of
// search can be compared again and again, to the bit, with no device.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/base/cache.h"
#include "loratune/dispatch/outcome.h"
#include "loratune/variants/device_info.h"
#include "loratune/variants/problem.h"
#include "loratune/variants/search_space.h"

namespace loratune {

struct RecordedVariant {
  std::string name;
  std::vector<std::string> parameters;
  bool operator==(const RecordedVariant&) const = default;
};

// `ns`: for each round that timed it, its time over the default's of the same round, times the
// default's median, so that drift cancels; the first is of the probe. Empty unless correct or slow.
struct RecordedConfig {
  int variant = 0;  // of Recording::variants
  Config config;
  Outcome outcome = Outcome::skipped;
  std::vector<double> ns;
  bool operator==(const RecordedConfig&) const = default;
};

// configs[0] is the default.
struct RecordedProblem {
  Problem problem;
  std::vector<RecordedConfig> configs;
  bool operator==(const RecordedProblem&) const = default;
};

struct Recording {
  DeviceInfo device;
  Cache cache = Cache::warm;  // what the weights were in when they were timed
  nlohmann::json kernels;     // sha256 and revision by variant
  std::vector<RecordedVariant> variants;
  std::vector<RecordedProblem> problems;
  bool operator==(const Recording&) const = default;
};

// What a recording is of, without its problems: the device, cache, kernels and variants.
nlohmann::json header_of(const Recording& recording);

// JSON lines: a header, then a line for each config.
std::string serialize(const Recording& recording);

// Writes the file whole or not at all, compressed by gzip where its name ends with .gz. Empty, or
// the error in one line.
std::string write_recording(const std::string& path, const Recording& recording);

// Plain or compressed by gzip. Throws Failure (kExitUsage), with the line, for what cannot be read
// or is no recording.
Recording read_recording(const std::string& path);

// Whether the file begins as one does.
bool is_recording(const std::string& path);

// What a config is said to take: the median of its rounds, of the probe where there are none. NaN
// without a time.
double recorded_ns(const RecordedConfig& config);

}  // namespace loratune
