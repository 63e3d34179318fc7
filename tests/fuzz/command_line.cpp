// A command line, one word a line: read, and its values read on as the modes do.
#include "fuzz.h"
#include "harness/base/config_fault.h"
#include "harness/base/options.h"
#include "harness/base/selection.h"
#include "harness/cli/parse.h"
#include "loratune/variants/variant.h"
#include "tuner/gate.h"

namespace loratune::fuzz {
namespace {

// The words of a command line: its lines, each up to its first zero byte, and no longer than the
// system lets a word be.
std::vector<std::string> words_of(std::string_view bytes) {
  constexpr std::size_t kLongest = 131071;
  std::vector<std::string> words = {"lora-bench"};
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    words.emplace_back(std::string(bytes.substr(0, std::min(end, kLongest))).c_str());
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  return words;
}

void read_config(const Variant& variant, const std::string& text) {
  const std::optional<Config> config = parse_config(variant.space, text);
  const std::string fault = config_fault(variant.space, text);
  expect(config.has_value() == fault.empty(), "a config that is none has a fault");
  if (!config) return;
  expect(parse_config(variant.space, to_string(variant.space, *config)) == config,
         "a config's words name it");
}

void use(const Options& options) {
  // A file that the line names may be any file of this machine.
  if (options.problems_file.empty()) takes([&] { select_problems(options); });
  takes([&] { select_variants(options); });
  takes([&] { matching_devices(options.device, {}); });
  for (const Variant* variant : variants()) read_config(*variant, options.config);
  GateRules rules;
  rules.looks.rounds = options.gate.looks;
  try {
    validate(rules);
  } catch (const std::invalid_argument& error) {
    expect_printable(error.what());
  }
}

}  // namespace

bool read_and_use(std::string_view bytes) {
  const std::vector<std::string> words = words_of(bytes);
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  return takes([&] { use(parse_command_line(static_cast<int>(argv.size()), argv.data())); });
}

std::vector<std::string> sound_inputs() {
  const std::vector<std::vector<std::string>> commands = {
      {"--list", "--device", "0", "--json"},
      {"--check", "--variants", "naive,split", "--problem", "m1_k64_n64_r8_f16_acc", "--config",
       "WG_M=1 WG_N=8 UNROLL=1 A_TRANSPOSED=0", "--strides", "1,2,3,4", "--max-flops", "1e9",
       "--cases", "3"},
      {"--sweep",       "--features=64,128",
       "--tokens",      "1,4",
       "--ranks",       "4",
       "--dtypes",      "f32",
       "--budget",      "10m",
       "--seed",        "18446744073709551615",
       "--shard",       "1/8",
       "--mode",        "batch_invariant",
       "--cache",       "rotate",
       "--builders",    "2",
       "--evaluations", "200",
       "--out",         "t.json",
       "--forget",      "split",
       "--lock-wait",   "90s",
       "--resume"},
      {"--sweep", "--record", "r.jsonl", "--in", "64", "--out-features", "32", "--set", "--configs",
       "10"},
      {"--bench", "--quick", "--tuned", "t.json", "--benchmark_filter=x"},
      {"--gate", "b.json", "--against", "c.json", "--looks", "6,20,40", "--time-unchanged",
       "--strict", "--allow-missing", "split/a", "--junit", "j.xml"},
      {"--pick", "m1_k64_n64_r8_f16_acc", "--tuned", "t.json", "--mode", "deterministic"},
      {"--merge", "a.json", "b.json", "--out", "c.json"},
      {"--sweep", "--help"},
      {"--version"}};
  std::vector<std::string> inputs;
  for (const std::vector<std::string>& words : commands) {
    std::string& input = inputs.emplace_back();
    for (const std::string& word : words) input.append(input.empty() ? "" : "\n").append(word);
  }
  return inputs;
}

}  // namespace loratune::fuzz
