// A WeightRing holds so many copies of a problem's weights that the copy of the next run is in no
// cache. A server that goes from adapter to adapter sees the same.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/internal/opencl.h"
#include "harness/base/cache.h"
#include "harness/check/checker.h"

namespace loratune {

// Bytes of the cache nearest to the memory, or a guess where the device does not tell.
std::int64_t last_level_cache_bytes(cl_device_id device);

// Copies of A and B together that a ring has: two or more, so many that they take more than twice
// the cache; fewer, and one in the end, where the device cannot allocate as many at once.
std::int64_t ring_size(std::int64_t weight_bytes, std::int64_t cache_bytes,
                       std::int64_t max_alloc_bytes);

// A problem has one ring, and all arms share its position: an arm with a position of its own would
// find what the arm before it left in the cache.
class WeightRing {
 public:
  WeightRing(Engine& engine, Checker& checker, Cache cache);

  // Operands for each run in turn, one for a warm cache. Plans of the same layouts share buffers.
  // Throws OpenclError.
  const std::vector<Operands>& operands(const LaunchPlan& plan);
  // Enqueues a run on the ring's next weights. `ring` as operands() gave it; `queue` any.
  void run(Executable& executable, const std::vector<Operands>& ring, cl_command_queue queue,
           std::vector<cl_event>* events = nullptr);

 private:
  struct Form {
    Operands source;  // the checker's, the same for all plans of a layout
    std::vector<Handle<cl_mem>> copies;
    std::vector<Operands> operands;
  };
  std::vector<Handle<cl_mem>> copies(cl_mem source, std::int64_t count) const;

  Engine& engine_;
  Checker& checker_;
  Cache cache_;
  std::size_t next_ = 0;
  std::vector<std::unique_ptr<Form>> forms_;  // their addresses are given out
};

}  // namespace loratune
