#include "harness/bench/host_arm.h"

#include <cblas.h>

#include <limits>
#include <stdexcept>
#include <vector>

#include "loratune/host/forward_host.h"

namespace loratune {
namespace {

struct SessionRun {
  Problem problem;
  HostSession session;
  std::vector<std::unique_ptr<HostWeights>> weights;
  std::size_t next = 0;
  std::vector<unsigned char> x, y;
  float scale = 1;

  // Throws std::runtime_error where it is refused.
  void run() {
    const HostOperands operands{x.data(), y.data(), 0, 0, scale};
    const std::string why =
        forward_host(problem, *weights[next++ % weights.size()], operands, session);
    if (!why.empty()) throw std::runtime_error(why);
  }
};

std::int64_t copies_of(const Problem& p, std::int64_t cache_bytes) {
  if (cache_bytes == 0) return 1;
  const std::int64_t bytes = p.rank * (p.k + p.n) * element_bytes(weights_dtype(p));
  return ring_size(bytes, cache_bytes, std::numeric_limits<std::int64_t>::max());
}

CheckResult check(SessionRun& host, const Checker& checker) {
  host.y = to_storage(host.problem.dtype, checker.data().y);
  host.run();
  std::vector<float> y(checker.data().y.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = load_element(host.problem.dtype, host.y.data(), static_cast<std::int64_t>(i));
  }
  const double error = worst_error(host.problem, y, checker.oracle(), 0);
  if (error <= 1) return {Outcome::correct, error, {}};
  return {Outcome::correctness, error, "differs from the float64 oracle"};
}

}  // namespace

BenchArm host_arm(Checker& checker, std::int64_t cache_bytes) {
  const Problem& p = checker.problem_case().problem;
  const CaseData& data = checker.data();
  BenchArm arm;
  arm.on_device = false;
  auto host = std::make_shared<SessionRun>(SessionRun{p,
                                                      HostSession(openblas_get_num_threads()),
                                                      {},
                                                      0,
                                                      to_storage(p.dtype, data.x),
                                                      {},
                                                      data.scale});
  const auto a = to_storage(weights_dtype(p), data.a);
  const auto b = to_storage(weights_dtype(p), data.b);
  for (std::int64_t i = copies_of(p, cache_bytes); i > 0; --i) {
    HostWeights::Packed packed = HostWeights::pack(p, a.data(), b.data());
    if (packed.weights == nullptr) {
      arm.outcome = Outcome::skipped;
      arm.detail = packed.why;
      return arm;
    }
    host->weights.push_back(std::move(packed.weights));
  }
  arm.label = "forward_host, " + std::string(host_instruction_set()) + ", " +
              std::to_string(host->session.threads()) + " threads";
  arm.timed.run = [host] { host->run(); };
  arm.timed.finish = [] {};
  arm.timed.restore = [host, before = to_storage(p.dtype, data.y)] { host->y = before; };
  arm.check = [host, &checker] { return check(*host, checker); };
  return arm;
}

}  // namespace loratune
