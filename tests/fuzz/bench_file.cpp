// The result of --bench --json: read, and shown as a page.
#include "fuzz.h"
#include "harness/report/page.h"
#include "harness/report/page_data.h"
#include "unit/report_inputs.h"

namespace loratune::fuzz {

bool read_and_use(std::string_view bytes) {
  const FileOf file(bytes);
  return takes([&] {
    const std::vector<Input> inputs = {read_input(file.path())};
    const std::string text = script_text(page_data(inputs));
    expect_printable(text);
    expect(text.find('<') == std::string::npos, "data hold nothing that HTML reads as a tag");
  });
}

std::vector<std::string> sound_inputs() {
  nlohmann::json peer = report_inputs::bench();
  peer["context"] = {{"device", "Fictional F100"}, {"library", "torch"}};
  return {report_inputs::bench().dump(), peer.dump()};
}

}  // namespace loratune::fuzz
