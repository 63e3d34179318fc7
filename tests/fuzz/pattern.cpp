// A pattern on the first line, a name on the second.
#include "adapters/internal/pattern.h"

#include <stdexcept>

#include "adapter_readers.h"

namespace loratune::fuzz {

bool read_and_use(std::string_view bytes) {
  const std::size_t end = std::min(bytes.find('\n'), bytes.size());
  const std::string_view name = bytes.substr(std::min(end + 1, bytes.size()));
  try {
    const Pattern pattern(bytes.substr(0, end));
    Steps steps = 1'000'000;
    const bool all = pattern.matches_all(name, steps);
    const bool start = pattern.matches_start(name, steps);
    expect(start || !all, "what matches all matches the start");
    const auto match = pattern.find_group(name, steps);
    expect(match.has_value() == start, "a group is sought in what matches the start");
    expect(!match || !match->begin || *match->begin <= name.size(), "a group begins in the name");
    return true;
  } catch (const std::invalid_argument& error) {
    expect_printable(error.what());
    return false;
  }
}

std::vector<std::string> sound_inputs() {
  return {"(.*\\.)?(q_proj|v_proj)$\nmodel.q_proj", "[a-z0-9]{2,3}\\.\\d+?\nab.1",
          "^(a*)*b$\naaab"};
}

}  // namespace loratune::fuzz
