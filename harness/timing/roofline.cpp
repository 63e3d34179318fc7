#include "harness/timing/roofline.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace loratune {
namespace {

constexpr double kTolerance = 1.25;  // reads may be faster than copies, and ceilings are noisy
constexpr double kMatrixUnits = 16;  // their f16 rate against f32 multiply-adds

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", value);
  return text;
}

}  // namespace

Ceilings highest(const Ceilings& one, const Ceilings& other) {
  Ceilings both = one;
  both.floor_ns = std::min(one.floor_ns, other.floor_ns);
  both.copy_gbps = std::max(one.copy_gbps, other.copy_gbps);
  both.peak_gflops = std::max(one.peak_gflops, other.peak_gflops);
  for (std::size_t i = 0; i < std::min(one.cached.size(), other.cached.size()); ++i) {
    both.cached[i].gbps = std::max(one.cached[i].gbps, other.cached[i].gbps);
  }
  return both;
}

double memory_roof_gbps(const Ceilings& ceilings, double bytes) {
  double roof = ceilings.copy_gbps;
  for (const MemoryRate& rate : ceilings.cached) {
    if (rate.bytes >= bytes / 2) roof = std::max(roof, rate.gbps);
  }
  return roof;
}

bool ceilings_hold(const DeviceInfo& device, bool on_units) {
  return on_units || (device.type == DeviceType::cpu && device.usable_cpus <= device.compute_units);
}

Throughput throughput(const Problem& problem, double time_ns, const Ceilings& ceilings) {
  Throughput result;
  if (!std::isfinite(time_ns) || time_ns <= 0) {
    result.refused = "no time that a run can have taken";
    return result;
  }
  const double bytes = compulsory_bytes(problem);
  const double gbps = bytes / time_ns;
  const double gflops = useful_flops(problem) / time_ns;
  const double roof = memory_roof_gbps(ceilings, bytes);
  if (roof > 0 && gbps > kTolerance * roof) {
    result.refused = "bad clock: the time means " + number(gbps) + " GB/s, the device does " +
                     number(roof) + " at most on so many bytes";
    return result;
  }
  const double peak = ceilings.peak_gflops * (element_bytes(problem.dtype) == 2 ? kMatrixUnits : 1);
  if (peak > 0 && gflops > kTolerance * peak) {
    result.refused = "bad clock: the time means " + number(gflops) + " GFLOP/s, the device does " +
                     number(peak) + " at most";
    return result;
  }
  result.gbps = gbps;
  result.gflops = gflops;
  if (roof > 0) result.share_of_copy = gbps / roof;
  if (ceilings.peak_gflops > 0) result.share_of_peak = gflops / ceilings.peak_gflops;
  return result;
}

nlohmann::json to_json(const Ceilings& ceilings) {
  nlohmann::json cached = nlohmann::json::array();
  for (const MemoryRate& rate : ceilings.cached) {
    cached.push_back({{"bytes", rate.bytes}, {"gbps", rate.gbps}});
  }
  return {{"floor_ns", ceilings.floor_ns},
          {"copy_gbps", ceilings.copy_gbps},
          {"peak_gflops", ceilings.peak_gflops},
          {"cached", cached}};
}

Ceilings ceilings_from_json(const nlohmann::json& json) {
  Ceilings ceilings;
  json.at("floor_ns").get_to(ceilings.floor_ns);
  json.at("copy_gbps").get_to(ceilings.copy_gbps);
  json.at("peak_gflops").get_to(ceilings.peak_gflops);
  for (const nlohmann::json& rate : json.at("cached")) {
    ceilings.cached.push_back({rate.at("bytes").get<double>(), rate.at("gbps").get<double>()});
  }
  return ceilings;
}

std::string describe(const Ceilings& ceilings) {
  return "launch floor " + number(ceilings.floor_ns * 1e-3) + " us, copy " +
         number(ceilings.copy_gbps) + " GB/s (in cache " + number(memory_roof_gbps(ceilings, 0)) +
         "), peak " + number(ceilings.peak_gflops) + " GFLOP/s (f32)";
}

}  // namespace loratune
