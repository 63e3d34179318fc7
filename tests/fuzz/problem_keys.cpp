// Problem keys, one a line: read, written again, and planned by default.
#include "fuzz.h"
#include "harness/base/options.h"
#include "harness/base/selection.h"
#include "loratune/dispatch/default_choice.h"
#include "unit/made_up_devices.h"

namespace loratune::fuzz {
namespace {

void plan(const Problem& problem) {
  for (const DeviceInfo& device : {made_up::nvidia(), made_up::cpu(), made_up::tiny()}) {
    const Choice choice = default_choice(problem, device);
    if (choice.variant == nullptr) {
      expect(nothing_takes(problem, device), "a problem that a variant takes has a default");
      continue;
    }
    expect(invalid_reason(choice.variant->plan(problem, choice.config, device)).empty(),
           "a default can run");
  }
  expect(useful_flops(problem) >= 0 && compulsory_bytes(problem) >= 0, "work is a number");
}

}  // namespace

bool read_and_use(std::string_view bytes) {
  constexpr std::size_t kMost = 8;  // that are planned
  const FileOf file(bytes);
  Options options;
  options.problems_file = file.path();
  return takes([&] {
    const std::vector<Problem> problems = select_problems(options);
    for (std::size_t i = 0; i < std::min(problems.size(), kMost); ++i) {
      std::string why;
      expect(parse_problem(to_string(problems[i]), why) == problems[i], "a key names its problem");
      plan(problems[i]);
    }
  });
}

std::vector<std::string> sound_inputs() {
  return {"fwd_m1_k1024_n1024_r8_f16_acc\n# a comment\n\nm512_k1024_n512_r64_f32_set_align16\n",
          "\xef\xbb\xbfm2147483647_k2147483647_n2147483647_r1024_f32_acc \r\n",
          "m0_k1_n1_r1_f16_set_align4096",
          "m16_k4096_n4096+1024+1024_r16_bf16_acc_dora_a8_align64\nm1_k1_n1+1_r1_f32_w_f16_set"};
}

}  // namespace loratune::fuzz
