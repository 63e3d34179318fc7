// A BenchFile is what --bench --json, or a peer in its format, wrote: how long each rival took on
// each problem, and what the device did at most.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "loratune/variants/problem.h"

namespace loratune {

// One rival on one problem. A figure that the file does not have is 0.
struct BenchTime {
  Problem problem;
  std::string rival, label;  // the label says in words what ran
  double wall_ns = 0;
  int rounds = 0;
  double gbps = 0, gflops = 0;
  double share_of_copy = 0;  // of the bandwidth that the device shows on so many bytes
  double vs_default = 0, vs_default_lo = 0, vs_default_hi = 0;  // t_rival / t_default
};

struct BenchFile {
  std::string device, driver;  // the device as the file names it, with its platform or without
  std::string date, library;   // the library is a peer's; empty in a file of lora-bench
  std::string cache;
  double floor_ns = 0, copy_gbps = 0, cache_gbps = 0, peak_gflops = 0;  // 0: not measured
  std::vector<BenchTime> times;
  int failed = 0;  // entries without a time
};

// Whether the JSON has the shape that Google Benchmark gives its results.
bool is_bench_file(const nlohmann::json& value);

// Throws nlohmann::json::exception or std::invalid_argument for what is none.
BenchFile bench_file_from_json(const nlohmann::json& value);

}  // namespace loratune
