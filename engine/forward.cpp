#include "loratune/engine/forward.h"

#include <algorithm>
#include <array>
#include <bit>
#include <stdexcept>
#include <utility>

#include "engine/internal/opencl.h"

namespace loratune {
namespace {

constexpr std::size_t kBuckets = 32;

// The bucket of m rows: 0 for 1, and one for those above each power of two, up to the next.
std::size_t bucket_of(std::int64_t m) {
  return static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(m - 1)));
}

std::int64_t most_of(std::size_t bucket) { return std::min(std::int64_t{1} << bucket, kMaxExtent); }

}  // namespace

struct Forward::State {
  // The place of the executable for m rows: the hint's, where the hint ends its bucket sooner.
  std::size_t place_of(std::int64_t m) const {
    const std::size_t bucket = bucket_of(m);
    const bool hinted = m <= shape.m && bucket == bucket_of(shape.m) && shape.m < most_of(bucket);
    return hinted ? kBuckets : bucket;
  }

  std::unique_ptr<Executable> build(const Problem& problem, std::string& why) const;

  Engine& engine;
  const Dispatcher& dispatcher;
  Problem shape;
  Mode mode;
  std::array<std::unique_ptr<Executable>, kBuckets + 1> executables = {};
};

Forward::Forward(Engine& engine, const Dispatcher& dispatcher, const Problem& shape, Mode mode) {
  const std::string why = invalid_reason(shape);
  if (!why.empty()) throw std::invalid_argument("forward: " + why);
  state_.reset(new State{engine, dispatcher, shape, mode});
}
Forward::~Forward() = default;

const Problem& Forward::shape() const { return state_->shape; }

// The pick, or where its kernel cannot be built, the first of the next choices that can.
std::unique_ptr<Executable> Forward::State::build(const Problem& problem, std::string& why) const {
  const auto try_to = [&](const Choice& choice) {
    Built built =
        engine.build(problem, choice.variant->plan(problem, choice.config, engine.info()));
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

Executable* Forward::executable(std::int64_t m, std::string& why) {
  why.clear();
  const std::size_t place = state_->place_of(m);
  std::unique_ptr<Executable>& executable = state_->executables[place];
  if (!executable) {
    Problem problem = state_->shape;
    if (place < kBuckets) problem.m = most_of(place);
    executable = state_->build(problem, why);
  }
  return executable.get();
}

std::string Forward::enqueue(cl_command_queue queue, Weights& weights, const Operands& operands,
                             std::vector<cl_event>* events) {
  Operands call = operands;
  if (call.m < 0) call.m = state_->shape.m;
  if (call.m == 0) return {};
  if (call.m > kMaxExtent) return "m is " + std::to_string(call.m) + ", not below 2^31";
  std::string why;
  Executable* const found = executable(call.m, why);
  if (found == nullptr) return why;
  try {
    weights.set(queue, found->plan(), call);
    found->enqueue(queue, call, events);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

std::string Forward::prepare(cl_command_queue queue, Weights& weights, std::int64_t most) {
  const Problem& shape = state_->shape;
  const std::int64_t bytes = element_bytes(shape.dtype);
  const auto zeros = [&](std::int64_t elements) {
    Handle<cl_mem> buffer =
        make_buffer(state_->engine.context(), static_cast<std::size_t>(elements * bytes));
    fill_buffer(queue, buffer.get(), cl_uchar{0}, static_cast<std::size_t>(elements * bytes));
    return buffer;
  };
  const Handle<cl_mem> x = zeros(shape.k);
  const Handle<cl_mem> y = zeros(shape.n);
  std::string why;
  const auto run = [&](std::int64_t m) {
    Executable* const found = executable(m, why);
    if (found == nullptr) return;
    Operands one;
    one.x = x.get();
    one.y = y.get();
    one.m = 1;
    try {
      weights.set(queue, found->plan(), one);
      found->enqueue(queue, one);
    } catch (const std::invalid_argument& error) {
      why = error.what();
    }
  };
  if (most < 1) return why;
  const std::size_t last = bucket_of(std::min(most, kMaxExtent));
  for (std::size_t bucket = 0; bucket <= last && why.empty(); ++bucket) run(most_of(bucket));
  if (why.empty() && shape.m >= 1 && shape.m <= most) run(shape.m);
  finish(queue);
  return why;
}

}  // namespace loratune
