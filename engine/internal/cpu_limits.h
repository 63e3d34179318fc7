// What a process may use of the machine's CPUs. A driver counts all of them as compute units of its
// CPU device, whatever taskset or a cgroup leaves to the process.
#pragma once

#include <string>
#include <vector>

namespace loratune {

// How many CPUs the process may run on, 0 where that is unknown, and the quotas of its cgroups as
// the kernel writes them into cpu.max: "150000 100000" microseconds, or "max 100000".
struct CpuLimits {
  int allowed = 0;
  std::vector<std::string> quotas;
};

// Those of the calling thread. What cannot be read is no limit.
CpuLimits cpu_limits();

// The CPUs whose time a device of so many compute units can have, to hundredths, where these are
// not as many; else 0. There are more only where there is one unit: such a device computes in one
// thread, and functions of the process may have more.
double usable_cpus(int compute_units, const CpuLimits& limits);

}  // namespace loratune
