// The result of a gate: read, judged, and reported in every form.
#include "fuzz.h"
#include "harness/base/read_file.h"
#include "harness/gate/report.h"
#include "harness/gate/result.h"
#include "unit/fictional.h"
#include "unit/made_up_gates.h"

namespace loratune::fuzz {
bool read_and_use(std::string_view bytes) {
  const FileOf file(bytes);
  return takes([&] {
    const GateResult result = read_gate_result(file.path());
    const GateReport report = judge(result);
    expect_printable(to_text(result, report));
    expect_printable(to_markdown(result, report));
    expect_printable(to_junit(result, report));
    const std::string json = to_json_text(result, report);
    const GateResult again = gate_from_json(parse_json(json));
    expect(to_json_text(again, judge(again)) == json, "a result survives JSON to the byte");
  });
}

std::vector<std::string> sound_inputs() {
  GateResult result;
  result.tool = result.base_tool = result.candidate_tool = {"lora-bench", "0.1.0", "abc"};
  result.device = fictional::device();
  result.base_path = "base.json";
  result.rules.sub_blocks = 1;
  for (Looks* looks :
       {&result.rules.looks, &result.rules.sentinel_looks, &result.rules.short_looks}) {
    looks->rounds = {6, 8};
  }
  result.sentinels = {timed_case("sentinel/small/before", {1.0}, result.rules, true)};
  result.cases = {timed_case("split/a", {1.1, 1.1}, result.rules),
                  timed_case("split/b", {}, result.rules)};
  result.cases[1].candidate.outcome = Outcome::timeout;
  result.cases[1].candidate.detail = "no end within 2 s";
  return {to_json_text(result, judge(result))};
}

}  // namespace loratune::fuzz
