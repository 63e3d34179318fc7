// The Engine is the one executor of LaunchPlans: it builds programs, packs weights and enqueues.
// The correctness check, the sweep and a runtime all run plans through it, so that what is measured
// is what runs.
//
// Who owns OpenCL's objects: an Engine and Weights retain their context, which keeps its devices. A
// queue and the buffers of Operands are borrowed for the call, except that an Executable retains
// the buffers of its last run, and an Engine the queue of the last run that needed residency. What
// context(), device() and buffers() give stays the giver's: who keeps it longer retains it. An
// event that is given is the caller's to release.
//
// Threads: an Engine and Weights may be shared by any number of threads, each with executables,
// operands and a queue of its own; these belong to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loratune/dispatch/outcome.h"
#include "loratune/engine/device.h"
#include "loratune/variants/launch_plan.h"
#include "loratune/variants/problem.h"

namespace loratune {

// Where a call's operands stand: plain data, of one thread at a time. Offsets and row pitches are
// in elements; a pitch of 0 is that of dense rows, k for x and n for y.
struct Operands {
  cl_mem x = nullptr, y = nullptr;
  std::int64_t off_x = 0, ld_x = 0, off_y = 0, ld_y = 0;
  // Just as long as the plan's layouts; where it joins them a is both, and b null.
  cl_mem a = nullptr, b = nullptr;
  float scale = 1.0F;
  // The problem whose weights a and b hold, where that is known: k, n, rank and their type count.
  // Weights of another shape may be just as long.
  std::optional<Problem> weights_of;
  bool operator==(const Operands&) const = default;
};

// The adapter of one problem shape on the device, in every layout that a plan has asked for. Any
// number of threads may ask the same Weights for buffers at a time; each layout is made once.
class Weights {
 public:
  // a[rank,k] and b[n,rank]: dense, row-major, of weights_dtype(shape) (f16, bf16: the bits). Both
  // are copied, so that layouts can be made later. Throws std::invalid_argument for a null pointer,
  // or a shape that is none, and OpenclError.
  Weights(cl_context context, const Problem& shape, const void* a, const void* b);
  // Weights that were moved from may only be assigned to or destroyed.
  Weights(Weights&&) noexcept;
  Weights& operator=(Weights&&) noexcept;
  ~Weights();

  // The buffers that such a plan's operands have as a and b, in its layouts; made by blocking
  // writes on the queue when first asked for. They live as long as the Weights. Throws OpenclError,
  // and std::invalid_argument for a plan that was made for weights of another shape.
  std::pair<cl_mem, cl_mem> buffers(cl_command_queue queue, const LaunchPlan& plan);

  // Makes these buffers the operands', and says there which shape they have.
  void set(cl_command_queue queue, const LaunchPlan& plan, Operands& operands);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Why a plan for this problem cannot run on these operands, in one line: a buffer that is missing,
// a pitch that is shorter than a row, a tensor that begins before its buffer or ends behind it, or
// weights of another shape, or of another size than the plan's layouts take. Empty where it can.
// Any number of threads may ask at a time. Throws OpenclError.
std::string invalid_reason(const Problem& problem, const LaunchPlan& plan,
                           const Operands& operands);

// A built plan with kernels and scratch of its own. It belongs to one in-order queue and to one
// thread at a time, while executables of one engine may be used by as many threads; runs enqueued
// one after another on that queue are correct. An argument that has not changed since the last run
// is not set again.
class Executable {
 public:
  struct State;  // made by the engine
  explicit Executable(std::unique_ptr<State> state);
  ~Executable();
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  // Enqueues the plan's fills and launches. With `events` given, appends one event a command, or
  // none where it throws. Operands that differ from those of the last run are checked first: throws
  // std::invalid_argument with the reason, nothing being enqueued, where they do not fit. Throws
  // OpenclError.
  void enqueue(cl_command_queue queue, const Operands& operands,
               std::vector<cl_event>* events = nullptr);
  const LaunchPlan& plan() const;

 private:
  std::unique_ptr<State> state_;
};

// What building gave: an executable, or why there is none. It belongs to one thread at a time.
struct Built {
  std::unique_ptr<Executable> executable;
  Outcome outcome = Outcome::correct;
  std::string detail;
};

// One for each device and process: plans that say needs_residency are kept apart among the
// executables of one engine. Any number of threads may call the same engine at a time; a program
// that two of them build at once is compiled twice and kept once.
class Engine {
 public:
  // With a context of its own for the device. Throws OpenclError.
  explicit Engine(const Device& device);
  // In a context of the caller's, for one of its devices. Throws std::invalid_argument where the
  // device is none of the context's, and OpenclError.
  Engine(cl_context context, cl_device_id device);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  cl_context context() const;
  cl_device_id device() const;
  const DeviceInfo& info() const;

  // Builds the plan's program, or finds it among those built before, and checks every launch
  // against the built kernel's own limits. Outcome `compile` with the build log or with what is
  // wrong with the plan, `constraints` with the limit, `runtime` with the failing call.
  Built build(const Problem& problem, const LaunchPlan& plan);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace loratune
