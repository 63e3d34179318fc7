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
  return {"--list\n--device\n0\n--json",
          "--check\n--variants\nnaive,split\n--problem\nm1_k64_n64_r8_f16_acc\n--config\n"
          "WG_M=1 WG_N=8 UNROLL=1 A_TRANSPOSED=0\n--strides\n1,2,3,4\n--max-flops\n1e9\n--cases\n3",
          "--sweep\n--features=64,128\n--tokens\n1,4\n--ranks\n4\n--dtypes\nf32\n--budget\n10m\n--"
          "seed\n"
          "18446744073709551615\n--shard\n1/"
          "8\n--mode\nbatch_invariant\n--cache\nrotate\n--builders\n2\n"
          "--evaluations\n200\n--out\nt.json\n--forget\nsplit\n--lock-wait\n90s\n--resume",
          "--sweep\n--record\nr.jsonl\n--in\n64\n--out-features\n32\n--set\n--configs\n10",
          "--bench\n--quick\n--tuned\nt.json\n--benchmark_filter=x",
          "--gate\nb.json\n--against\nc.json\n--looks\n6,20,40\n--time-unchanged\n--strict\n"
          "--allow-missing\nsplit/a\n--junit\nj.xml",
          "--pick\nm1_k64_n64_r8_f16_acc\n--tuned\nt.json\n--mode\ndeterministic",
          "--merge\na.json\nb.json\n--out\nc.json",
          "--sweep\n--help",
          "--version"};
}

}  // namespace loratune::fuzz
