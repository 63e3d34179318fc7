// What --emit writes out of a tuned file and the key of a problem, in its first line: C of whole
// tokens, in which a name or a number that the file holds has not become anything else.
#include <array>
#include <cctype>

#include "fuzz.h"
#include "harness/emit/c_table.h"
#include "harness/emit/picked_plans.h"
#include "tuned_device.h"
#include "unit/fictional.h"

namespace loratune::fuzz {
namespace {

constexpr std::size_t kMost = 8;  // problems of a file

// Literals and comments are whole, and brackets are closed by their likes. Our own text has no
// escapes, and no quotes in comments. Returns the literals.
std::vector<std::string> literals_of(std::string_view text) {
  std::vector<std::string> literals;
  std::string open;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.substr(at, 2) == "/*") {
      const std::size_t end = text.find("*/", at + 2);
      expect(end != std::string_view::npos, "a comment ends");
      at = end + 1;
    } else if (text[at] == '"') {
      const std::size_t end = text.find('"', at + 1);
      expect(end != std::string_view::npos, "a literal ends");
      literals.emplace_back(text.substr(at + 1, end - at - 1));
      expect(literals.back().find_first_of("\\\n") == std::string::npos, "a literal is plain");
      at = end;
    } else if (text[at] == '(' || text[at] == '{' || text[at] == '[') {
      open += text[at] == '(' ? ')' : text[at] == '{' ? '}' : ']';
    } else if (text[at] == ')' || text[at] == '}' || text[at] == ']') {
      expect(!open.empty() && open.back() == text[at], "a bracket closes what was open");
      open.pop_back();
    }
  }
  expect(open.empty(), "every bracket is closed");
  return literals;
}

std::size_t count_of(const std::vector<std::string>& words, const std::string& word) {
  return static_cast<std::size_t>(std::count(words.begin(), words.end(), word));
}

void expect_c(const std::map<std::string, std::string>& files,
              const std::vector<EmittedPlan>& plans) {
  const std::string& table = files.at("lora_plans.c");
  for (const std::string* text : {&table, &files.at("lora_plans.h")}) {
    expect_printable(*text);
    expect(text->starts_with(kEmittedMark), "a file says whose it is");
    const std::size_t end = text->find('\n');
    expect(text->find("*/") == end - 2, "the first line is the comment");
  }
  literals_of(files.at("lora_plans.h"));
  const std::vector<std::string> literals = literals_of(table);
  for (const EmittedPlan& one : plans) {
    expect(count_of(literals, to_string(one.problem)) == 1, "a problem has one row");
    expect(files.at(one.variant + ".cl") == one.plan.source, "a kernel has its file");
    expect(count_of(literals, build_options(one.plan)) > 0, "a plan has its options");
  }
  expect(table.find("lora_plan_count = " + std::to_string(plans.size()) + ";") != std::string::npos,
         "the rows are counted");
  for (const auto& [name, text] : files) {
    expect(
        std::all_of(name.begin(), name.end(),
                    [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.'; }),
        "a file's name is plain");
  }
}

void emit(const std::vector<Problem>& problems, const Dispatcher& dispatcher,
          const DeviceInfo& device) {
  for (const Mode mode : {Mode::fast, Mode::deterministic, Mode::batch_invariant}) {
    takes([&] {
      const std::vector<EmittedPlan> plans = picked_plans(problems, dispatcher, device, mode);
      expect_c(emitted_files(plans, made_for(device)), plans);
    });
  }
}

}  // namespace

bool read_and_use(std::string_view bytes) {
  const std::size_t end = std::min(bytes.find('\n'), bytes.size());
  const ParsedTunedFile parsed = parse_tuned_file(bytes.substr(std::min(end + 1, bytes.size())));
  if (!parsed.file) return false;
  std::string why;
  std::vector<Problem> problems;
  const auto add = [&](const Problem& problem) {
    const bool known = std::find(problems.begin(), problems.end(), problem) != problems.end();
    if (has_words(problem) && !known) problems.push_back(problem);
  };
  const auto problem = parse_problem(bytes.substr(0, end), why);
  if (problem) add(*problem);
  for (const Record& record : parsed.file->records) {
    if (problems.size() < kMost) add(record.problem);
  }
  std::vector<DeviceInfo> devices = {fictional::device(), made_up::cpu()};
  if (!parsed.file->devices.empty()) {
    devices.push_back(device_of(parsed.file->devices.begin()->second));
  }
  for (const DeviceInfo& device : devices) {
    emit(problems, Dispatcher(*parsed.file, device), device);
  }
  return problem.has_value();
}

std::vector<std::string> sound_inputs() {
  TunedFile small = fictional::file();
  small.records.resize(2);
  small.rules.resize(1);
  for (const char* unused : {"d2", "d3", "d4"}) small.devices.erase(unused);
  TunedFile hostile = small;
  hostile.devices.begin()->second.name = "*/ int x = \"\\\n?\?/ /*";
  const std::string key = "fwd_m16_k96_n160_r8_f16_acc\n";
  return {key + serialize(small), "m3_k64_n64_r4_f32_w_bf16_set\n" + serialize(hostile),
          "m1_k1_n1+1_r1_f32_acc_dora\n" + serialize(small)};
}

}  // namespace loratune::fuzz
