// What a time means: bytes and operations a second, as shares of what the device was measured to do
// at most. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "loratune/variants/device_info.h"
#include "loratune/variants/problem.h"

namespace loratune {

// A rate at one footprint: `bytes` are all that was touched, reads and writes counted.
struct MemoryRate {
  double bytes = 0, gbps = 0;
  bool operator==(const MemoryRate&) const = default;
};

// What a device did at most when it was asked in this process.
struct Ceilings {
  double floor_ns = 0;             // an empty launch, pipelined
  double copy_gbps = 0;            // device to device, larger than its caches
  double peak_gflops = 0;          // f32 multiply-adds
  std::vector<MemoryRate> cached;  // best of copying and reading, by growing footprint
  bool operator==(const Ceilings&) const = default;
};

// The higher of each rate, and the lower floor: what a device did at most, asked twice.
Ceilings highest(const Ceilings& one, const Ceilings& other);

// The highest rate that a kernel can have on so many bytes: small operands stay in caches, so what
// counts is the best of all measured footprints that are no smaller than a half of it. 0: unknown.
double memory_roof_gbps(const Ceilings& ceilings, double bytes);

// Whether the device's ceilings hold for what runs on its units, or on threads of the process: for
// the latter only where the units are all CPUs that the process may use.
bool ceilings_hold(const DeviceInfo& device, bool on_units);

// Of one run of a problem. `refused`: why the time cannot be, and then no figure is given: it is
// not positive, or it says more bytes or operations a second than the device has ever shown, by
// more than a quarter. share_of_copy is of
// memory_roof_gbps(). Shares are 0 where the ceilings are unknown.
struct Throughput {
  double gbps = 0, gflops = 0;
  double share_of_copy = 0, share_of_peak = 0;
  std::string refused;
};

// Bytes are compulsory_bytes(), so what a kernel reads twice counts once; operations are
// useful_flops(). f16 is let up to 16 times the f32 peak: matrix units do that.
Throughput throughput(const Problem& problem, double time_ns, const Ceilings& ceilings);

nlohmann::json to_json(const Ceilings& ceilings);
Ceilings ceilings_from_json(const nlohmann::json& json);

// "launch floor 4.3 us, copy 3900 GB/s (in cache 11200), peak 54000 GFLOP/s (f32)".
std::string describe(const Ceilings& ceilings);

}  // namespace loratune
