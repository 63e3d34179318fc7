// The file of --weights: what each problem is worth.
#include <cmath>

#include "fuzz.h"
#include "harness/sweep/problem_weights.h"
#include "unit/fictional.h"

namespace loratune::fuzz {

bool read_and_use(std::string_view bytes) {
  const FileOf file(bytes);
  return takes([&] {
    const std::vector<Problem> problems = {fictional::problem(1), fictional::problem(16)};
    const std::vector<double> weights = read_weights(file.path(), problems);
    expect(weights.size() == problems.size(), "each problem has a weight");
    for (const double weight : weights) {
      expect(weight > 0 && std::isfinite(weight), "a weight is a number above 0");
    }
  });
}

std::vector<std::string> sound_inputs() {
  return {"{\"" + to_string(fictional::problem(1)) +
          "\": 10,\n \"m16_k1024_n1024_r8_f16_acc\": 0.5,\n" +
          " \"m3_k64_n64_r4_f32_set\": 1e-3}\n"};
}

}  // namespace loratune::fuzz
