// The Engine is the one executor of LaunchPlans: it builds programs, packs weights and enqueues.
// The correctness check, the sweep and a runtime all run plans through it, so that what is measured
// is what runs.
//
// Who owns OpenCL's objects: an Engine and Weights retain their context, which keeps its devices. A
// queue and the buffers of Operands are borrowed for the call, and nothing of them is kept after
// it; only the queue of the device's last run that needed residency is retained, until that run's
// engine ends. What context(), device() and buffers() give stays the giver's: who keeps it longer
// retains it. An event that is given is the caller's to release.
//
// Threads: an Engine and Weights may be shared by any number of threads, each with executables,
// operands and a queue of its own; these belong to one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "loratune/dispatch/outcome.h"
#include "loratune/engine/device.h"
#include "loratune/variants/launch_plan.h"
#include "loratune/variants/problem.h"

namespace loratune {

class Route;

// What a slice of a group has of its own. y: a buffer for its rows, where these do not stand beside
// those of the other slices in one; all slices have one or none has. a, b and their offsets: of
// plans of parts. The scale is a factor beside that of all slices.
struct SliceOperands {
  cl_mem y = nullptr;
  std::int64_t off_y = 0, ld_y = 0;
  cl_mem a = nullptr, b = nullptr;
  std::int64_t off_a = 0, off_b = 0;
  float scale = 1.0F;
  bool operator==(const SliceOperands&) const = default;
};

// Where a call's operands stand: plain data, of one thread at a time. They may all stand in one
// buffer, as long as y and scratch overlap nothing else. Offsets and row pitches are in elements; a
// pitch of 0 is that of dense rows, k for x and n for y.
struct Operands {
  cl_mem x = nullptr, y = nullptr;
  std::int64_t off_x = 0, ld_x = 0, off_y = 0, ld_y = 0;
  // The rows of the call: any number up to m of the plan's problem, for -1 that number.
  std::int64_t m = -1;
  // In the plan's layouts; where it joins them a is both, and b null. Buffers just as long as these
  // where weights_of is not said. The offsets, in elements as they are packed, are multiples of
  // kWeightsAlign bytes.
  cl_mem a = nullptr, b = nullptr;
  std::int64_t off_a = 0, off_b = 0;
  float scale = 1.0F;
  // Executables without scratch of their own: where theirs begins, in bytes. Nothing in it is kept
  // from run to run. A multiple of kScratchAlign.
  cl_mem scratch = nullptr;
  std::int64_t off_scratch = 0;
  // The problem whose weights a and b hold, where that is known: k, n, rank and their type count.
  // Weights of another shape may be just as long.
  std::optional<Problem> weights_of;
  std::array<SliceOperands, kMaxSlices> slices{};
  // Of problems with adapters, as Pool::bind() says them: the table of the pool's slots, how many
  // there are, the elements from the weights of one to those of the next, and the rows' slots.
  cl_mem slots = nullptr;
  int slot_count = 0;
  std::int64_t ld_slot = 0;
  const Route* route = nullptr;
  bool operator==(const Operands&) const = default;
};

// What packed weights in a larger buffer are aligned to: the widest load of the kernels.
inline constexpr std::int64_t kWeightsAlign = 128;  // bytes
// What scratch in the caller's buffer is aligned to: more than any device asks for a part of one.
inline constexpr std::int64_t kScratchAlign = 4096;  // bytes

// What a run waits for, and where the event of its end is put, the caller's to release. Both are
// read and written within the call, the place first: it is none of those of `waits`.
struct Sync {
  std::span<const cl_event> waits;
  cl_event* done = nullptr;
};

// The factors of one module: a[rank,k] and b[columns,rank], dense, row-major, of weights_dtype() of
// the problem (f16, bf16: the bits). A rank below the problem's is filled up with zeros. g: DoRA's
// factors of the columns.
struct Factors {
  const void* a = nullptr;
  const void* b = nullptr;
  int rank = 0;
  float scale = 1.0F;
  const float* g = nullptr;
};

// The adapter of one problem shape on the device, in every layout that a plan has asked for. Any
// number of threads may ask the same Weights for buffers, or update them, at a time: they take
// turns, and each layout is made once. Who gives them an arena is alone with them.
class Weights {
 public:
  // a[rank,k] and b[n,rank]: dense, row-major, of weights_dtype(shape) (f16, bf16: the bits). Both
  // are copied, so that layouts can be made later. Of a group a holds the A of each slice one below
  // the other. Throws std::invalid_argument for a null pointer, or a shape that is none or has
  // DoRA, and OpenclError.
  Weights(cl_context context, const Problem& shape, const void* a, const void* b);
  // Of the modules of a group in their order, or of one module. Throws std::invalid_argument also
  // where there are not as many as slices, for a rank of none or above the problem's, and for
  // factors of columns that are there and not wanted, or the other way round.
  Weights(cl_context context, const Problem& shape, std::span<const Factors> modules);
  // Weights that were moved from may only be assigned to or destroyed.
  Weights(Weights&&) noexcept;
  Weights& operator=(Weights&&) noexcept;
  ~Weights();

  // Layouts made from now on stand in the `bytes` bytes of the caller's buffer from `begin` on, one
  // behind the other, instead of in buffers of their own, but for plans whose kernels take weights
  // from the beginning of a buffer on only. The caller keeps the buffer for as long as the Weights.
  // Throws std::invalid_argument where it has not these bytes or is no buffer of the context, and
  // OpenclError.
  void use_arena(cl_mem arena, std::int64_t begin, std::int64_t bytes);

  // The bytes that such a plan's layouts take in an arena.
  std::int64_t bytes_of(const LaunchPlan& plan) const;

  // Other values, from a step of training: written into the buffers that there are, of every layout
  // made so far, by blocking writes on the queue. Throws as the constructor does.
  void update(cl_command_queue queue, const void* a, const void* b);
  void update(cl_command_queue queue, std::span<const Factors> modules);

  // The buffers that such a plan's operands have as a and b, in its layouts; made by blocking
  // writes on the queue when first asked for. They live as long as the Weights. Throws OpenclError,
  // and std::invalid_argument for a plan that was made for weights of another shape, or of parts,
  // or where the arena is full.
  std::pair<cl_mem, cl_mem> buffers(cl_command_queue queue, const LaunchPlan& plan);

  // Makes these buffers the operands', with the offsets that they have in an arena, and says there
  // which shape they have; of a plan of parts, those of each slice, and of a group the scales of
  // its modules. Allocates nothing for layouts that are there.
  void set(cl_command_queue queue, const LaunchPlan& plan, Operands& operands);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Why a plan for this problem cannot run on these operands, in one line: more rows than the problem
// has, a buffer that is missing, a pitch that is shorter than a row, a tensor that begins before
// its buffer or ends behind it, weights of another shape or of another size than the plan's layouts
// take, or tensors that share bytes where one is written. Empty where it can. Scratch is left to
// the run to check. Any number of threads may ask at a time. Throws OpenclError.
std::string invalid_reason(const Problem& problem, const LaunchPlan& plan,
                           const Operands& operands);

// A built plan with kernels and scratch of its own, for any number of rows up to that of its
// problem. It belongs to one in-order queue and to one thread at a time, while executables of one
// engine may be used by as many threads; runs enqueued one after another on that queue are correct.
// Buffers are set with every run: one that was freed, and another made, may have the same handle.
// Numbers are set where they have changed.
class Executable {
 public:
  struct State;  // made by the engine
  explicit Executable(std::unique_ptr<State> state);
  ~Executable();
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  // Enqueues the plan's fills and launches, which are none for m = 0. With `events` given, appends
  // one event a command, or none where it throws. The operands are checked first: throws
  // std::invalid_argument with the reason, nothing being enqueued, where they do not fit. Throws
  // OpenclError. Allocates nothing without events.
  void enqueue(cl_command_queue queue, const Operands& operands,
               std::vector<cl_event>* events = nullptr);
  // The same with events for whoever shares the queue's results. Allocates nothing, but for scratch
  // in the caller's buffer that is several parts of it or does not stand at its beginning.
  void enqueue(cl_command_queue queue, const Operands& operands, const Sync& sync);

  // Bytes that a run takes of the caller's scratch; 0 where the executable has its own.
  std::int64_t scratch_bytes() const;
  const LaunchPlan& plan() const;
  const Problem& problem() const;

 private:
  std::unique_ptr<State> state_;
};

// What building gave: an executable, or why there is none. It belongs to one thread at a time.
struct Built {
  std::unique_ptr<Executable> executable;
  Outcome outcome = Outcome::correct;
  std::string detail;
  // The failed call of Outcome::runtime where it was for memory, which a later build may get.
  std::optional<OpenclError> transient = {};
};

// What an engine is made with.
struct EngineOptions {
  // Where compiled programs are kept for the next process; empty: in memory alone. It is made for
  // its owner where it is not there, and refused where others may write to it.
  std::filesystem::path cache_folder;
  std::uint64_t cache_bytes = std::uint64_t{64} << 20U;  // that the folder may hold
  bool caller_scratch = false;  // every run has scratch of the caller's, none is allocated
};

// The options with cache_folder and cache_bytes as $LORATUNE_CACHE_DIR and $LORATUNE_CACHE_BYTES
// say, where these are set and not empty. Throws std::invalid_argument for bytes that are no
// number. Nobody may change the environment meanwhile. An engine reads it nowhere else.
EngineOptions options_from_env(EngineOptions options = {});

// Any number of threads may call the same engine at a time; a program that several of them ask for
// at once is compiled by one, and the others wait for it. A device may have several engines, in one
// context or in several: runs of plans that say needs_residency are kept apart among all
// executables of the process on the device. Such a run on a queue of another context than the last
// one's waits on the host.
class Engine {
 public:
  // With a context of its own for the device. Throws OpenclError.
  explicit Engine(const Device& device);
  // In a context of the caller's, for one of its devices. Throws std::invalid_argument where the
  // device is none of the context's or the cache folder is refused, and OpenclError.
  Engine(cl_context context, cl_device_id device, const EngineOptions& options = {});
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
