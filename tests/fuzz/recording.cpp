// A recording: read, written again, and searched.
#include "harness/record/recording.h"

#include "fuzz.h"
#include "harness/base/options.h"
#include "harness/record/modes.h"
#include "loratune/variants/variant.h"
#include "unit/fictional.h"

namespace loratune::fuzz {

bool read_and_use(std::string_view bytes) {
  constexpr std::size_t kMostConfigs = 64;  // that are searched: a search of many takes seconds
  const FileOf file(bytes);
  is_recording(file.path());
  return takes([&] {
    const Recording recording = read_recording(file.path());
    const std::string written = serialize(recording);
    const FileOf other(written);
    expect(serialize(read_recording(other.path())) == written,
           "what was read is written to the byte");
    std::size_t configs = 0;
    for (const RecordedProblem& problem : recording.problems) configs += problem.configs.size();
    if (configs > kMostConfigs) return;
    Options options;
    options.replay = file.path();
    options.evaluations = 4;
    options.json = true;
    simulate_mode(options);
  });
}

std::vector<std::string> sound_inputs() {
  const Variant& naive = *find_variant("naive");
  Recording recording;
  recording.device = fictional::device();
  recording.kernels = {{"naive", {{"revision", 1}, {"sha256", "00"}}}};
  recording.variants = {{"naive", {}}};
  for (const Parameter& parameter : naive.space.parameters) {
    recording.variants[0].parameters.emplace_back(parameter.name);
  }
  for (const std::int64_t m : {1, 16}) {
    RecordedProblem one{fictional::problem(m), {}};
    for (int i = 0; i < 4; ++i) {
      const double ns = 1000 + 100 * i;
      one.configs.push_back({0, config_at(naive.space, i), Outcome::correct, {2 * ns, ns, ns}});
    }
    one.configs.back() = {0, config_at(naive.space, 3), Outcome::timeout, {}};
    recording.problems.push_back(one);
  }
  return {serialize(recording)};
}

}  // namespace loratune::fuzz
