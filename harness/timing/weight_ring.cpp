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
  return std::clamp<std::int64_t>(std::min(wanted, possible), 2, kMostCopies);
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
  const Operands first = checker_.operands(plan);
  for (const auto& form : forms_) {
    if (form->a == first.a && form->b == first.b) return form->operands;
  }
  auto form = std::make_unique<Form>(Form{first.a, first.b, {}, {}, {}});
  const bool joined = first.b == nullptr;
  if (cache_ == Cache::warm) {
    form->operands = {first};
  } else {
    const std::int64_t count = ring_size(
        static_cast<std::int64_t>(buffer_bytes(first.a) + (joined ? 0 : buffer_bytes(first.b))),
        last_level_cache_bytes(engine_.device()), engine_.info().max_alloc_bytes);
    form->copies_a = copies(first.a, count);
    if (!joined) form->copies_b = copies(first.b, count);
    for (std::size_t i = 0; i < form->copies_a.size(); ++i) {
      form->operands.push_back(first);
      form->operands.back().a = form->copies_a[i].get();
      if (!joined) form->operands.back().b = form->copies_b[i].get();
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
