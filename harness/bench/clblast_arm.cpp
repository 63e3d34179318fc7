#include "harness/bench/clblast_arm.h"

#include <clblast.h>

#include <algorithm>
#include <stdexcept>

namespace loratune {
namespace {

// The operands in the type that the GEMMs compute in, in buffers of their own.
struct ClblastRun {
  Problem problem;
  Dtype type;
  cl_command_queue queue;  // the checker's
  float scale = 1;
  std::vector<unsigned char> y_before;
  Handle<cl_mem> x, y, h;
  std::vector<Handle<cl_mem>> a, b;
  std::size_t next = 0;

  void restore() { write_buffer(queue, y.get(), 0, y_before.size(), y_before.data()); }

  template <class T>
  void gemm(std::int64_t n, std::int64_t k, T alpha, const Handle<cl_mem>& left,
            const Handle<cl_mem>& right, T beta, const Handle<cl_mem>& out) {
    const auto size = [](std::int64_t extent) { return static_cast<std::size_t>(extent); };
    const clblast::StatusCode status = clblast::Gemm<T>(
        clblast::Layout::kRowMajor, clblast::Transpose::kNo, clblast::Transpose::kYes,
        size(problem.m), size(n), size(k), alpha, left.get(), 0, size(k), right.get(), 0, size(k),
        beta, out.get(), 0, size(n), &queue, nullptr);
    if (status != clblast::StatusCode::kSuccess) {
      throw OpenclError(static_cast<cl_int>(status), "clblast::Gemm");
    }
  }

  void run() {
    const std::size_t i = next++ % a.size();
    const float beta = problem.accumulate ? 1.0F : 0.0F;
    if (type == Dtype::f32) {
      gemm<float>(problem.rank, problem.k, 1.0F, x, a[i], 0.0F, h);
      gemm<float>(problem.n, problem.rank, scale, h, b[i], beta, y);
    } else {
      gemm<cl_half>(problem.rank, problem.k, to_half(1), x, a[i], to_half(0), h);
      gemm<cl_half>(problem.n, problem.rank, to_half(scale), h, b[i], to_half(beta), y);
    }
  }
};

CheckResult check(ClblastRun& run, const Checker& checker) {
  run.restore();
  run.run();
  std::vector<unsigned char> bytes(run.y_before.size());
  read_buffer(run.queue, run.y.get(), 0, bytes.size(), bytes.data());
  std::vector<float> y(bytes.size() / static_cast<std::size_t>(element_bytes(run.type)));
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = load_element(run.type, bytes.data(), static_cast<std::int64_t>(i));
  }
  const double error = worst_error(run.problem, y, checker.oracle(), unit_roundoff(run.type));
  if (error <= 1) return {Outcome::correct, error, {}};
  return {Outcome::correctness, error, "differs from the float64 oracle"};
}

}  // namespace

bool have_clblast() { return true; }

BenchArm clblast_arm(Engine& engine, Checker& checker, std::int64_t cache_bytes) {
  const Problem& p = checker.problem_case().problem;
  const CaseData& data = checker.data();
  // It has no bf16, and no GEMM of operands of two types.
  const bool halves = types_of(p) == Types(Dtype::f16);
  const bool half_type = halves && has_extension(engine.info(), "cl_khr_fp16");
  const Dtype type = half_type ? Dtype::f16 : Dtype::f32;
  const std::int64_t weights = p.rank * (p.k + p.n) * element_bytes(type);
  const std::int64_t copies =
      cache_bytes > 0 ? ring_size(weights, cache_bytes, engine.info().max_alloc_bytes) : 1;
  auto run = std::make_shared<ClblastRun>();
  run->problem = p;
  run->type = type;
  run->queue = checker.queue();
  run->scale = data.scale;
  run->y_before = to_storage(type, data.y);
  const auto upload = [&](const std::vector<float>& values) {
    const std::vector<unsigned char> bytes = to_storage(type, values);
    return make_buffer(engine.context(), bytes.size(), bytes.data());
  };
  run->x = upload(data.x);
  run->y = upload(data.y);
  run->h = upload(std::vector<float>(static_cast<std::size_t>(p.m * p.rank)));
  for (std::int64_t i = 0; i < copies; ++i) {
    run->a.push_back(upload(data.a));
    run->b.push_back(upload(data.b));
  }
  BenchArm arm;
  arm.label = std::string("2 GEMMs of CLBlast in ") + (half_type ? "half" : "float");
  if (!half_type) arm.label += widened_note(p);
  if (halves && !half_type) arm.label += ": no cl_khr_fp16";
  arm.timed.run = [run] { run->run(); };
  arm.timed.finish = [run] { finish(run->queue); };
  arm.timed.restore = [run] {
    if (run->problem.accumulate) run->restore();
  };
  arm.check = [run, &checker] { return check(*run, checker); };
  return arm;
}

}  // namespace loratune
