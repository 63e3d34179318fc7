#include "harness/check/checker.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "loratune/variants/packing.h"
#include "variants/internal/reference.h"

namespace loratune {
namespace {

constexpr std::int64_t kGuard = 64;  // elements before and behind a tensor
constexpr std::int64_t kWholeElements = std::int64_t{1}
                                        << 26;  // larger buffers are looked at row by row
constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();
constexpr float kFence = -1.625F * 1024;  // fills y's gaps; exact in f16 and bf16

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

bool compared_exactly(Fill fill) { return fill == Fill::exact; }

}  // namespace

Checker::Checker(Engine& engine, const Case& problem_case)
    : engine_(engine),
      case_(problem_case),
      data_(make_data(problem_case)),
      oracle_(run_oracle(problem_case.problem, data_)),
      queue_(make_queue(engine.context(), engine.device())) {
  const Problem& p = case_.problem;
  weights_ =
      std::make_unique<Weights>(engine.context(), p, to_storage(weights_dtype(p), data_.a).data(),
                                to_storage(weights_dtype(p), data_.b).data());
  // NaN in the gaps of x: a kernel that reads one and uses it is wrong at once.
  x_ = make_tensor(data_.x, p.m, p.k, case_.off_x, case_.pad_x, kPoison);
  const std::vector<float> poison(data_.y.size(), kPoison);
  y_ = make_tensor(p.accumulate ? data_.y : poison, p.m, p.n, case_.off_y, case_.pad_y, kFence);
  write(x_);
}

Checker::Tensor Checker::make_tensor(const std::vector<float>& values, std::int64_t rows,
                                     std::int64_t cols, std::int64_t off, std::int64_t pad,
                                     float gap) const {
  const Dtype dtype = case_.problem.dtype;
  Tensor tensor{rows, cols, kGuard + off, cols + pad, {}, {}};
  const std::int64_t used = rows == 0 ? 0 : (rows - 1) * tensor.ld + cols;
  const std::int64_t size = tensor.off + used + kGuard;
  const auto add_window = [&](std::int64_t begin, std::int64_t elements) {
    tensor.windows.push_back(
        {begin, to_storage(dtype, std::vector<float>(static_cast<std::size_t>(elements), gap))});
  };
  if (size <= kWholeElements) {
    add_window(0, size);
  } else {
    for (std::int64_t row = 0; row < rows; ++row) {
      add_window(tensor.off + row * tensor.ld - kGuard, cols + 2 * kGuard);
    }
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
      make_buffer(engine_.context(), static_cast<std::size_t>(size * element_bytes(dtype)));
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

CheckResult Checker::compare(const std::vector<Window>& now) const {
  const Problem& p = case_.problem;
  CheckResult result;
  for (std::int64_t row = 0; row < p.m; ++row) {
    const Window& window = now[now.size() == 1 ? 0 : static_cast<std::size_t>(row)];
    const std::int64_t first = y_.off + row * y_.ld - window.begin;
    for (std::int64_t column = 0; column < p.n; ++column) {
      const auto index = static_cast<std::size_t>(row * p.n + column);
      const float got = load_element(p.dtype, window.bytes.data(), first + column);
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

Operands Checker::operands(const LaunchPlan& plan) {
  Operands operands;
  operands.x = x_.buffer.get();
  operands.y = y_.buffer.get();
  operands.off_x = x_.off;
  operands.ld_x = x_.ld;
  operands.off_y = y_.off;
  operands.ld_y = y_.ld;
  weights_->set(queue(), plan, operands);
  operands.scale = data_.scale;
  return operands;
}

void Checker::restore_output() { write(y_); }

std::string Checker::changed_inputs(const LaunchPlan& plan) {
  const std::string x = differing(x_, read(x_), true);
  if (!x.empty()) return "x: " + x;
  const Problem& p = case_.problem;
  const auto changed = [&](cl_mem buffer, std::int64_t first, const Packing& packing,
                           std::int64_t rows, std::int64_t cols, const std::vector<float>& dense) {
    const Dtype dtype = packed_dtype(packing, weights_dtype(p));
    const auto expected = to_storage(dtype, pack(packing, rows, cols, dense.data()));
    std::vector<unsigned char> now(expected.size());
    read_buffer(queue(), buffer, static_cast<std::size_t>(first * element_bytes(dtype)), now.size(),
                now.data());
    return now != expected;
  };
  const auto [a, b] = weights_->buffers(queue(), plan);
  if (changed(a, 0, plan.a, p.rank, p.k, data_.a)) return "A was changed";
  const bool joined = joins_weights(plan);
  if (changed(joined ? a : b, joined ? joined_off_b(plan.a, p) : 0, plan.b, p.n, p.rank, data_.b)) {
    return "B was changed";
  }
  return {};
}

CheckResult Checker::check(Executable& executable) {
  const auto wrong = [&](std::string detail) {
    return CheckResult{Outcome::correctness, std::numeric_limits<double>::infinity(),
                       std::move(detail) + " (" + std::string(to_string(case_.fill)) + " fill)"};
  };
  try {
    const Operands operands = this->operands(executable.plan());
    CheckResult result;
    std::vector<Window> first;
    for (int run = 0; run < 2; ++run) {
      restore_output();
      executable.enqueue(queue(), operands);
      finish(queue());
      std::vector<Window> now = read(y_);
      CheckResult compared = compare(now);
      if (compared.outcome != Outcome::correct) {
        if (run == 1) compared.detail += ", in the second run only";
        return compared;
      }
      result.error_over_bound = std::max(result.error_over_bound, compared.error_over_bound);
      const std::string stray = differing(y_, now, false);
      if (!stray.empty()) return wrong("y: " + stray);
      if (run == 0) {
        first = std::move(now);
      } else if (executable.plan().deterministic) {
        for (std::size_t w = 0; w < now.size(); ++w) {
          if (first[w].bytes != now[w].bytes) return wrong("two runs differ");
        }
      }
    }
    const std::string changed = changed_inputs(executable.plan());
    if (!changed.empty()) return wrong(changed);
    return result;
  } catch (const OpenclError& error) {
    return {Outcome::runtime, 0, error.what()};
  }
}

double reference_error(const Variant& variant, const Config& config, const DeviceInfo& device,
                       const Case& problem_case, const CaseData& data, const Oracle& oracle) {
  const Problem& p = problem_case.problem;
  std::vector<float> y = data.y;
  find_reference(variant.name)(p, config, device,
                               {data.x.data(), data.a.data(), data.b.data(), y.data(), data.scale});
  double worst = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    worst = std::max(worst, element_error(p, y[i], oracle.value[i], oracle.magnitude[i]));
  }
  return worst;
}

}  // namespace loratune
