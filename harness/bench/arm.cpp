#include "harness/bench/arm.h"

#include <cblas.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "loratune/dispatch/default_choice.h"
#include "loratune/dispatch/plan_text.h"

namespace loratune {
namespace {

// Copies of the weights, B behind A in each copy. Every run takes the next copy.
struct HostRing {
  std::vector<float> values;
  std::size_t step = 0, copies = 1, next = 0;
};

HostRing make_ring(const CaseData& data, std::int64_t cache_bytes) {
  HostRing ring;
  ring.step = data.a.size() + data.b.size();
  if (cache_bytes > 0) {
    ring.copies =
        static_cast<std::size_t>(ring_size(static_cast<std::int64_t>(ring.step * sizeof(float)),
                                           cache_bytes, std::numeric_limits<std::int64_t>::max()));
  }
  for (std::size_t i = 0; i < ring.copies; ++i) {
    ring.values.insert(ring.values.end(), data.a.begin(), data.a.end());
    ring.values.insert(ring.values.end(), data.b.begin(), data.b.end());
  }
  return ring;
}

struct HostRun {
  Problem problem;
  HostRing ring;
  std::vector<float> x, y, h;
  float scale = 1;
  std::array<float, kMaxSlices> slice_scale{};

  void run() {
    const auto m = static_cast<int>(problem.m);
    const auto k = static_cast<int>(problem.k);
    const auto n = static_cast<int>(problem.n);
    const float* a = ring.values.data() + ring.next++ % ring.copies * ring.step;
    const int ranks = h_columns(problem);
    const float* b = a + ranks * problem.k;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, ranks, k, 1.0F, x.data(), k, a, k, 0.0F,
                h.data(), ranks);
    float* slice_y = y.data();
    for (int i = 0; i < slice_count(problem); ++i) {
      const auto columns = static_cast<int>(slice_columns(problem, i));
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, columns, problem.rank,
                  scale * slice_scale[static_cast<unsigned>(i)], h.data() + i * problem.rank, ranks,
                  b, problem.rank, problem.accumulate ? 1.0F : 0.0F, slice_y, n);
      b += std::int64_t{columns} * problem.rank;
      slice_y += columns;
    }
  }
};

}  // namespace

std::string widened_note(const Problem& p) {
  const Types types = types_of(p);
  if (types == Types(Dtype::f32)) return {};
  return "; " + to_string(types) + " widened to f32 outside of the timing";
}

double worst_error(const Problem& p, const std::vector<float>& y, const Oracle& oracle,
                   double unit_roundoff) {
  double worst = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double sums = kBoundFactor * unit_roundoff *
                        std::sqrt(static_cast<double>(p.k + p.rank)) * oracle.magnitude[i];
    const double allowed = std::max(bound(p, oracle.value[i], oracle.magnitude[i]), sums);
    const double error = std::fabs(y[i] - oracle.value[i]) / allowed;
    if (!(error <= worst)) worst = std::isnan(error) ? HUGE_VAL : error;
  }
  return worst;
}

BenchArm plan_arm(Engine& engine, Checker& checker, WeightRing& ring, const LaunchPlan& plan) {
  BenchArm arm;
  arm.launches = launch_count(plan);
  arm.on_device = !is_native(plan);
  Built built = engine.build(checker.problem_case().problem, plan);
  arm.outcome = built.outcome;
  arm.detail = built.detail;
  if (built.outcome != Outcome::correct) return arm;
  const std::shared_ptr<Executable> executable = std::move(built.executable);
  const std::vector<Operands>& operands = ring.operands(plan);
  arm.timed.run = [&checker, &ring, &operands, executable] {
    ring.run(*executable, operands, checker.queue());
  };
  arm.timed.finish = [&checker] { finish(checker.queue()); };
  arm.timed.restore = [&checker] {
    if (checker.problem_case().problem.accumulate) checker.restore_output();
  };
  arm.check = [&checker, executable] { return checker.check(*executable); };
  arm.read_events = [&engine, &ring, &operands, executable] {
    constexpr int kRuns = 10;
    return loratune::read_events(
        engine,
        [&](cl_command_queue queue, std::vector<cl_event>* events) {
          ring.run(*executable, operands, queue, events);
        },
        kRuns);
  };
  return arm;
}

BenchArm launch_arm(Probes& probes) {
  BenchArm arm;
  arm.label = "an empty kernel";
  arm.launches = 1;
  arm.computes = false;
  arm.check = [] { return CheckResult{Outcome::correct, 0, {}}; };
  arm.timed.run = [&probes] { probes.launch_empty(); };
  arm.timed.finish = [&probes] { probes.finish(); };
  arm.timed.restore = [] {};
  return arm;
}

BenchArm copy_arm(Engine& engine, Checker& checker) {
  const Problem& p = checker.problem_case().problem;
  const auto bytes = static_cast<std::size_t>(p.m * p.n * element_bytes(p.dtype));
  auto from = std::make_shared<Handle<cl_mem>>(make_buffer(engine.context(), bytes));
  auto to = std::make_shared<Handle<cl_mem>>(make_buffer(engine.context(), bytes));
  BenchArm arm;
  arm.label = "y copied from one buffer to another";
  arm.computes = false;
  arm.check = [] { return CheckResult{Outcome::correct, 0, {}}; };
  arm.timed.run = [&checker, from, to, bytes] {
    copy_buffer(checker.queue(), from->get(), to->get(), 0, bytes);
  };
  arm.timed.finish = [&checker] { finish(checker.queue()); };
  arm.timed.restore = [] {};
  return arm;
}

BenchArm other_case_arm(Engine& engine, const Case& other, Cache cache, const std::string& what) {
  struct Own {
    Own(Engine& of, const Case& plain, Cache kind) : checker(of, plain), ring(of, checker, kind) {}
    Checker checker;
    WeightRing ring;
  };
  const auto own = std::make_shared<Own>(engine, other, cache);
  const Choice choice = default_choice(other.problem, engine.info());
  BenchArm arm = plan_arm(engine, own->checker, own->ring,
                          choice.variant->plan(other.problem, choice.config, engine.info()));
  arm.label = what + ": " + std::string(choice.variant->name) + " " +
              to_string(choice.variant->space, choice.config);
  arm.computes = false;
  if (arm.outcome != Outcome::correct) return arm;
  // What it runs on lives as long as what runs.
  arm.timed.run = [own, run = std::move(arm.timed.run)] { run(); };
  return arm;
}

BenchArm openblas_arm(Checker& checker, std::int64_t cache_bytes) {
  const Problem& p = checker.problem_case().problem;
  const CaseData& data = checker.data();
  auto host = std::make_shared<HostRun>(
      HostRun{p, make_ring(data, cache_bytes), data.x, data.y, {}, data.scale, data.slice_scale});
  host->h.resize(static_cast<std::size_t>(p.m * h_columns(p)));
  BenchArm arm;
  arm.on_device = false;
  arm.label = std::to_string(1 + slice_count(p)) + " cblas_sgemm on the host, " +
              std::to_string(openblas_get_num_threads()) + " threads" + widened_note(p);
  arm.timed.run = [host] { host->run(); };
  arm.timed.finish = [] {};
  arm.timed.restore = [host, &data] { host->y = data.y; };
  arm.check = [host, &checker] {
    const Problem& problem = checker.problem_case().problem;
    host->y = checker.data().y;
    host->run();
    const double error = worst_error(problem, host->y, checker.oracle(), unit_roundoff(Dtype::f32));
    if (error <= 1) return CheckResult{Outcome::correct, error, {}};
    return CheckResult{Outcome::correctness, error, "differs from the float64 oracle"};
  };
  return arm;
}

}  // namespace loratune
