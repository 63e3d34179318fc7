#include "harness/check/checker.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "harness/base/problem_size.h"
#include "loratune/variants/slices.h"
#include "variants/internal/reference.h"

namespace loratune {
namespace {

constexpr std::int64_t kGuard = kGuardElements;
constexpr std::int64_t kWholeElements = std::int64_t{1} << 26;  // a larger buffer is a huge one
constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();
constexpr float kFence = -1.625F * 1024;  // fills y's gaps; exact in f16 and bf16

std::int64_t buffer_elements(std::int64_t rows, std::int64_t cols, std::int64_t off,
                             std::int64_t ld) {
  return off + (rows == 0 ? 0 : (rows - 1) * ld + cols) + kGuard;
}

std::string at(std::int64_t row, std::int64_t column) {
  return "y[" + std::to_string(row) + "," + std::to_string(column) + "]";
}

// Error of one element as a fraction of its bound; what the oracle says is NaN or past the largest
// finite value must be exactly that.
double element_error(const Problem& p, float got, double want, double magnitude) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (std::isnan(want)) return std::isnan(got) ? 0 : kInfinite;
  const double limit = overflow_of(p.dtype);
  const double allowed = bound(p, want, magnitude);
  if (std::fabs(want) >= limit + allowed) {
    return std::isinf(got) && std::signbit(got) == std::signbit(want) ? 0 : kInfinite;
  }
  if (!std::isfinite(got)) return std::fabs(want) + allowed >= limit ? 0 : kInfinite;
  return std::fabs(got - want) / allowed;
}

// The factors of each slice by itself, of weights_dtype(), as who reads adapters has them.
struct StoredFactors {
  StoredFactors(const Problem& p, int rank, const std::vector<float>& a,
                const std::vector<float>& b, const std::vector<float>& g,
                const std::array<float, kMaxSlices>& slice_scale) {
    const auto store = [&](const std::vector<float>& all, std::int64_t first,
                           std::int64_t elements) {
      bytes.push_back(
          to_storage(weights_dtype(p), {all.begin() + first, all.begin() + first + elements}));
      return bytes.back().data();
    };
    for (int i = 0; i < slice_count(p); ++i) {
      const std::int64_t columns = slice_columns(p, i);
      const std::int64_t first = columns_before(p, i);
      Factors& one = factors.emplace_back();
      one.a = store(a, i * rank * p.k, rank * p.k);
      one.b = store(b, first * rank, columns * rank);
      one.g = p.dora ? g.data() + first : nullptr;
      one.rank = rank;
      one.scale = slice_scale[static_cast<unsigned>(i)];
    }
  }
  std::vector<std::vector<unsigned char>> bytes;
  std::vector<Factors> factors;
};

bool compared_exactly(Fill fill) { return fill == Fill::exact; }

}  // namespace

std::vector<ElementRun> watched_runs(std::int64_t rows, std::int64_t cols, std::int64_t off,
                                     std::int64_t ld) {
  const std::int64_t all = buffer_elements(rows, cols, off, ld);
  if (all <= kWholeElements || ld - cols < 2 * kGuard) return {{0, all}};
  std::vector<ElementRun> runs;
  for (std::int64_t row = 0; row < rows; ++row) {
    runs.push_back({off + row * ld - kGuard, cols + 2 * kGuard});
  }
  return runs;
}

Checker::Checker(Engine& engine, const Case& problem_case)
    : engine_(engine),
      case_(problem_case),
      data_(make_data(problem_case)),
      oracle_(run_oracle(problem_case.problem, data_)),
      queue_(make_queue(engine.context(), engine.device())) {
  const Problem& p = case_.problem;
  if (p.adapters > 0) {
    make_pool();
  } else {
    const StoredFactors stored(p, p.rank, data_.a, data_.b, data_.g, data_.slice_scale);
    weights_ = std::make_unique<Weights>(engine.context(), p, stored.factors);
  }
  // NaN in the gaps of x: a kernel that reads one and uses it is wrong at once.
  x_ = make_tensor(data_.x, p.m, p.k, case_.off_x, case_.pad_x, kPoison);
  make_outputs();
  write(x_);
}

void Checker::make_pool() {
  const Problem& p = case_.problem;
  const int slots = static_cast<int>(data_.pool.size());
  pool_ = std::make_unique<Pool>(engine_.context(), p, slots);
  for (int slot = 0; slot < slots; ++slot) {
    const SlotData& own = data_.pool[static_cast<std::size_t>(slot)];
    if (own.rank == 0) continue;
    const StoredFactors stored(p, own.rank, own.a, own.b, own.g, own.slice_scale);
    pool_->set(queue(), slot, stored.factors);
  }
  route_ = std::make_unique<Route>(engine_.context(), std::max<std::int64_t>(p.m, 1), slots);
  const std::string why = route_->assign(queue(), data_.slots);
  if (!why.empty()) throw std::logic_error(why);
}

std::function<void()> Checker::packing(const LaunchPlan& plan) const {
  Problem one = case_.problem;
  one.adapters = 0;
  const auto with_rank =
      std::ranges::find_if(data_.pool, [](const SlotData& s) { return s.rank > 0; });
  const auto stored =
      with_rank == data_.pool.end()
          ? std::make_shared<StoredFactors>(one, one.rank, data_.a, data_.b, data_.g,
                                            data_.slice_scale)
          : std::make_shared<StoredFactors>(one, with_rank->rank, with_rank->a, with_rank->b,
                                            with_rank->g, with_rank->slice_scale);
  return [this, one, plan, stored] {
    Weights(engine_.context(), one, stored->factors).buffers(queue(), plan);
  };
}

void Checker::make_outputs() {
  const Problem& p = case_.problem;
  const int tensors = case_.apart ? slice_count(p) : 1;
  for (int i = 0; i < tensors; ++i) {
    const std::int64_t first = case_.apart ? columns_before(p, i) : 0;
    const std::int64_t columns = case_.apart ? slice_columns(p, i) : p.n;
    std::vector<float> values(static_cast<std::size_t>(p.m * columns), kPoison);
    for (std::int64_t row = 0; p.accumulate && row < p.m; ++row) {
      std::copy_n(data_.y.begin() + row * p.n + first, columns, values.begin() + row * columns);
    }
    y_.push_back(make_tensor(values, p.m, columns, case_.off_y, case_.pad_y, kFence));
    y_.back().first_column = first;
  }
}

Checker::Tensor Checker::make_tensor(const std::vector<float>& values, std::int64_t rows,
                                     std::int64_t cols, std::int64_t off, std::int64_t pad,
                                     float gap) const {
  const Dtype dtype = case_.problem.dtype;
  Tensor tensor{rows, cols, kGuard + off, cols + pad, 0, {}, {}};
  for (const ElementRun& run : watched_runs(rows, cols, tensor.off, tensor.ld)) {
    tensor.windows.push_back(
        {run.begin,
         to_storage(dtype, std::vector<float>(static_cast<std::size_t>(run.elements), gap))});
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    Window& window = tensor.windows[tensor.windows.size() == 1 ? 0 : static_cast<std::size_t>(row)];
    const std::int64_t first = tensor.off + row * tensor.ld - window.begin;
    for (std::int64_t i = 0; i < cols; ++i) {
      store_element(dtype, window.bytes.data(), first + i,
                    values[static_cast<std::size_t>(row * cols + i)]);
    }
  }
  tensor.buffer =
      make_buffer(engine_.context(),
                  static_cast<std::size_t>(buffer_elements(rows, cols, tensor.off, tensor.ld) *
                                           element_bytes(dtype)));
  return tensor;
}

void Checker::write(const Tensor& tensor) const {
  const auto bytes = static_cast<std::size_t>(element_bytes(case_.problem.dtype));
  for (const Window& window : tensor.windows) {
    write_buffer(queue(), tensor.buffer.get(), static_cast<std::size_t>(window.begin) * bytes,
                 window.bytes.size(), window.bytes.data());
  }
}

std::vector<Checker::Window> Checker::read(const Tensor& tensor) const {
  const auto bytes = static_cast<std::size_t>(element_bytes(case_.problem.dtype));
  std::vector<Window> now = tensor.windows;
  for (Window& window : now) {
    read_buffer(queue(), tensor.buffer.get(), static_cast<std::size_t>(window.begin) * bytes,
                window.bytes.size(), window.bytes.data());
  }
  return now;
}

// Where a tensor differs from what was written: in its gaps, or in its elements as well.
std::string Checker::differing(const Tensor& tensor, const std::vector<Window>& now,
                               bool elements_too) const {
  const auto bytes = static_cast<std::size_t>(element_bytes(case_.problem.dtype));
  for (std::size_t w = 0; w < now.size(); ++w) {
    const Window& before = tensor.windows[w];
    if (before.bytes == now[w].bytes) continue;
    const std::size_t elements = before.bytes.size() / bytes;
    for (std::size_t i = 0; i < elements; ++i) {
      if (std::memcmp(before.bytes.data() + i * bytes, now[w].bytes.data() + i * bytes, bytes) ==
          0) {
        continue;
      }
      const std::int64_t position = before.begin + static_cast<std::int64_t>(i) - tensor.off;
      const bool element =
          position >= 0 && position / tensor.ld < tensor.rows && position % tensor.ld < tensor.cols;
      if (!element)
        return "element " + std::to_string(position) + " outside the tensor was written";
      if (elements_too) return "element " + std::to_string(position) + " was changed";
    }
  }
  return {};
}

CheckResult Checker::compare(const Tensor& y, const std::vector<Window>& now) const {
  const Problem& p = case_.problem;
  CheckResult result;
  for (std::int64_t row = 0; row < p.m; ++row) {
    const Window& window = now[now.size() == 1 ? 0 : static_cast<std::size_t>(row)];
    const std::int64_t first = y.off + row * y.ld - window.begin;
    if (is_left_alone(data_, row)) {
      const auto bytes = static_cast<std::size_t>(element_bytes(p.dtype));
      const std::size_t begin = static_cast<std::size_t>(first) * bytes;
      const Window& before = y.windows[now.size() == 1 ? 0 : static_cast<std::size_t>(row)];
      if (std::memcmp(window.bytes.data() + begin, before.bytes.data() + begin,
                      static_cast<std::size_t>(y.cols) * bytes) != 0) {
        return {Outcome::correctness, std::numeric_limits<double>::infinity(),
                "row " + std::to_string(row) + " of y has no adapter and was written (" +
                    std::string(to_string(case_.fill)) + " fill)"};
      }
      continue;
    }
    for (std::int64_t i = 0; i < y.cols; ++i) {
      const std::int64_t column = y.first_column + i;
      const auto index = static_cast<std::size_t>(row * p.n + column);
      const float got = load_element(p.dtype, window.bytes.data(), first + i);
      const double want = oracle_.value[index];
      if (compared_exactly(case_.fill)) {
        if (static_cast<double>(got) == want) continue;
      } else {
        const double error = element_error(p, got, want, oracle_.magnitude[index]);
        result.error_over_bound = std::max(result.error_over_bound, error);
        if (error <= 1.0) continue;
      }
      result.outcome = Outcome::correctness;
      if (result.detail.empty()) {
        result.detail = at(row, column) + " = " + std::to_string(got) + ", expected " +
                        std::to_string(want) + " (" + std::string(to_string(case_.fill)) + " fill)";
      }
    }
  }
  return result;
}

CheckResult Checker::compare(std::vector<std::vector<Window>>& now) const {
  CheckResult worst;
  now.clear();
  for (const Tensor& y : y_) {
    now.push_back(read(y));
    CheckResult result = compare(y, now.back());
    if (result.outcome != Outcome::correct) return result;
    const std::string stray = differing(y, now.back(), false);
    if (!stray.empty()) {
      const double infinite = std::numeric_limits<double>::infinity();
      return {Outcome::correctness, infinite,
              "y: " + stray + " (" + std::string(to_string(case_.fill)) + " fill)"};
    }
    worst.error_over_bound = std::max(worst.error_over_bound, result.error_over_bound);
  }
  return worst;
}

Operands Checker::operands(const LaunchPlan& plan) {
  Operands operands;
  operands.x = x_.buffer.get();
  operands.y = y_.front().buffer.get();
  operands.off_x = x_.off;
  operands.ld_x = x_.ld;
  operands.off_y = y_.front().off;
  operands.ld_y = y_.front().ld;
  for (std::size_t i = 0; case_.apart && i < y_.size(); ++i) {
    operands.slices[i].y = y_[i].buffer.get();
    operands.slices[i].off_y = y_[i].off;
    operands.slices[i].ld_y = y_[i].ld;
  }
  if (pool_) {
    pool_->bind(queue(), plan, *route_, operands);
  } else {
    weights_->set(queue(), plan, operands);
  }
  operands.scale = data_.scale;
  return operands;
}

void Checker::restore_output() {
  for (const Tensor& y : y_) write(y);
}

std::vector<cl_mem*> weight_buffers(Operands& operands) {
  std::vector<cl_mem*> buffers = {&operands.a, &operands.b};
  for (SliceOperands& slice : operands.slices) {
    buffers.push_back(&slice.a);
    buffers.push_back(&slice.b);
  }
  std::erase_if(buffers, [](const cl_mem* buffer) { return *buffer == nullptr; });
  return buffers;
}

std::vector<Checker::Bytes> Checker::read_weights(Operands operands) const {
  std::vector<Bytes> all;
  for (const cl_mem* buffer : weight_buffers(operands)) {
    Bytes& bytes = all.emplace_back(buffer_bytes(*buffer));
    read_buffer(queue(), *buffer, 0, bytes.size(), bytes.data());
  }
  return all;
}

CheckResult Checker::check(Executable& executable) {
  const auto wrong = [&](std::string detail) {
    return CheckResult{Outcome::correctness, std::numeric_limits<double>::infinity(),
                       std::move(detail) + " (" + std::string(to_string(case_.fill)) + " fill)"};
  };
  try {
    const Operands operands = this->operands(executable.plan());
    const std::vector<Bytes> weights = read_weights(operands);
    CheckResult result;
    std::vector<std::vector<Window>> first, now;
    for (int run = 0; run < 2; ++run) {
      restore_output();
      executable.enqueue(queue(), operands);
      finish(queue());
      CheckResult compared = compare(now);
      if (compared.outcome != Outcome::correct) {
        if (run == 1) compared.detail += ", in the second run only";
        return compared;
      }
      result.error_over_bound = std::max(result.error_over_bound, compared.error_over_bound);
      if (run == 0) {
        first = now;
      } else if (executable.plan().deterministic) {
        for (std::size_t i = 0; i < now.size(); ++i) {
          for (std::size_t w = 0; w < now[i].size(); ++w) {
            if (first[i][w].bytes != now[i][w].bytes) return wrong("two runs differ");
          }
        }
      }
    }
    const std::string changed = differing(x_, read(x_), true);
    if (!changed.empty()) return wrong("x: " + changed);
    if (read_weights(operands) != weights) return wrong("the weights were changed");
    return result;
  } catch (const OpenclError& error) {
    return {Outcome::runtime, 0, error.what()};
  }
}

double reference_error(const Variant& variant, const Config& config, const DeviceInfo& device,
                       const Case& problem_case, const CaseData& data, const Oracle& oracle) {
  const Problem& p = problem_case.problem;
  if (p.adapters > 0) {
    double worst_part = 0;
    for (const AdapterPart& part : adapter_parts(p, data)) {
      Case alone = problem_case;
      alone.problem = part.problem;
      worst_part = std::max(worst_part, reference_error(variant, config, device, alone, part.data,
                                                        run_oracle(part.problem, part.data)));
    }
    return worst_part;
  }
  std::vector<float> y = data.y;
  for (int i = 0; i < slice_count(p); ++i) {
    const Problem alone = slice_problem(p, i);
    const std::int64_t first = columns_before(p, i);
    std::vector<float> part(static_cast<std::size_t>(alone.m * alone.n));
    for (std::int64_t row = 0; row < alone.m; ++row) {
      std::copy_n(y.begin() + row * p.n + first, alone.n, part.begin() + row * alone.n);
    }
    find_reference(variant.name)(
        alone, config, device,
        {data.x.data(), data.a.data() + i * p.rank * p.k, data.b.data() + first * p.rank,
         part.data(), data.scale * data.slice_scale[static_cast<unsigned>(i)],
         p.dora ? data.g.data() + first : nullptr});
    for (std::int64_t row = 0; row < alone.m; ++row) {
      std::copy_n(part.begin() + row * alone.n, alone.n, y.begin() + row * p.n + first);
    }
  }
  double worst = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    worst = std::max(worst, element_error(p, y[i], oracle.value[i], oracle.magnitude[i]));
  }
  return worst;
}

}  // namespace loratune
