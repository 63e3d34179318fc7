#include "engine/internal/cpu_limits.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <string_view>

namespace loratune {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The CPUs that a text of cpu.max grants; nothing for "max" and for what is no such text.
double granted(std::string_view quota) {
  std::int64_t used = 0;
  std::int64_t period = 0;
  const char* const end = quota.data() + quota.size();
  const auto first = std::from_chars(quota.data(), end, used);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return 0;
  const auto second = std::from_chars(first.ptr + 1, end, period);
  if (second.ec != std::errc() || used <= 0 || period <= 0) return 0;
  return static_cast<double>(used) / static_cast<double>(period);
}

// The quotas of a cgroup and of those that it is in. Version 1 has two files for what is one in
// version 2.
void add_quotas(const std::string& root, std::string group, bool version_1,
                std::vector<std::string>& quotas) {
  while (true) {
    const std::string folder = root + group;
    std::string quota = version_1 ? first_line(folder + "/cpu.cfs_quota_us") + " " +
                                        first_line(folder + "/cpu.cfs_period_us")
                                  : first_line(folder + "/cpu.max");
    if (quota.size() > 1) quotas.push_back(std::move(quota));
    const std::size_t parent = group.rfind('/');
    if (parent == std::string::npos) return;
    group.resize(parent);
  }
}

}  // namespace

CpuLimits cpu_limits() {
  CpuLimits limits;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) limits.allowed = CPU_COUNT(&allowed);
  std::ifstream groups("/proc/self/cgroup");
  // "0::/path" of version 2, "4:cpu,cpuacct:/path" of version 1.
  for (std::string line; std::getline(groups, line);) {
    const std::size_t names = line.find(':');
    const std::size_t path = line.find(':', names == std::string::npos ? names : names + 1);
    if (path == std::string::npos) continue;
    std::string group = line.substr(path + 1);
    if (group == "/") group.clear();
    const std::string controllers = "," + line.substr(names + 1, path - names - 1) + ",";
    if (controllers == ",,") {
      add_quotas("/sys/fs/cgroup", group, false, limits.quotas);
    } else if (controllers.find(",cpu,") != std::string::npos) {
      add_quotas("/sys/fs/cgroup/cpu", group, true, limits.quotas);
    }
  }
  return limits;
}

double usable_cpus(int compute_units, const CpuLimits& limits) {
  const double all = compute_units;
  double usable = limits.allowed > 0 ? limits.allowed : all;
  if (compute_units > 1) usable = std::min(usable, all);
  for (const std::string& quota : limits.quotas) {
    const double cpus = granted(quota);
    if (cpus > 0) usable = std::min(usable, cpus);
  }
  usable = std::max(std::round(100 * usable) / 100, 0.01);
  return usable != all ? usable : 0;
}

}  // namespace loratune
