// How a call's work is shared out. Many rows: each thread takes blocks of rows, and computes x A^T
// and y of a block. Few rows: the threads share x A^T out by segments of k and panels of ranks,
// wait for one another, and share y out by columns.
#include "loratune/host/forward_host.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>

#include "host/internal/host_state.h"

namespace loratune {
namespace {

using host::kLine;
using host::kSegments;
using host::OutputRows;
using host::PackedView;
using host::Products;
using host::Rows;

constexpr std::int64_t kPanelLines = host::kWidePanel / kLine;

std::int64_t round_up(std::int64_t value, std::int64_t to) { return (value + to - 1) / to * to; }

// A thread gets at least so many products of two numbers: about what waking it costs.
constexpr double kProductsOfAThread = 500'000;
// Weights pass through the cache for fewer rows just as for so many.
constexpr double kRowsThatCost = 8;
constexpr std::int64_t kTileRows = 8;
constexpr std::int64_t kMostBlockRows = 64;
// What a block of x may take of the second-level cache.
constexpr std::int64_t kBlockBytes = 512 * 1024;

// A call, with what does not change in it.
struct Call {
  Call(const Problem& of, const host::Kernels& by, Dtype packed, const PackedView& with,
       const HostOperands& on)
      : problem(&of),
        kernels(&by),
        products(by.products(packed)),
        weights(with),
        operands(&on),
        ld_x(on.ld_x == 0 ? of.k : on.ld_x),
        ld_y(on.ld_y == 0 ? of.n : on.ld_y) {}

  const Problem* problem;
  const host::Kernels* kernels;
  const Products* products;
  PackedView weights;
  const HostOperands* operands;
  std::int64_t ld_x, ld_y;
  std::int64_t ld_h = 0;
  std::int64_t block_rows = 0;
  int tasks = 1;
  // Scratch: of each task a block of h, and of x where that has to be widened.
  float* scratch = nullptr;
  std::int64_t task_floats = 0, h_floats = 0;
  float* parts = nullptr;            // few rows: what each segment adds to h
  std::int64_t begin = 0, rows = 0;  // few rows: the block
  std::atomic<std::int64_t> next{0};

  float* h_of(int task) const { return scratch + task * task_floats; }
  float* x_of(int task) const { return h_of(task) + h_floats; }
  bool widens() const { return problem->dtype != Dtype::f32; }

  const std::byte* x_row(std::int64_t row) const {
    return static_cast<const std::byte*>(operands->x) + row * ld_x * element_bytes(problem->dtype);
  }

  // x of the rows in f32, widened into `wide` where it is not.
  Rows x_rows(std::int64_t row, std::int64_t count, float* wide) const {
    if (!widens()) return {reinterpret_cast<const float*>(x_row(row)), ld_x, count};
    for (std::int64_t i = 0; i < count; ++i) {
      kernels->widen(problem->dtype, x_row(row + i), problem->k, wide + i * problem->k);
    }
    return {wide, problem->k, count};
  }

  OutputRows y_rows(std::int64_t row) const {
    std::byte* y =
        static_cast<std::byte*>(operands->y) + row * ld_y * element_bytes(problem->dtype);
    return {y, ld_y, problem->dtype, operands->scale, problem->accumulate};
  }
};

// Many rows: takes blocks until there are none.
void compute_blocks(void* context, int task) {
  Call& call = *static_cast<Call*>(context);
  for (;;) {
    const std::int64_t row = call.next.fetch_add(call.block_rows, std::memory_order_relaxed);
    if (row >= call.problem->m) return;
    const std::int64_t count = std::min(call.block_rows, call.problem->m - row);
    float* h = call.h_of(task);
    call.products->project(call.x_rows(row, count, call.x_of(task)), call.weights, h, call.ld_h);
    call.products->expand({h, call.ld_h, count}, call.weights, 0, call.weights.b_lines(),
                          call.y_rows(row));
  }
}

// Few rows, first half: takes segments of lines, and groups of ranks. x was widened before.
void project_share(void* context, int) {
  Call& call = *static_cast<Call*>(context);
  const PackedView& view = call.weights;
  const std::int64_t lines = view.a_lines();
  const std::int64_t panels = (lines + kPanelLines - 1) / kPanelLines;
  const Rows x = call.widens() ? Rows{call.x_of(0), call.problem->k, call.rows}
                               : call.x_rows(call.begin, call.rows, nullptr);
  for (;;) {
    const std::int64_t part = call.next.fetch_add(1, std::memory_order_relaxed);
    if (part < panels * kSegments) {
      const std::int64_t first = part / kSegments * kPanelLines;
      const std::int64_t segment = part % kSegments;
      call.products->project_part(x, view, segment, first, std::min(first + kPanelLines, lines),
                                  call.parts + segment * call.h_floats, call.ld_h);
    } else if (part < panels * kSegments + view.groups()) {
      call.products->project_group(x, view, part - panels * kSegments, call.parts, call.ld_h);
    } else {
      return;
    }
  }
}

// Few rows, second half: adds the segments up, and takes its columns.
void expand_share(void* context, int task) {
  Call& call = *static_cast<Call*>(context);
  const PackedView& view = call.weights;
  const std::int64_t lines = view.b_lines();
  const std::int64_t share = round_up((lines + call.tasks - 1) / call.tasks, kPanelLines);
  const std::int64_t first = std::min(lines, task * share);
  const std::int64_t last = std::min(lines, first + share);
  if (first == last) return;
  float* h = call.h_of(task);
  const std::int64_t segments = view.a_lines() > 0 ? kSegments : 1;
  for (std::int64_t i = 0; i < call.rows * call.ld_h; ++i) {
    float sum = call.parts[i];
    for (std::int64_t s = 1; s < segments; ++s) sum += call.parts[s * call.h_floats + i];
    h[i] = sum;
  }
  call.products->expand({h, call.ld_h, call.rows}, view, first, last, call.y_rows(call.begin));
}

void run(const HostExecutor& executor, Call& call, HostTask task) {
  call.next.store(0, std::memory_order_relaxed);
  if (executor.run == nullptr || call.tasks == 1) {
    for (int i = 0; i < call.tasks; ++i) task(&call, i);
  } else {
    executor.run(executor.user, call.tasks, task, &call);
  }
}

// Threads that so much work is worth.
int tasks_for(const Problem& p, int threads) {
  const double products = std::max(static_cast<double>(p.m), kRowsThatCost) * p.rank *
                          (static_cast<double>(p.k) + static_cast<double>(p.n));
  const double worth = products / kProductsOfAThread;
  return worth >= threads ? threads : std::max(1, static_cast<int>(worth));
}

// Whether each task takes rows, or all share the few that there are.
bool shares_rows(const Call& call) {
  return call.tasks == 1 || call.problem->m >= call.tasks * kTileRows;
}

// The most rows of a block.
std::int64_t most_rows(const Problem& p) {
  const std::int64_t in_cache = kBlockBytes / static_cast<std::int64_t>(sizeof(float)) / p.k;
  return std::clamp(in_cache / kTileRows * kTileRows, kTileRows, kMostBlockRows);
}

// Gets the memory of so many tasks with blocks of so many rows. Throws std::bad_alloc.
void take_memory(Call& call, int tasks, std::int64_t rows, bool parts,
                 HostSession::State& session) {
  call.ld_h = call.weights.h_columns();
  // Whole cache lines, so that no two tasks write to one.
  call.h_floats = round_up(rows * call.ld_h, kLine);
  call.task_floats = call.h_floats + (call.widens() ? round_up(rows * call.problem->k, kLine) : 0);
  const std::int64_t shared = parts ? kSegments * call.h_floats : 0;
  session.scratch.reserve(static_cast<std::size_t>(tasks * call.task_floats + shared) *
                          sizeof(float));
  call.scratch = reinterpret_cast<float*>(session.scratch.data());
  call.parts = call.scratch + tasks * call.task_floats;
}

// Decides how the work is cut. Throws std::bad_alloc.
void lay_out(Call& call, HostSession::State& session) {
  const Problem& p = *call.problem;
  call.tasks = tasks_for(p, std::max(1, session.executor.threads));
  const std::int64_t rows_of_a_task = round_up((p.m + call.tasks - 1) / call.tasks, kTileRows);
  const std::int64_t most = most_rows(p);
  call.block_rows = std::min(shares_rows(call) ? std::min(most, rows_of_a_task) : most, p.m);
  take_memory(call, call.tasks, call.block_rows, !shares_rows(call), session);
}

void compute(Call& call, const HostExecutor& executor) {
  if (shares_rows(call)) return run(executor, call, compute_blocks);
  const std::int64_t m = call.problem->m;
  for (call.begin = 0; call.begin < m; call.begin += call.block_rows) {
    call.rows = std::min(call.block_rows, m - call.begin);
    if (call.widens()) call.x_rows(call.begin, call.rows, call.x_of(0));
    run(executor, call, project_share);
    run(executor, call, expand_share);
  }
}

// Why rows do not stand in memory as they should, or nothing. Sizes are compared by division: a
// product could overflow.
std::string rows_reason(const char* name, const void* at, std::int64_t ld, std::int64_t rows,
                        std::int64_t row, Dtype dtype) {
  if (at == nullptr) return std::string(name) + " is null";
  if (ld != 0 && ld < row) {
    return std::string("ld_") + name + " is " + std::to_string(ld) + ", a row of " + name +
           " has " + std::to_string(row) + " elements";
  }
  constexpr std::int64_t kMostElements = std::int64_t{1} << 60;
  const std::int64_t pitch = ld == 0 ? row : ld;
  if (rows > 1 && pitch > kMostElements / rows) {
    return std::string("ld_") + name + " is " + std::to_string(ld) + ": no address space holds " +
           std::to_string(rows) + " such rows";
  }
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  if (address % static_cast<std::uintptr_t>(element_bytes(dtype)) != 0) {
    return std::string(name) + " is not aligned to its elements";
  }
  return {};
}

std::string shape_reason(const Problem& problem, const Problem& weights) {
  if (problem.k == weights.k && problem.n == weights.n && problem.rank == weights.rank &&
      weights_dtype(problem) == weights_dtype(weights)) {
    return {};
  }
  Problem wanted = weights;
  wanted.m = problem.m;
  return "the weights are those of " + to_string(wanted) + ", not of " + to_string(problem);
}

std::string call_reason(const Problem& problem, const HostWeights& weights,
                        const HostOperands& operands) {
  std::string why = host::declined(problem);
  if (why.empty()) why = shape_reason(problem, weights.shape());
  if (!why.empty() || problem.m == 0) return why;
  why = rows_reason("x", operands.x, operands.ld_x, problem.m, problem.k, problem.dtype);
  if (!why.empty()) return why;
  return rows_reason("y", operands.y, operands.ld_y, problem.m, problem.n, problem.dtype);
}

}  // namespace

std::string host::declined(const Problem& problem) {
  const std::string why = invalid_reason(problem);
  if (!why.empty()) return why;
  if (problem.slices.count > 0) return "forward_host computes one module at a time, no slices";
  if (problem.adapters > 0) return "forward_host computes one adapter at a time, no pool of them";
  if (problem.dora) return "forward_host has no DoRA";
  return {};
}

void host::compute(const Problem& problem, const Kernels& kernels, Dtype packed,
                   const PackedView& weights, const HostOperands& operands, HostSession& session) {
  Call call(problem, kernels, packed, weights, operands);
  lay_out(call, session.state());
  loratune::compute(call, session.state().executor);
}

void host::reserve(const Problem& problem, const PackedView& weights, HostSession& session) {
  const HostOperands operands;
  Call call(problem, best_kernels(), Dtype::f32, weights, operands);
  take_memory(call, session.threads(), most_rows(problem), true, session.state());
}

HostSession::HostSession(int threads) : state_(std::make_unique<State>()) {
  if (threads <= 1) return;
  state_->pool = std::make_unique<HostThreads>(threads);
  state_->executor = state_->pool->executor();
}

HostSession::HostSession(const HostExecutor& executor) : state_(std::make_unique<State>()) {
  state_->executor = executor;
  state_->executor.threads = std::clamp(executor.threads, 1, kMostHostThreads);
}

HostSession::HostSession(HostSession&&) noexcept = default;
HostSession& HostSession::operator=(HostSession&&) noexcept = default;
HostSession::~HostSession() = default;
int HostSession::threads() const { return state_->executor.threads; }

std::string forward_host(const Problem& problem, const HostWeights& weights,
                         const HostOperands& operands, HostSession& session) noexcept {
  try {
    std::string why = call_reason(problem, weights, operands);
    if (!why.empty() || problem.m == 0) return why;
    const HostWeights::State& packed = weights.state();
    host::compute(problem, *packed.kernels, weights_dtype(packed.shape), packed.view, operands,
                  session);
    return {};
  } catch (const std::exception&) {
    return "no memory";  // short enough to need none
  }
}

std::string forward_host(const Problem& problem, const void* a, const void* b,
                         const HostOperands& operands, int threads) noexcept {
  try {
    const HostWeights::Packed packed = HostWeights::pack(problem, a, b);
    if (packed.weights == nullptr) return packed.why;
    HostSession session(threads);
    return forward_host(problem, *packed.weights, operands, session);
  } catch (const std::exception&) {
    return "no memory";
  }
}

std::string_view host_instruction_set() { return host::best_kernels().name; }

}  // namespace loratune
