#include "harness/timing/ceilings.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "harness/timing/weight_ring.h"

namespace loratune {
namespace {

// Sixteen floats an item: wide enough for one work-item of a CPU, and as eight chains of
// dependent operations enough to fill its pipelines.
constexpr const char* kSource = R"CL(
#define ALL_float(v) v
#define ALL_float16(v) dot(v.lo.lo + v.lo.hi + v.hi.lo + v.hi.hi, (float4)(1.0f))

kernel void copy(global const float4* from, global float4* to) {
  const size_t i = get_global_id(0);
  to[i] = from[i];
}

kernel void sum(global const float4* from, global float4* to, int length) {
  const size_t step = get_global_size(0);
  float4 total = (float4)(0.0f);
  size_t at = get_global_id(0);
  for (int i = 0; i < length; ++i, at += step) total += from[at];
  if (total.x == 12345.678f) to[get_global_id(0)] = total;
}

// One item a compute unit, each with its part of the bytes, again and again: what a CPU's caches
// give when neither a launch nor short rows are in the way.
kernel void sum_part(global const float16* from, global float16* to, int length, int passes) {
  from += get_global_id(0) * length;
  float16 v0 = 0.0f, v1 = 0.0f, v2 = 0.0f, v3 = 0.0f;
  for (int pass = 0; pass < passes; ++pass) {
    for (int i = 0; i < length; i += 4) {
      v0 += from[i];
      v1 += from[i + 1];
      v2 += from[i + 2];
      v3 += from[i + 3];
    }
  }
  const float16 total = v0 + v1 + v2 + v3;
  if (ALL_float16(total) == 12345.678f) to[get_global_id(0)] = total;
}

kernel void copy_part(global const float16* from, global float16* to, int length, int passes) {
  from += get_global_id(0) * length;
  to += get_global_id(0) * length;
  for (int pass = 0; pass < passes; ++pass) {
    for (int i = 0; i < length; ++i) to[i] = from[i] + (float)pass;
  }
}

#define CHAINS(OP) \
  for (int i = 0; i < length; ++i) { \
    OP(v0) OP(v1) OP(v2) OP(v3) OP(v4) OP(v5) OP(v6) OP(v7) \
  }
#define FMA(v) v = fma(v, scale, shift);
#define MAD(v) v = mad(v, scale, shift);
#define PEAK(name, type, OP) \
kernel void name(global float* sink, int length) { \
  const type scale = (type)(0.999f), shift = (type)(0.001f); \
  type v0 = (type)((float)get_global_id(0)) + LANES_##type, v1 = v0 + 1.0f, v2 = v0 + 2.0f, v3 = v0 + 3.0f; \
  type v4 = v0 + 4.0f, v5 = v0 + 5.0f, v6 = v0 + 6.0f, v7 = v0 + 7.0f; \
  CHAINS(OP) \
  const type total = v0 + v1 + v2 + v3 + v4 + v5 + v6 + v7; \
  if (ALL_##type(total) == 12345.678f) sink[0] = ALL_##type(total); \
}
// Every lane differs and every lane counts: what does not is left out by a compiler, and the peak
// would be overstated (16 times on an H200, before).
#define LANES_float 0.0f
#define LANES_float16 (float16)(0.01f, 0.02f, 0.03f, 0.04f, 0.05f, 0.06f, 0.07f, 0.08f, 0.09f, \
                                0.11f, 0.12f, 0.13f, 0.14f, 0.15f, 0.16f, 0.17f)
PEAK(peak_scalar, float, MAD)
PEAK(peak_scalar_fma, float, FMA)
PEAK(peak_wide, float16, MAD)
PEAK(peak_wide_fma, float16, FMA)
)CL";

constexpr std::int64_t kSmallest = 1 << 16;
constexpr std::int64_t kLargest = std::int64_t{512} << 20;  // of a buffer of the copy
constexpr std::size_t kLocal = 64;
constexpr int kChains = 8;
constexpr int kTries = 5;

class Bench {
 public:
  Bench(Engine& engine, Probes& probes)
      : engine_(engine),
        probes_(probes),
        queue_(make_queue(engine.context(), engine.device())),
        program_(make_program(engine.context(), kSource)) {
    build_program(program_.get(), engine.device());
  }

  Ceilings run() {
    Ceilings ceilings;
    ceilings.floor_ns = probes_.launch_floor_ns();
    const std::int64_t cache = last_level_cache_bytes(engine_.device());
    const std::int64_t most = std::min(kLargest, engine_.info().max_alloc_bytes / 2);
    // Both buffers of the largest copy together are beyond four times the cache.
    const std::int64_t large =
        std::min(most, std::max(2 * cache, std::int64_t{64} << 20)) / kSmallest * kSmallest;
    for (Handle<cl_mem>* buffer : {&from_, &to_}) {
      *buffer = make_buffer(engine_.context(), static_cast<std::size_t>(large));
      // Touched, so that its pages are there.
      fill_buffer(queue_.get(), buffer->get(), 1.0F, static_cast<std::size_t>(large));
    }
    finish(queue_.get());
    ceilings.copy_gbps = copy_gbps(large);
    for (std::int64_t bytes = kSmallest; bytes <= large; bytes *= 4) {
      const std::int64_t half = bytes / 2 / kSmallest * kSmallest + kSmallest / 2;
      ceilings.cached.push_back(
          {static_cast<double>(bytes),
           std::max({copy_gbps(half), read_gbps(bytes), part_gbps("sum_part", bytes, 1),
                     part_gbps("copy_part", half, 2)})});
    }
    ceilings.cached.push_back(
        {2 * static_cast<double>(large),
         std::max({ceilings.copy_gbps, read_gbps(large), part_gbps("sum_part", large, 1)})});
    for (const char* name : {"peak_scalar", "peak_scalar_fma"}) {
      ceilings.peak_gflops = std::max(ceilings.peak_gflops, peak_gflops(name, 1));
    }
    for (const char* name : {"peak_wide", "peak_wide_fma"}) {
      ceilings.peak_gflops = std::max(ceilings.peak_gflops, peak_gflops(name, 16));
    }
    return ceilings;
  }

 private:
  // The best of a few blocks: a ceiling is what the device does when nothing is in its way.
  double best_ns(cl_kernel kernel, std::size_t items, std::size_t local = kLocal) {
    const auto enqueue = [&] { launch(queue_.get(), kernel, items, local); };
    enqueue();  // discarded: it may compile
    finish(queue_.get());
    const double once = time_block_ns(queue_.get(), 1, enqueue);
    double best = once;
    for (int i = 0; i < kTries; ++i) {
      best = std::min(best, time_block_ns(queue_.get(), block_runs(once), enqueue));
    }
    return best;
  }

  // A kernel whose first arguments are both buffers.
  Handle<cl_kernel> copying_kernel(const char* name) const {
    Handle<cl_kernel> kernel = make_kernel(program_.get(), name);
    set_argument(kernel.get(), 0, from_.get());
    set_argument(kernel.get(), 1, to_.get());
    return kernel;
  }

  // One way; reads and writes counted.
  double copy_gbps(std::int64_t bytes) {
    const Handle<cl_kernel> kernel = copying_kernel("copy");
    return 2 * static_cast<double>(bytes) /
           best_ns(kernel.get(), static_cast<std::size_t>(bytes) / sizeof(cl_float4));
  }

  double read_gbps(std::int64_t bytes) {
    const Handle<cl_kernel> kernel = copying_kernel("sum");
    constexpr std::int64_t kLength = 16;
    set_argument(kernel.get(), 2, static_cast<cl_int>(kLength));
    const std::int64_t items = bytes / static_cast<std::int64_t>(sizeof(cl_float4)) / kLength;
    return static_cast<double>(bytes) / best_ns(kernel.get(), static_cast<std::size_t>(items));
  }

  // 0 where the device is no CPU: a GPU's memory is not for one item a unit.
  double part_gbps(const char* name, std::int64_t bytes, int ways) {
    const std::int64_t units = engine_.info().compute_units;
    const std::int64_t length = bytes / units / (4 * std::int64_t{sizeof(cl_float16)}) * 4;
    if (engine_.info().type != DeviceType::cpu || length == 0) return 0;
    const Handle<cl_kernel> kernel = copying_kernel(name);
    set_argument(kernel.get(), 2, static_cast<cl_int>(length));
    const double moved = static_cast<double>(ways * units * length) * sizeof(cl_float16);
    double rate = 0;
    double ns = 0;
    // More passes until a launch takes a millisecond, so that the floor does not count.
    for (int passes = 1; ns < 1e6 && passes < (1 << 16); passes *= 2) {
      set_argument(kernel.get(), 3, static_cast<cl_int>(passes));
      ns = best_ns(kernel.get(), static_cast<std::size_t>(units), 1);
      rate = moved * passes / ns;
    }
    return rate;
  }

  double peak_gflops(const char* name, int width) {
    const Handle<cl_kernel> kernel = make_kernel(program_.get(), name);
    const std::size_t items = static_cast<std::size_t>(engine_.info().compute_units) *
                              (engine_.info().type == DeviceType::cpu ? kLocal : std::size_t{2048});
    set_argument(kernel.get(), 0, to_.get());
    int length = 64;
    double rate = 0;
    // Longer until a launch takes a millisecond, so that the floor does not count.
    for (double ns = 0; ns < 1e6 && length < (1 << 22); length *= 2) {
      set_argument(kernel.get(), 1, static_cast<cl_int>(length));
      ns = best_ns(kernel.get(), items);
      rate = 2.0 * kChains * width * length * static_cast<double>(items) / ns;
    }
    return rate;
  }

  Engine& engine_;
  Probes& probes_;
  Handle<cl_command_queue> queue_;
  Handle<cl_program> program_;
  Handle<cl_mem> from_, to_;
};

}  // namespace

Ceilings measure_ceilings(Engine& engine, Probes& probes) { return Bench(engine, probes).run(); }

}  // namespace loratune
