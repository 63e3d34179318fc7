#include "harness/timing/weight_ring.h"

#include <algorithm>

namespace loratune {
namespace {

constexpr std::int64_t kUnknownCache = std::int64_t{64} << 20;
constexpr std::int64_t kMostCopies = 16384;

}  // namespace

std::int64_t last_level_cache_bytes(cl_device_id device) {
  const auto bytes =
      static_cast<std::int64_t>(device_info<cl_ulong>(device, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE));
  return bytes > 0 ? bytes : kUnknownCache;
}

std::int64_t ring_size(std::int64_t weight_bytes, std::int64_t cache_bytes,
                       std::int64_t max_alloc_bytes) {
  const std::int64_t wanted = 2 * cache_bytes / std::max<std::int64_t>(weight_bytes, 1) + 1;
  const std::int64_t possible = max_alloc_bytes / std::max<std::int64_t>(weight_bytes, 1);
  return std::clamp<std::int64_t>(std::min(std::max<std::int64_t>(wanted, 2), possible), 1,
                                  kMostCopies);
}

WeightRing::WeightRing(Engine& engine, Checker& checker, Cache cache)
    : engine_(engine), checker_(checker), cache_(cache) {}

// Parts of one buffer: thousands of small allocations would take long and scatter.
std::vector<Handle<cl_mem>> WeightRing::copies(cl_mem source, std::int64_t count) const {
  const std::size_t align =
      device_info<cl_uint>(engine_.device(), CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
  const std::size_t bytes = buffer_bytes(source);
  const std::size_t step = (bytes + align - 1) / align * align;
  const Handle<cl_mem> all = make_buffer(engine_.context(), step * static_cast<std::size_t>(count));
  std::vector<Handle<cl_mem>> parts;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::size_t begin = step * static_cast<std::size_t>(i);
    parts.push_back(part_of(all.get(), begin, bytes));
    copy_buffer(checker_.queue(), source, all.get(), begin, bytes);
  }
  finish(checker_.queue());
  return parts;
}

const std::vector<Operands>& WeightRing::operands(const LaunchPlan& plan) {
  Operands first = checker_.operands(plan);
  for (const auto& form : forms_) {
    if (form->source == first) return form->operands;
  }
  auto form = std::make_unique<Form>(Form{first, {}, {}});
  if (cache_ == Cache::warm) {
    form->operands = {first};
  } else {
    const std::vector<cl_mem*> sources = weight_buffers(first);
    std::size_t bytes = 0;
    for (const cl_mem* source : sources) bytes += buffer_bytes(*source);
    const std::int64_t count =
        ring_size(static_cast<std::int64_t>(bytes), last_level_cache_bytes(engine_.device()),
                  engine_.info().max_alloc_bytes);
    form->operands.assign(static_cast<std::size_t>(count), first);
    for (std::size_t s = 0; s < sources.size(); ++s) {
      std::vector<Handle<cl_mem>> made = copies(*sources[s], count);
      for (std::size_t i = 0; i < made.size(); ++i) {
        *weight_buffers(form->operands[i])[s] = made[i].get();
        form->copies.push_back(std::move(made[i]));
      }
    }
  }
  forms_.push_back(std::move(form));
  return forms_.back()->operands;
}

void WeightRing::run(Executable& executable, const std::vector<Operands>& ring,
                     cl_command_queue queue, std::vector<cl_event>* events) {
  executable.enqueue(queue, ring[next_++ % ring.size()], events);
}

}  // namespace loratune
