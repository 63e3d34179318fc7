// What the engine makes an Executable of.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "engine/internal/opencl.h"
#include "engine/internal/residency.h"
#include "loratune/engine/engine.h"

namespace loratune {

inline constexpr int kMaxNumbers = 96;  // of a launch that passes them as one struct

// Whether the argument is a number, and no buffer or local memory.
inline bool is_number(const Arg& arg) {
  return arg.role >= Role::scale && arg.role != Role::scratch && arg.role != Role::local &&
         arg.role != Role::weights && arg.role != Role::slots && arg.role != Role::route &&
         arg.role != Role::arena;
}

// A launch's kernel, null for a native one, and the numbers that it is set to, where these are
// known, as bytes one behind the other.
struct BoundKernel {
  Handle<cl_kernel> kernel;
  std::vector<unsigned char> numbers;
  bool known = false;
};

// The scratch of one run, where it stands in a buffer of the caller's: the buffer itself, or parts
// of it that live as long as this.
inline constexpr std::size_t kMostParts = 8;
struct ScratchParts {
  std::array<cl_mem, kMostParts> buffers{};
  std::vector<Handle<cl_mem>> made;
};

struct Executable::State {
  // A launch's kernel with the arguments that are the same for every call, scratch and local
  // memory.
  BoundKernel bind_kernel(Handle<cl_kernel> kernel, const Launch& launch) const;
  // Sets the launch's buffers, and those numbers that have changed.
  void set_arguments(std::size_t launch, const Operands& operands, const ScratchParts& given);
  // Runs of operands that checked_rows() took, and its rows. `hold`: the event of each command,
  // since the run waits for some that may fail.
  void enqueue_all(cl_command_queue queue, const Operands& operands, std::int64_t m,
                   std::vector<Handle<cl_event>>* events);
  void enqueue_synced(cl_command_queue queue, const Operands& operands, std::int64_t m,
                      const Sync& sync, bool hold);
  std::int64_t number(const Arg& arg, const Operands& operands) const;
  // The rows of the call. Throws std::invalid_argument for operands that do not fit, the scratch of
  // the caller's and that of all parts included.
  std::int64_t checked_rows(const Operands& operands) const;
  // Of operands that checked_rows() took.
  ScratchParts scratch_of(const Operands& operands) const;
  // Enqueues, by `add`, the fills of scratch of its own that is zeroed once, where that is due.
  template <class Add>
  void zero_once(cl_command_queue queue, Add add);
  // Zeroes what is zeroed once, calls `begin`, then for each command `add`
  // with a function that enqueues it and takes the place of its event, or null, and with whether it
  // is the last. What begins with a wait must not have such fills behind it: they are not done
  // where that fails, and nobody would know.
  template <class Begin, class Add>
  void run(cl_command_queue queue, const Operands& operands, std::int64_t m, Begin begin, Add add);

  LaunchPlan plan;
  Problem problem;
  std::vector<std::unique_ptr<Executable>> parts;  // of a plan of parts
  bool joins = false;                              // A and B are one buffer
  std::int64_t joined_off_b = 0;                   // of B behind A in it
  std::vector<BoundKernel> kernels;                // one a launch
  std::vector<Handle<cl_mem>> scratch;             // its own
  bool own_scratch = true;
  std::shared_ptr<Residency> residency;  // the device's
  bool dirty = true;                     // scratch that is zeroed once has to be, again
};

}  // namespace loratune
