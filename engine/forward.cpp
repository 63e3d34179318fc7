#include "loratune/engine/forward.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <stdexcept>
#include <utility>

#include "engine/internal/opencl.h"
#include "engine/internal/operands.h"

namespace loratune {
namespace {

constexpr std::size_t kBuckets = 32;
constexpr std::size_t kAdapterBuckets = 18;  // none, 1, 2, 4 to 65536

// The bucket of a number: 0 for 1, and one for those above each power of two, up to the next.
std::size_t bucket_of(std::int64_t number) {
  return static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(number - 1)));
}

std::int64_t most_of(std::size_t bucket) { return std::min(std::int64_t{1} << bucket, kMaxExtent); }

// A call of one row on buffers of its own, but for scratch.
struct TrialCall {
  TrialCall(const Engine& engine, cl_command_queue queue, const Problem& shape) {
    const auto zeros = [&](std::int64_t elements) {
      const auto bytes = static_cast<std::size_t>(elements * element_bytes(shape.dtype));
      Handle<cl_mem> buffer = make_buffer(engine.context(), bytes);
      fill_buffer(queue, buffer.get(), cl_uchar{0}, bytes);
      return buffer;
    };
    x = zeros(shape.k);
    y = zeros(shape.n);
    operands.x = x.get();
    operands.y = y.get();
    operands.m = 1;
  }
  Handle<cl_mem> x, y;
  Operands operands;
};

// The reason why a call throws std::invalid_argument, or nothing.
template <class Call>
std::string reason_of(Call call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

}  // namespace

// What calls of so many rows run: any, and where there is another plan for them, those whose
// operands stand in one buffer.
struct Place {
  std::unique_ptr<Executable> any, in_one_buffer;
  bool tried = false;  // to make the second
};

struct Forward::State {
  // The place of the executable for m rows: the hint's, where the hint ends its bucket sooner.
  std::size_t place_of(std::int64_t m) const {
    const std::size_t bucket = bucket_of(m);
    const bool hinted = m <= shape.m && bucket == bucket_of(shape.m) && shape.m < most_of(bucket);
    return hinted ? kBuckets : bucket;
  }
  // Calls a function with a number of rows of each place up to `most` rows, until one gives a
  // reason.
  template <class Run>
  std::string for_each_place(std::int64_t most, Run run) const {
    if (most < 1) return {};
    const std::size_t last = bucket_of(std::min(most, kMaxExtent));
    for (std::size_t bucket = 0; bucket <= last; ++bucket) {
      std::string why = run(most_of(bucket));
      if (!why.empty()) return why;
    }
    return shape.m >= 1 && shape.m <= most ? run(shape.m) : std::string();
  }
  std::unique_ptr<Executable> build(const Problem& problem, std::string& why) const;
  Place& place(std::int64_t m, std::string& why, int adapters);
  Executable& executable_for(Place& place, const Operands& call) const;
  std::string rows_reason(Operands& call) const;
  Forward& forward_of_rank(int rank);
  bool one_has_all(const Pool& pool, const Route& route, std::int64_t m) const;
  int adapters_for(const Pool& pool, int active) const;

  Engine& engine;
  const Dispatcher& dispatcher;
  Problem shape;
  Mode mode;
  // By adapters, none or up to a power of two, and by rows.
  using Places = std::array<Place, kBuckets + 1>;
  std::array<Places, kAdapterBuckets> executables = {};
  std::map<int, std::unique_ptr<Forward>> alone = {};  // for all rows of one adapter, by its rank
};

Forward::Forward(Engine& engine, const Dispatcher& dispatcher, const Problem& shape, Mode mode) {
  const std::string why = invalid_reason(shape);
  if (!why.empty()) throw std::invalid_argument("forward: " + why);
  if (shape.adapters > 0) throw std::invalid_argument("forward: a call's route says its adapters");
  state_.reset(new State{engine, dispatcher, shape, mode});
}
Forward::~Forward() = default;

const Problem& Forward::shape() const { return state_->shape; }

// The pick, or where its kernel cannot be built, the first of the next choices that can. Throws
// OpenclError where there is no memory for one now: another choice would stay when there is.
std::unique_ptr<Executable> Forward::State::build(const Problem& problem, std::string& why) const {
  const auto try_to = [&](const Choice& choice) {
    Built built =
        engine.build(problem, choice.variant->plan(problem, choice.config, engine.info()));
    if (built.transient) throw OpenclError(*built.transient);
    if (!built.executable && why.empty()) why = to_string(problem) + ": " + built.detail;
    return std::move(built.executable);
  };
  const Choice pick = dispatcher.pick(problem, mode);  // counts a miss
  if (pick.variant == nullptr) {
    why = to_string(problem) + ": there is no kernel for it on the device";
    return nullptr;
  }
  std::unique_ptr<Executable> executable = try_to(pick);
  if (executable) return executable;
  const std::vector<Choice> choices = dispatcher.choices(problem, mode);
  for (std::size_t i = 1; i < choices.size() && !executable; ++i) executable = try_to(choices[i]);
  return executable;
}

Place& Forward::State::place(std::int64_t m, std::string& why, int adapters) {
  why.clear();
  const std::size_t rows = place_of(m);
  const std::size_t group = adapters == 0 ? 0 : bucket_of(adapters) + 1;
  Place& place = executables.at(group)[rows];
  if (!place.any) {
    Problem problem = shape;
    if (rows < kBuckets) problem.m = most_of(rows);
    problem.adapters =
        group == 0 ? 0 : static_cast<int>(std::min<std::int64_t>(most_of(group - 1), kMaxAdapters));
    place.any = build(problem, why);
  }
  return place;
}

// `call` has the weights. Where the other plan's kernels cannot be built, these serve all calls,
// and where there is no memory for them now, this one.
Executable& Forward::State::executable_for(Place& place, const Operands& call) const {
  const Problem& problem = place.any->problem();
  if (!stand_in_one_buffer(call, problem)) return *place.any;
  if (!place.tried) {
    const LaunchPlan plan = in_one_buffer(place.any->plan());
    Built built;
    if (takes_arena(plan)) built = engine.build(problem, plan);
    place.tried = !built.transient;
    place.in_one_buffer = std::move(built.executable);
  }
  return place.in_one_buffer ? *place.in_one_buffer : *place.any;
}

Executable* Forward::executable(std::int64_t m, std::string& why, int adapters) {
  return state_->place(m, why, adapters).any.get();
}

// Makes m the call's, and says why there is none.
std::string Forward::State::rows_reason(Operands& call) const {
  if (call.m < 0) call.m = shape.m;
  return call.m > kMaxExtent ? "m is " + std::to_string(call.m) + ", not below 2^31" : "";
}

// `how` is what Executable::enqueue() takes last.
template <class How>
std::string Forward::run(cl_command_queue queue, Weights& weights, const Operands& operands,
                         How how) {
  Operands call = operands;
  std::string why = state_->rows_reason(call);
  if (!why.empty() || call.m == 0) return why;
  Place& place = state_->place(call.m, why, 0);
  if (!place.any) return why;
  return reason_of([&] {
    weights.set(queue, place.any->plan(), call);
    state_->executable_for(place, call).enqueue(queue, call, how);
  });
}

std::string Forward::enqueue(cl_command_queue queue, Weights& weights, const Operands& operands,
                             std::vector<cl_event>* events) {
  return run(queue, weights, operands, events);
}
std::string Forward::enqueue(cl_command_queue queue, Weights& weights, const Operands& operands,
                             const Sync& sync) {
  return run<const Sync&>(queue, weights, operands, sync);
}

Forward& Forward::State::forward_of_rank(int rank) {
  std::unique_ptr<Forward>& forward = alone[rank];
  if (!forward) {
    Problem problem = shape;
    problem.rank = rank;
    forward = std::make_unique<Forward>(engine, dispatcher, problem, mode);
  }
  return *forward;
}

// Whether one adapter has all rows, which then take the plan of its rank for one adapter. Not where
// the bits of a row may not depend on the others': its plan would. A call that does not fit is left
// to the plan for many adapters, which refuses it.
bool Forward::State::one_has_all(const Pool& pool, const Route& route, std::int64_t m) const {
  return mode != Mode::batch_invariant && route.only() >= 0 && route.rows() == m &&
         route.slots() <= pool.slots() && pool.shape_reason(shape).empty();
}

// Of how many adapters the plan is: of those that have rows or, where the bits of a row may not
// depend on the others', of all that may have some.
int Forward::State::adapters_for(const Pool& pool, int active) const {
  return std::clamp(mode == Mode::batch_invariant ? pool.slots() : active, 1, kMaxAdapters);
}

Executable* Forward::executable(Pool& pool, const Route& route, std::int64_t m, std::string& why) {
  if (state_->one_has_all(pool, route, m) && pool.alone(route.only()) != nullptr) {
    return state_->forward_of_rank(pool.rank(route.only())).executable(m, why);
  }
  return executable(m, why, state_->adapters_for(pool, route.active()));
}

template <class How>
std::string Forward::run(cl_command_queue queue, Pool& pool, const Route& route,
                         const Operands& operands, How how) {
  Operands call = operands;
  std::string why = state_->rows_reason(call);
  if (!why.empty() || call.m == 0) return why;
  if (state_->one_has_all(pool, route, call.m)) {
    const int only = route.only();
    Weights* const weights = pool.alone(only);
    if (weights != nullptr) {
      return state_->forward_of_rank(pool.rank(only)).template run<How>(queue, *weights, call, how);
    }
  }
  if (route.active() > kMaxAdapters) {
    return std::to_string(route.active()) + " adapters in one call, more than " +
           std::to_string(kMaxAdapters);
  }
  Place& place = state_->place(call.m, why, state_->adapters_for(pool, route.active()));
  if (!place.any) return why;
  return reason_of([&] {
    pool.bind(queue, place.any->plan(), route, call);
    state_->executable_for(place, call).enqueue(queue, call, how);
  });
}

std::string Forward::enqueue(cl_command_queue queue, Pool& pool, const Route& route,
                             const Operands& operands, std::vector<cl_event>* events) {
  return run(queue, pool, route, operands, events);
}
std::string Forward::enqueue(cl_command_queue queue, Pool& pool, const Route& route,
                             const Operands& operands, const Sync& sync) {
  return run<const Sync&>(queue, pool, route, operands, sync);
}

std::string Forward::prepare(cl_command_queue queue, Weights& weights, std::int64_t most) {
  const TrialCall trial(state_->engine, queue, state_->shape);
  std::string why = state_->for_each_place(most, [&](std::int64_t m) {
    std::string wrong;
    Place& place = state_->place(m, wrong, 0);
    if (!place.any) return wrong;
    return reason_of([&] {
      const Handle<cl_mem> scratch = scratch_for(*place.any, state_->engine.context());
      Operands call = trial.operands;
      call.scratch = scratch.get();
      weights.set(queue, place.any->plan(), call);
      place.any->enqueue(queue, call);
      if (call.off_a == 0) return;  // no arena, which x and y could share
      call.x = call.y = call.a;
      state_->executable_for(place, call);
    });
  });
  finish(queue);
  return why;
}

std::string Forward::prepare(cl_command_queue queue, Pool& pool, std::int64_t most, int adapters) {
  const TrialCall trial(state_->engine, queue, state_->shape);
  Route route(state_->engine.context(), 1, pool.slots());
  const bool invariant = state_->mode == Mode::batch_invariant;
  std::string why;
  for (std::int32_t slot = 0; slot < pool.slots() && why.empty(); ++slot) {
    Weights* const weights = pool.alone(slot);
    if (weights != nullptr && !invariant) {
      why = state_->forward_of_rank(pool.rank(slot)).prepare(queue, *weights, most);
    }
    if (why.empty() && pool.rank(slot) > 0) why = route.assign(queue, {&slot, 1});
  }
  for (int active = state_->adapters_for(pool, 1); why.empty(); active *= 2) {
    why = state_->for_each_place(most, [&](std::int64_t m) {
      std::string wrong;
      Executable* const found = executable(m, wrong, active);
      if (found == nullptr) return wrong;
      if (route.rows() == 0) return std::string();
      return reason_of([&] {
        const Handle<cl_mem> scratch = scratch_for(*found, state_->engine.context());
        Operands call = trial.operands;
        call.scratch = scratch.get();
        pool.bind(queue, found->plan(), route, call);
        found->enqueue(queue, call);
      });
    });
    if (invariant || active >= std::min(adapters, kMaxAdapters)) break;
  }
  finish(queue);
  return why;
}

}  // namespace loratune
