// Bytes through the C interface: a struct of a problem, a device's text and a tuned file, as a
// program in another language would hand them over unseen.
//
//     4 bytes: the length of the device's text; a loratune_problem; the text; the tuned file
#include <loratune/loratune.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "fuzz.h"
#include "loratune/dispatch/device_text.h"
#include "loratune/dispatch/tuned_file.h"
#include "unit/fictional.h"

namespace loratune::fuzz {
namespace {

constexpr std::size_t kHead = 4 + sizeof(loratune_problem);

struct Detail {
  char bytes[4096] = {};
  loratune_text text{bytes, sizeof bytes, 0};
  std::string str() const { return bytes; }
};

// The answer of a function that writes a text, asked twice: for its length, and for the text.
template <class Ask>
std::string whole(Ask ask, std::int32_t& status) {
  loratune_text none{};
  Detail detail;
  status = ask(&none, &detail.text);
  expect_printable(detail.str());
  if (status != LORATUNE_TEXT_TOO_LONG) return {};
  std::string answer(none.length + 1, 'z');
  loratune_text text{answer.data(), answer.size(), 0};
  status = ask(&text, &detail.text);
  expect(status == LORATUNE_SUCCESS, "a text fits into what it said to take");
  expect(text.length == none.length, "a text has the length that it said");
  answer.resize(text.length);
  expect(std::strlen(answer.c_str()) == text.length, "a text ends where it says");
  return answer;
}

void ask(const loratune_dispatcher* dispatcher, const loratune_problem* problem) {
  loratune_choice choice{};
  choice.size = sizeof choice;
  const std::int32_t picked = loratune_pick(dispatcher, problem, &choice);
  if (picked == LORATUNE_SUCCESS) {
    expect(choice.variant != nullptr && choice.parameter_count >= 0 && choice.parameter_count <= 16,
           "a pick is whole");
  }
  std::int32_t status = LORATUNE_SUCCESS;
  const std::string plan =
      whole([&](loratune_text* text,
                loratune_text* detail) { return loratune_plan(dispatcher, problem, text, detail); },
            status);
  expect(status == picked, "a problem that has a pick has a plan");
  if (status == LORATUNE_SUCCESS) {
    const auto document = nlohmann::json::parse(plan);
    expect(document.at("schema") == "loratune/plan", "a plan says what it is");
    expect(document.at("source").is_string(), "a plan has a source");
  }
  const std::string words = whole(
      [&](loratune_text* text, loratune_text* detail) {
        return loratune_explain(dispatcher, problem, text, detail);
      },
      status);
  expect(status == picked || (status == LORATUNE_SUCCESS && picked == LORATUNE_UNSUPPORTED),
         "a problem that has a pick, or no kernel, has words");
  expect_printable(words);
  const std::string key =
      whole([&](loratune_text* text,
                loratune_text* detail) { return loratune_problem_key(problem, text, detail); },
            status);
  if (status != LORATUNE_SUCCESS) return;
  loratune_problem again{};
  again.size = sizeof again;
  expect(loratune_problem_parse(key.c_str(), &again, nullptr) == LORATUNE_SUCCESS,
         "a key is read again");
}

}  // namespace

bool read_and_use(std::string_view bytes) {
  if (bytes.size() < kHead) return false;
  std::uint32_t length = 0;
  loratune_problem problem;
  std::memcpy(&length, bytes.data(), sizeof length);
  std::memcpy(&problem, bytes.data() + 4, sizeof problem);
  const std::string device(bytes.substr(kHead, length));
  const std::string_view tuned = bytes.substr(std::min(bytes.size(), kHead + device.size()));
  loratune_dispatcher_options options{};
  options.size = sizeof options;
  options.device = device.c_str();
  options.bytes = tuned.data();
  options.byte_count = tuned.size();
  loratune_dispatcher* dispatcher = nullptr;
  Detail detail;
  const std::int32_t status = loratune_dispatcher_create(&options, &dispatcher, &detail.text);
  expect_printable(detail.str());
  if (status != LORATUNE_SUCCESS) {
    expect(dispatcher == nullptr && detail.text.length > 0, "a refusal says why");
    return false;
  }
  ask(dispatcher, &problem);
  loratune_dispatcher_destroy(dispatcher);
  return true;
}

std::vector<std::string> sound_inputs() {
  TunedFile small = fictional::file();
  small.records.resize(2);
  small.rules.resize(1);
  const Variant& naive = *find_variant("naive");
  small.kernels["naive"] = {std::string(naive.source_sha256), naive.revision};
  const std::string device = device_text(fictional::device());
  loratune_problem problem{};
  problem.size = sizeof problem;
  problem.dtype = LORATUNE_DTYPE_F16;
  problem.m = 1;
  problem.k = problem.n = 1024;
  problem.rank = 8;
  const auto length = static_cast<std::uint32_t>(device.size());
  std::string input(kHead, '\0');
  std::memcpy(input.data(), &length, sizeof length);
  std::memcpy(input.data() + 4, &problem, sizeof problem);
  return {input + device + serialize(small)};
}

}  // namespace loratune::fuzz
