// A fictional device, and the tuned file of it and its relatives that is committed as
// tests/data/fictional.json. Its configs are of `naive`; WG_N tells which entry was picked.
#pragma once

#include <string>

#include "loratune/dispatch/tuned_file.h"

namespace loratune::fictional {

inline DeviceInfo device() {
  DeviceInfo device;
  device.platform = "Fictional Platform";
  device.vendor = "Fictional Inc";
  device.vendor_id = 0xf1c7;
  device.name = "Fictional F100";
  device.driver = "1.0";
  device.device_version = "OpenCL 1.2 Fictional";
  device.opencl_c = "1.2";
  device.extensions = {"cl_fictional_b", "cl_khr_a"};
  device.type = DeviceType::gpu;
  device.compute_units = 20;
  device.preferred_multiple = 32;
  device.max_work_group_size = 256;
  device.local_mem_bytes = 32768;
  device.max_alloc_bytes = std::int64_t{1} << 30;
  return device;
}

inline Problem problem(std::int64_t m = 1, int rank = 8) {
  Problem problem;
  problem.dtype = Dtype::f16;
  problem.rank = rank;
  problem.m = m;
  problem.k = problem.n = 1024;
  return problem;
}

inline NamedConfig naive(int wg_n) {
  return {{"A_TRANSPOSED", 0}, {"UNROLL", 1}, {"WG_M", 1}, {"WG_N", wg_n}};
}

inline Record record(const std::string& device_id, const Problem& of, int wg_n) {
  Record record;
  record.device = device_id;
  record.problem = of;
  record.variant = "naive";
  record.config = naive(wg_n);
  record.time_ns = 10432;
  record.default_ns = 17210;
  record.speedup = 1.65;
  record.speedup_lo = 1.61;
  record.speedup_hi = 1.69;
  record.level = 0.9942;
  record.rounds = 40;
  record.error_over_bound = 0.31;
  record.seen = 1.0 / 3;
  record.reason = "measured";
  return record;
}

inline Rule rule(const std::string& device_id, Range rank, Range m, int wg_n) {
  Rule rule;
  rule.device = device_id;
  rule.kind.types = Dtype::f16;
  rule.rank = rank;
  rule.m = m;
  rule.k = rule.n = {512, 2048};
  rule.variant = "naive";
  rule.config = naive(wg_n);
  rule.regret_bound = 0.03;
  return rule;
}

inline TunedFile file() {
  TunedFile file;
  file.tool = {"lora-bench", "0.1.0", "0123456789ab"};
  TunedDevice same = tuned_device(device());
  file.devices["d0"] = same;
  file.devices["d1"] = same;
  file.devices["d1"].driver = "0.9";
  file.devices["d1"].extensions = {"cl_khr_a"};
  file.devices["d2"] = same;
  file.devices["d2"].name = "Fictional F100 Ultra";
  file.devices["d2"].compute_units = 40;
  file.devices["d3"] = same;
  file.devices["d3"].name = "Fictional F100 Mini";
  file.devices["d3"].compute_units = 30;
  file.devices["d4"] = same;
  file.devices["d4"].name = "Fictional F100 Max";
  file.devices["d4"].compute_units = 41;
  for (const char* name : {"naive", "split", "tiled"}) {
    file.kernels[name] = {std::string(64, '0'), 1};
  }
  file.kernels["warp_shuffle"] = {std::string(64, 'f'), 3};

  Problem aligned = problem();
  aligned.align = 16;
  file.records = {record("d0", problem(), 8),   record("d0", aligned, 16),
                  record("d1", problem(), 32),  record("d1", problem(2), 32),
                  record("d2", problem(3), 64), record("d3", problem(3), 128),
                  record("d4", problem(4), 256)};
  file.records.push_back(record("d0", problem(), 64));
  file.records.back().mode = Mode::deterministic;
  file.records.push_back(record("d0", problem(5), 8));
  file.records.back().variant = "warp_shuffle";
  file.records.back().config = {{"LANES", 32}};
  file.rules = {rule("d0", {5, 8}, {16, 64}, 128), rule("d0", {5, 8}, {16, 256}, 256),
                rule("d3", {5, 8}, {16, 128}, 1)};
  file.rules[1].kind.accumulate = false;
  return file;
}

inline std::string path() { return LORATUNE_SOURCE_DIR "/tests/data/fictional.json"; }

}  // namespace loratune::fictional
