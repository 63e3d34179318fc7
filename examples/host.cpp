// The product on the host, without OpenCL: weights packed once, rows computed on two threads, and
// what came out beside plain sums.
#include <loratune/host/forward_host.h>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  loratune::Problem problem;
  problem.m = 3;
  problem.k = 100;
  problem.n = 70;
  problem.rank = 8;
  std::vector<float> x(300), a(800), b(560), y(210, 1.0F);
  for (std::vector<float>* values : {&x, &a, &b}) {
    for (std::size_t i = 0; i < values->size(); ++i) {
      (*values)[i] = std::sin(static_cast<float>(i));
    }
  }

  loratune::HostSession session(2);  // threads, and memory that is kept between calls
  auto packed = loratune::HostWeights::pack(problem, a.data(), b.data());
  if (!packed.weights) return std::fprintf(stderr, "%s\n", packed.why.c_str()), 1;
  loratune::HostOperands operands;
  operands.x = x.data();
  operands.y = y.data();
  operands.scale = 2.0F;
  const std::string why =
      loratune::forward_host(problem, *packed.weights, operands, session);  // empty: computed
  if (!why.empty()) return std::fprintf(stderr, "%s\n", why.c_str()), 1;

  double worst = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 70; ++j) {
      double sum = 0;
      for (std::size_t r = 0; r < 8; ++r) {
        double h = 0;
        for (std::size_t c = 0; c < 100; ++c)
          h += static_cast<double>(x[i * 100 + c]) * a[r * 100 + c];
        sum += h * b[j * 8 + r];
      }
      worst = std::fmax(worst, std::fabs(y[i * 70 + j] - (1 + 2 * sum)));
    }
  }
  std::printf("%s: off by %g at most\n", std::string(loratune::host_instruction_set()).c_str(),
              worst);
  return worst < 1e-3 ? 0 : 1;
}
