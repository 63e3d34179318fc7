#include <cstdio>
#include <string_view>

#include "dispatch/internal/atomic_write.h"
#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/output_files.h"
#include "harness/report/modes.h"
#include "harness/report/page.h"
#include "harness/report/page_data.h"

namespace loratune {
namespace {

constexpr std::size_t kMostPageBytes = std::size_t{64} << 20;  // a browser shows no more

// ", 1 device" or ", 3 devices"; nothing of an empty list.
std::string count_of(const nlohmann::json& list, const char* one, const char* many) {
  if (list.empty()) return {};
  return ", " + std::to_string(list.size()) + " " + (list.size() == 1 ? one : many);
}

}  // namespace

int report_mode(const Options& options) {
  if (options.report.size() < 2) {
    throw Failure(kExitUsage,
                  "--report wants the page to write and the files to show: "
                  "--report page.html tuned.json");
  }
  const NamedFile page{"--report", options.report.front()};
  std::vector<NamedFile> read;
  for (auto path = options.report.begin() + 1; path != options.report.end(); ++path) {
    read.push_back({"an input", *path});
  }
  require_writable({page}, read);
  // A file that is no page of ours is not written over: a name mistyped costs no work.
  require_head(
      page, [](std::string_view head) { return head.starts_with(kPageMark); }, "page of a report");
  std::vector<Input> inputs;
  for (const NamedFile& file : read) inputs.push_back(read_input(file.path));

  const nlohmann::json data = page_data(inputs);
  const std::string bytes = make_page(data);
  if (bytes.size() > kMostPageBytes) {
    throw Failure(kExitUsage, "--report: the page would take " +
                                  std::to_string(bytes.size() >> 20U) +
                                  " MiB, more than a browser shows; name fewer files");
  }
  const std::string error = atomic_write(page.path, bytes);
  if (!error.empty()) throw Failure(kExitUsage, error);
  if (options.json) {
    // A file's name need not be UTF-8.
    const auto replace = nlohmann::json::error_handler_t::replace;
    std::printf("%s\n", data.dump(1, ' ', true, replace).c_str());
  }
  std::fprintf(stderr, "page: %s (%.1f MB%s%s%s%s%s)\n", printable_line(page.path).c_str(),
               static_cast<double>(bytes.size()) * 1e-6,
               count_of(data["devices"], "device", "devices").c_str(),
               count_of(data["records"], "record", "records").c_str(),
               count_of(data["times"], "measured time", "measured times").c_str(),
               count_of(data["recorded"], "recorded problem", "recorded problems").c_str(),
               count_of(data["gates"], "gate", "gates").c_str());
  return kExitGood;
}

}  // namespace loratune
