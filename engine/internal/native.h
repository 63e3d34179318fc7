// Native kernels: launches that a function of ours computes on the host, in the order of a queue,
// on the addresses that the driver has for the buffers. The one there is, `forward_host`, takes x,
// the joined weights and y, and one struct of numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/internal/opencl.h"
#include "loratune/engine/engine.h"

namespace loratune {

// The numbers of the launch in their order; variants/native.cpp plans them.
struct ForwardNumbers {
  std::int64_t off_x, ld_x, off_y, ld_y, off_a, off_b;
  float scale;
  std::int32_t m, k, n, rank, threads, dtype, weights_dtype, accumulate;
};

// Why the device runs no such launch, or nothing. Starts the threads and gets the memory of its
// runs.
std::string prepare_native(const Problem& problem, const LaunchPlan& plan, const Launch& launch,
                           const DeviceInfo& device);

// `numbers`: the struct as the launch's arguments give it. Throws OpenclError.
void enqueue_native(cl_command_queue queue, const std::vector<unsigned char>& numbers,
                    const Operands& operands, cl_event* event);

}  // namespace loratune
