// What the engine makes an Executable of.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/internal/opencl.h"
#include "loratune/engine/engine.h"

namespace loratune {

inline constexpr int kMaxNumbers = 32;  // of a launch that passes them as one struct

// Whether the argument is a number, and no buffer or local memory.
inline bool is_number(const Arg& arg) {
  return arg.role >= Role::scale && arg.role != Role::scratch && arg.role != Role::local &&
         arg.role != Role::weights;
}

// Lets the runs of plans that say needs_residency follow one another on the device, whatever queues
// they come on: two at a time could each hold a part of it, and wait for the rest for ever. Any
// number of threads may enter the same one.
class Residency {
 public:
  // Makes `queue` wait for the last such run where that was on another queue. The run is to be
  // enqueued before the lock is given back. Throws OpenclError.
  [[nodiscard]] std::unique_lock<std::mutex> enter(cl_command_queue queue);

 private:
  std::mutex mutex_;
  Handle<cl_command_queue> last_;
};

// The operands that the kernels' arguments are set to. Their buffers are retained: another buffer
// cannot have the same handle meanwhile.
struct Bound {
  Operands operands;
  std::array<Handle<cl_mem>, 4> buffers;
};

struct Executable::State {
  void bind(const Operands& now);
  void set_arguments(std::size_t launch, const Operands& now, const Operands* before);
  std::int64_t number(const Arg& arg, const Operands& now) const;

  LaunchPlan plan;
  Problem problem;
  std::int64_t off_b = 0;
  std::vector<Handle<cl_kernel>> kernels;  // one a launch
  std::vector<Handle<cl_mem>> scratch;
  std::shared_ptr<Residency> residency;  // the engine's
  std::optional<Bound> bound;            // nothing while arguments of two runs may be mixed
  bool dirty = true;                     // scratch that is zeroed once has to be, again
};

}  // namespace loratune
