#include "loratune/engine/pool.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "engine/internal/opencl.h"
#include "engine/internal/weights_shape.h"
#include "loratune/variants/packing.h"
#include "loratune/variants/slices.h"

namespace loratune {
namespace {

constexpr int kMostSlots = 1 << 24;

// What a kernel reads of a slot's module.
struct Entry {
  std::int32_t rank = 0;
  float scale = 0;
};

// A slot's factors, packed for the pool's rank into its part of each form's buffer, and for its
// own.
struct Slot {
  std::optional<Weights> pooled, alone;
  int rank = 0;
};

// The slots in the layouts of `plan`, whose kernels do not matter. Those before `placed` are there;
// the others are not where a write failed, unless they were filled since.
struct Form {
  LaunchPlan plan;
  std::int64_t slot_bytes = 0;
  Handle<cl_mem> buffer;
  std::size_t placed = 0;
};

bool takes_pool(const LaunchPlan& plan) {
  return std::any_of(plan.launches.begin(), plan.launches.end(), [](const Launch& launch) {
    return std::any_of(launch.args.begin(), launch.args.end(),
                       [](const Arg& arg) { return arg.role == Role::slots; });
  });
}

// What a kernel is told of the rank: it passes over a module of rank 0, which DoRA multiplies all
// the same, so that one has the rank of its zeros there.
std::int32_t rank_to_run(const Problem& shape, const Factors& module) {
  return module.rank == 0 && shape.dora ? 1 : module.rank;
}

// A module without factors has some of zeros in its place in the layouts.
std::vector<Factors> filled(const Problem& shape, std::span<const Factors> modules,
                            std::vector<unsigned char>& zeros) {
  std::int64_t longest = shape.k;
  for (int i = 0; i < slice_count(shape); ++i) longest = std::max(longest, slice_columns(shape, i));
  std::vector<Factors> all(modules.begin(), modules.end());
  for (Factors& module : all) {
    if (module.rank != 0) continue;
    zeros.resize(static_cast<std::size_t>(longest * element_bytes(weights_dtype(shape))));
    module.a = module.b = zeros.data();
    module.rank = 1;
  }
  return all;
}

}  // namespace

struct Pool::State {
  void check(int slot) const {
    if (slot >= 0 && std::cmp_less(slot, slots.size())) return;
    throw std::invalid_argument("pool: slot " + std::to_string(slot) + " of " +
                                std::to_string(slots.size()));
  }
  std::size_t entries_of_a_slot() const { return static_cast<std::size_t>(slice_count(shape)); }
  // Packs the slot's weights into its part of the form's buffer, where they are not there yet.
  static void place(cl_command_queue queue, const Form& form, std::size_t slot, Weights& weights) {
    weights.use_arena(form.buffer.get(), static_cast<std::int64_t>(slot) * form.slot_bytes,
                      form.slot_bytes);
    Operands unused;
    weights.set(queue, form.plan, unused);
  }
  void write_entries(cl_command_queue queue, int slot) {
    const std::size_t count = entries_of_a_slot();
    const std::size_t first = static_cast<std::size_t>(slot) * count;
    write_buffer(queue, table.get(), first * sizeof(Entry), count * sizeof(Entry),
                 entries.data() + first);
  }
  Form& form_of(const LaunchPlan& plan);
  const Form& form(cl_command_queue queue, const LaunchPlan& plan);

  Handle<cl_context> context;
  Problem shape;
  std::vector<Slot> slots;
  std::vector<Entry> entries;  // slot by slot, of each module
  Handle<cl_mem> table;        // of the entries
  std::mutex mutex;            // of forms
  std::deque<Form> forms;
};

Pool::Pool(cl_context context, const Problem& shape, int slots)
    : state_(std::make_unique<State>()) {
  Problem own = shape;
  own.m = 1;
  own.adapters = 0;
  const std::string why = invalid_reason(own);
  if (!why.empty()) throw std::invalid_argument("pool: " + why);
  if (slots < 1 || slots > kMostSlots) {
    throw std::invalid_argument("pool: " + std::to_string(slots) + " slots, not 1 to 2^24");
  }
  State& state = *state_;
  state.shape = own;
  state.slots.resize(static_cast<std::size_t>(slots));
  state.entries.resize(state.slots.size() * state.entries_of_a_slot());
  state.context = retain(context);
  state.table = make_buffer(context, state.entries.size() * sizeof(Entry), state.entries.data());
}
Pool::Pool(Pool&&) noexcept = default;
Pool& Pool::operator=(Pool&&) noexcept = default;
Pool::~Pool() = default;

int Pool::slots() const { return static_cast<int>(state_->slots.size()); }
const Problem& Pool::shape() const { return state_->shape; }

int Pool::rank(int slot) const {
  state_->check(slot);
  return state_->slots[static_cast<std::size_t>(slot)].rank;
}

Weights* Pool::alone(int slot) {
  state_->check(slot);
  std::optional<Weights>& weights = state_->slots[static_cast<std::size_t>(slot)].alone;
  return weights ? &*weights : nullptr;
}

void Pool::set(cl_command_queue queue, int slot, const void* a, const void* b, int rank,
               float scale) {
  const Factors module = {a, b, rank, scale, nullptr};
  set(queue, slot, {&module, 1});
}

void Pool::set(cl_command_queue queue, int slot, std::span<const Factors> modules) {
  State& state = *state_;
  state.check(slot);
  const auto index = static_cast<std::size_t>(slot);
  Slot& to = state.slots[index];
  Problem own = state.shape;
  own.rank = 0;
  for (const Factors& module : modules) {
    own.rank = std::max<int>(own.rank, rank_to_run(own, module));
  }
  if (own.rank == 0) throw std::invalid_argument("pool: no module has a rank: clear the slot");
  if (own.rank > state.shape.rank) {
    throw std::invalid_argument("pool: rank " + std::to_string(own.rank) +
                                ", its slots have up to " + std::to_string(state.shape.rank));
  }
  std::vector<unsigned char> zeros;
  const std::vector<Factors> factors = filled(state.shape, modules, zeros);
  Weights alone(state.context.get(), own, factors);
  if (to.pooled) {
    to.pooled->update(queue, factors);
  } else {
    // The slot's own once they are in all forms: until then the next set() begins anew.
    Weights pooled(state.context.get(), state.shape, factors);
    const std::lock_guard<std::mutex> lock(state.mutex);
    for (const Form& form : state.forms) State::place(queue, form, index, pooled);
    to.pooled.emplace(std::move(pooled));
  }
  if (!zeros.empty()) {
    to.alone.reset();
  } else if (to.alone && to.rank == own.rank) {
    to.alone->update(queue, factors);
  } else {
    to.alone.emplace(std::move(alone));
  }
  to.rank = own.rank;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    state.entries[index * state.entries_of_a_slot() + i] = {rank_to_run(state.shape, modules[i]),
                                                            modules[i].scale};
  }
  state.write_entries(queue, slot);
}

void Pool::clear(cl_command_queue queue, int slot) {
  State& state = *state_;
  state.check(slot);
  const auto index = static_cast<std::size_t>(slot);
  const std::size_t count = state.entries_of_a_slot();
  std::fill_n(state.entries.begin() + static_cast<std::ptrdiff_t>(index * count), count, Entry{});
  state.write_entries(queue, slot);
  state.slots[index] = {};
}

// The form in the plan's layouts, made with no slot in its place where there is none.
Form& Pool::State::form_of(const LaunchPlan& plan) {
  const auto found = std::find_if(forms.begin(), forms.end(), [&](const Form& form) {
    return form.plan.a == plan.a && form.plan.b == plan.b;
  });
  if (found != forms.end()) return *found;
  Form form;
  form.plan.a = plan.a;
  form.plan.b = plan.b;
  Launch launch;
  launch.args = {{Role::weights}, {Role::off_a}};
  form.plan.launches = {launch};
  form.slot_bytes = packed_bytes(shape, form.plan);
  form.buffer = make_buffer(context.get(), slots.size() * static_cast<std::size_t>(form.slot_bytes),
                            nullptr, CL_MEM_READ_ONLY);
  forms.push_back(std::move(form));
  return forms.back();
}

// The mutex is held while a form is made too: whoever asks for the same one waits for it. Where a
// write fails the form stays, since weights know their place in its buffer, and the next call goes
// on with the slot.
const Form& Pool::State::form(cl_command_queue queue, const LaunchPlan& plan) {
  const std::lock_guard<std::mutex> lock(mutex);
  Form& form = form_of(plan);
  for (; form.placed < slots.size(); ++form.placed) {
    std::optional<Weights>& weights = slots[form.placed].pooled;
    if (weights) place(queue, form, form.placed, *weights);
  }
  return form;
}

std::string Pool::shape_reason(const Problem& problem) const {
  const Problem& shape = state_->shape;
  Problem of_pool = problem;
  of_pool.m = 1;
  of_pool.adapters = 0;
  of_pool.accumulate = shape.accumulate;
  of_pool.align = shape.align;
  if (of_pool == shape) return {};
  return "pool: it is of another shape, that of " + to_string(shape) + ", not of " +
         to_string(problem);
}

void Pool::bind(cl_command_queue queue, const LaunchPlan& plan, const Route& route,
                Operands& operands) {
  State& state = *state_;
  if (!plan.launches.empty() && !takes_pool(plan))
    throw std::invalid_argument("pool: the plan takes no pool");
  if (plan.made_for.problem) {
    const std::string why = shape_reason(*plan.made_for.problem);
    if (!why.empty()) throw std::invalid_argument(why);
  }
  const Form& form = state.form(queue, plan);
  const std::int64_t bytes = element_bytes(packed_dtype(plan.a, weights_dtype(state.shape)));
  operands.a = form.buffer.get();
  operands.b = nullptr;
  operands.off_a = operands.off_b = 0;
  operands.slots = state.table.get();
  operands.slot_count = slots();
  operands.ld_slot = form.slot_bytes / bytes;
  operands.route = &route;
  operands.weights_of = state.shape;
  for (SliceOperands& slice : operands.slices) slice.scale = 1.0F;
}

}  // namespace loratune
