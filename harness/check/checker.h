// A Checker proves one case: it holds the case's operands on the device between guard bands, runs
// executables on them, and compares everything that a wrong kernel could have touched.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/internal/opencl.h"
#include "harness/check/case.h"
#include "loratune/engine/engine.h"
#include "loratune/engine/pool.h"
#include "loratune/variants/variant.h"

namespace loratune {

// `error_over_bound`: the worst |got - oracle| / bound() of all elements; 0 where the fill is
// compared bit for bit.
struct CheckResult {
  Outcome outcome = Outcome::correct;
  double error_over_bound = 0;
  std::string detail;
};

// A run of consecutive elements of a buffer.
struct ElementRun {
  std::int64_t begin, elements;
};
// What a check writes and reads back of a tensor of rows x cols, whose row i begins at element
// off + i * ld: the whole buffer, or, of a huge one whose rows lie far apart, each row with the
// guards around it. No two runs overlap.
std::vector<ElementRun> watched_runs(std::int64_t rows, std::int64_t cols, std::int64_t off,
                                     std::int64_t ld);

// Where the operands name the buffers of weights that they have.
std::vector<cl_mem*> weight_buffers(Operands& operands);

class Checker {
 public:
  // Makes the data, the oracle and the buffers. Throws OpenclError.
  Checker(Engine& engine, const Case& problem_case);

  // Runs the executable twice on fresh outputs, and checks each time: every element against the
  // oracle (poisoned beforehand unless it accumulates), the guard bands and row paddings of x and
  // y, x, A and B unchanged, and, for a deterministic plan, both runs equal to the bit. Outcome
  // correct, correctness or runtime. Never throws on what a kernel does.
  CheckResult check(Executable& executable);

  // A function that packs one adapter of the case as the plan wants it, and uploads it. It may not
  // outlive the checker.
  std::function<void()> packing(const LaunchPlan& plan) const;

  // Operands for the executable's plan; packs weights the first time a layout is asked for.
  Operands operands(const LaunchPlan& plan);
  // y as the case has it, poison where it does not accumulate.
  void restore_output();
  cl_command_queue queue() const { return queue_.get(); }
  const Case& problem_case() const { return case_; }
  const CaseData& data() const { return data_; }
  const Oracle& oracle() const { return oracle_; }

 private:
  using Bytes = std::vector<unsigned char>;
  // The content of an ElementRun.
  struct Window {
    std::int64_t begin;
    Bytes bytes;
  };
  struct Tensor {
    std::int64_t rows, cols, off, ld;
    std::int64_t first_column = 0;  // of y, that its first column is
    Handle<cl_mem> buffer;
    std::vector<Window> windows;  // as written before a run
  };
  Tensor make_tensor(const std::vector<float>& values, std::int64_t rows, std::int64_t cols,
                     std::int64_t off, std::int64_t pad, float gap) const;
  void make_pool();
  void make_outputs();
  std::vector<Window> read(const Tensor& tensor) const;
  void write(const Tensor& tensor) const;
  std::string differing(const Tensor& tensor, const std::vector<Window>& now,
                        bool elements_too) const;
  CheckResult compare(const Tensor& y, const std::vector<Window>& now) const;
  // Compares all of y, and hands out what was read.
  CheckResult compare(std::vector<std::vector<Window>>& now) const;
  std::vector<Bytes> read_weights(Operands operands) const;

  Engine& engine_;
  Case case_;
  CaseData data_;
  Oracle oracle_;
  Handle<cl_command_queue> queue_;
  std::unique_ptr<Weights> weights_;  // of problems without adapters
  std::unique_ptr<Pool> pool_;        // of problems with some
  std::unique_ptr<Route> route_;
  Tensor x_;
  std::vector<Tensor> y_;  // one, or one a slice
};

// The variant's CPU reference on the case, against the oracle: the worst error as a fraction of the
// bound.
double reference_error(const Variant& variant, const Config& config, const DeviceInfo& device,
                       const Case& problem_case, const CaseData& data, const Oracle& oracle);

}  // namespace loratune
