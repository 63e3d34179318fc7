#include "harness/timing/weight_ring.h"

#include <algorithm>

namespace loratune {
namespace {

constexpr std::int64_t kUnknownCache = std::int64_t{64} << 20;
constexpr std::int64_t kMostCopies = 16384;

std::int64_t buffer_bytes(const cl::Buffer& buffer) {
  return static_cast<std::int64_t>(buffer.getInfo<CL_MEM_SIZE>());
}

}  // namespace

std::int64_t last_level_cache_bytes(const cl::Device& device) {
  const auto bytes = static_cast<std::int64_t>(device.getInfo<CL_DEVICE_GLOBAL_MEM_CACHE_SIZE>());
  return bytes > 0 ? bytes : kUnknownCache;
}

std::int64_t ring_size(std::int64_t weight_bytes, std::int64_t cache_bytes,
                       std::int64_t max_alloc_bytes) {
  const std::int64_t wanted = 2 * cache_bytes / std::max<std::int64_t>(weight_bytes, 1) + 1;
  const std::int64_t possible = max_alloc_bytes / std::max<std::int64_t>(weight_bytes, 1);
  return std::clamp<std::int64_t>(std::min(wanted, possible), 2, kMostCopies);
}

WeightRing::WeightRing(Engine& engine, Checker& checker, Cache cache)
    : engine_(engine), checker_(checker), cache_(cache) {}

// Parts of one buffer: thousands of small allocations would take long and scatter.
std::vector<cl::Buffer> WeightRing::copies(const cl::Buffer& source, std::int64_t count) const {
  const std::size_t align = engine_.device().getInfo<CL_DEVICE_MEM_BASE_ADDR_ALIGN>() / 8;
  const auto bytes = static_cast<std::size_t>(buffer_bytes(source));
  const std::size_t step = (bytes + align - 1) / align * align;
  cl::Buffer all(engine_.context(), CL_MEM_READ_WRITE, step * static_cast<std::size_t>(count));
  std::vector<cl::Buffer> parts;
  for (std::int64_t i = 0; i < count; ++i) {
    cl_buffer_region region{step * static_cast<std::size_t>(i), bytes};
    parts.push_back(all.createSubBuffer(CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region));
    checker_.queue().enqueueCopyBuffer(source, all, 0, region.origin, bytes);
  }
  checker_.queue().finish();
  return parts;
}

const std::vector<Operands>& WeightRing::operands(const LaunchPlan& plan) {
  const Operands first = checker_.operands(plan);
  for (const auto& form : forms_) {
    if (form->a() == first.a() && form->b() == first.b()) return form->operands;
  }
  const bool joined = first.b() == nullptr;
  auto form = std::make_unique<Form>(Form{first.a, first.b, {}});
  if (cache_ == Cache::warm) {
    form->operands = {first};
  } else {
    const std::int64_t count =
        ring_size(buffer_bytes(first.a) + (joined ? 0 : buffer_bytes(first.b)),
                  last_level_cache_bytes(engine_.device()), engine_.info().max_alloc_bytes);
    const std::vector<cl::Buffer> a = copies(first.a, count);
    const std::vector<cl::Buffer> b =
        joined ? std::vector<cl::Buffer>(a.size()) : copies(first.b, count);
    for (std::size_t i = 0; i < a.size(); ++i) {
      form->operands.push_back(first);
      form->operands.back().a = a[i];
      form->operands.back().b = b[i];
    }
  }
  forms_.push_back(std::move(form));
  return forms_.back()->operands;
}

void WeightRing::run(Executable& executable, const std::vector<Operands>& ring,
                     const cl::CommandQueue& queue, std::vector<cl::Event>* events) {
  executable.enqueue(queue, ring[next_++ % ring.size()], events);
}

}  // namespace loratune
