// The Engine is the one executor of LaunchPlans: it builds programs, packs weights and enqueues.
// The correctness check, the sweep and a runtime all run plans through it, so that what is measured
// is what runs.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "loratune/dispatch/outcome.h"
#include "loratune/engine/device.h"
#include "loratune/variants/packing.h"
#include "loratune/variants/problem.h"

namespace loratune {

// Where a call's operands stand: plain data, of one thread at a time. Offsets and row pitches are
// in elements; a pitch of 0 is that of dense rows, k for x and n for y.
struct Operands {
  cl::Buffer x, y;
  std::int64_t off_x = 0, ld_x = 0, off_y = 0, ld_y = 0;
  cl::Buffer a, b;  // just as long as the plan's layouts; where it joins them a is both, and b none
  float scale = 1.0F;
  // The problem whose weights a and b hold, where that is known: its k, n, rank and dtype count.
  // Weights of another shape may be just as long.
  std::optional<Problem> weights_of;
};

// The adapter of one problem shape on the device, in every layout that a plan has asked for. Any
// number of threads may ask the same Weights for buffers at a time; each layout is made once.
class Weights {
 public:
  // a[rank,k] and b[n,rank]: dense, row-major, in the problem's dtype (f16: the bits). Both are
  // copied, so that layouts can be made later. Throws std::invalid_argument for a null pointer, or
  // a shape that is none.
  Weights(cl::Context context, const Problem& shape, const void* a, const void* b);

  // The buffers that such a plan's operands have as a and b, in its layouts; made by blocking
  // writes on the queue when first asked for. Throws cl::Error.
  // Throws std::invalid_argument for a plan that was made for weights of another shape.
  std::pair<cl::Buffer, cl::Buffer> buffers(const cl::CommandQueue& queue, const LaunchPlan& plan);

  // Makes these buffers the operands', and says there which shape they have.
  void set(const cl::CommandQueue& queue, const LaunchPlan& plan, Operands& operands);

 private:
  using Bytes = std::vector<unsigned char>;
  struct Form {
    Packing a, b;
    bool joined;
    std::pair<cl::Buffer, cl::Buffer> buffers;
  };
  Bytes packed(const Packing& packing, const Bytes& dense, std::int64_t rows,
               std::int64_t cols) const;

  cl::Context context_;
  Problem shape_;
  Bytes dense_a_, dense_b_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();  // of forms_; it may move
  std::vector<Form> forms_;
};

// Why a plan for this problem cannot run on these operands, in one line: a buffer that is missing,
// a pitch that is shorter than a row, a tensor that begins before its buffer or ends behind it, or
// weights of another shape, or of another size than the plan's layouts take. Empty where it can.
// Throws cl::Error.
std::string invalid_reason(const Problem& problem, const LaunchPlan& plan,
                           const Operands& operands);

// Lets the runs of plans that say needs_residency follow one another on the device, whatever queues
// they come on: two at a time could each hold a part of it, and wait for the rest for ever. Any
// number of threads may enter the same one.
class Residency {
 public:
  // Makes `queue` wait for the last such run where that was on another queue. The run is to be
  // enqueued before the lock is given back. Throws cl::Error.
  [[nodiscard]] std::unique_lock<std::mutex> enter(const cl::CommandQueue& queue);

 private:
  std::mutex mutex_;
  cl::CommandQueue last_;
};

// A built plan with kernels and scratch of its own. It belongs to one in-order queue and to one
// thread at a time, while executables of one engine may be used by as many threads; runs enqueued
// one after another on that queue are correct. It holds on to the buffers of its last run: an
// argument that has not changed since is not set again.
class Executable {
 public:
  // Enqueues the plan's fills and launches. With `events` given, appends one event a command.
  // Operands that differ from those of the last run are checked first: throws std::invalid_argument
  // with the reason, nothing being enqueued, where they do not fit. Throws cl::Error.
  void enqueue(const cl::CommandQueue& queue, const Operands& operands,
               std::vector<cl::Event>* events = nullptr);
  const LaunchPlan& plan() const { return plan_; }

 private:
  friend class Engine;
  void bind(const Operands& operands);
  void set_arguments(std::size_t launch, const Operands& operands, const Operands* before);
  std::int64_t number(const Arg& arg, const Operands& operands) const;

  LaunchPlan plan_;
  Problem problem_;
  std::int64_t off_b_ = 0;
  std::vector<cl::Kernel> kernels_;  // one a launch
  std::vector<cl::Buffer> scratch_;
  std::shared_ptr<Residency> residency_;  // the engine's
  std::optional<Operands> bound_;         // what the kernels' arguments are set to
  bool dirty_ = true;  // scratch of Zero::once must be zeroed before the next run
};

// What building gave: an executable, or why there is none.
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
  // A context of its own for the device. Throws cl::Error.
  explicit Engine(const Device& device);

  const cl::Context& context() const { return context_; }
  const cl::Device& device() const { return device_.handle; }
  const DeviceInfo& info() const { return device_.info; }

  // An in-order queue. Throws cl::Error.
  cl::CommandQueue make_queue(bool profiling = false) const;

  // Builds the plan's program, or finds it among those built before, and checks every launch
  // against the built kernel's own limits. Outcome `compile` with the build log or with what is
  // wrong with the plan, `constraints` with the limit, `runtime` with the failing call.
  Built build(const Problem& problem, const LaunchPlan& plan);

 private:
  Device device_;
  cl::Context context_;
  cl::Program program_of(const LaunchPlan& plan, std::string& log);

  std::mutex mutex_;                             // of programs_
  std::map<std::string, cl::Program> programs_;  // by program_key()
  std::shared_ptr<Residency> residency_ = std::make_shared<Residency>();
};

}  // namespace loratune
