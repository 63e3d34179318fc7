#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <optional>

#include "dispatch/internal/atomic_write.h"
#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/read_file.h"
#include "harness/base/selection.h"
#include "harness/emit/c_table.h"
#include "harness/emit/modes.h"
#include "harness/emit/picked_plans.h"
#include "loratune/dispatch/dispatcher.h"

namespace loratune {
namespace {

// What is in the way of writing into the folder, or nothing: a folder that is not empty and that
// --emit has not written is somebody else's.
std::string folder_reason(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return {};
  if (!std::filesystem::is_directory(folder, error)) return "is no folder";
  if (std::filesystem::is_empty(folder, error)) return {};
  const std::filesystem::path table = folder / "lora_plans.h";
  if (std::filesystem::is_regular_file(table, error) &&
      read_file(table.string(), "table").starts_with(kEmittedMark)) {
    return {};
  }
  return "holds files that are not of --emit; name another folder, or move them away";
}

// Those that are selected or, where there is no selection, the tuned file's own.
std::vector<Problem> problems_of(const Options& options, const std::optional<TunedFile>& tuned) {
  if (!tuned || selects_problems(options)) return select_problems(options);
  std::vector<Problem> problems;
  for (const Record& record : tuned->records) problems.push_back(record.problem);
  if (problems.empty()) throw Failure(kExitUsage, "--tuned: the file has no records");
  return distinct(problems);
}

// Takes out what the table has no word for, and says so.
std::vector<Problem> with_words(const std::vector<Problem>& problems) {
  const std::string why = "the table has no word for groups, rows of several adapters, and DoRA";
  std::vector<Problem> kept;
  std::copy_if(problems.begin(), problems.end(), std::back_inserter(kept), has_words);
  if (kept.empty()) throw Failure(kExitUsage, "nothing to emit: " + why);
  if (const std::size_t gone = problems.size() - kept.size(); gone > 0) {
    const Problem& first = *std::find_if_not(problems.begin(), problems.end(), has_words);
    std::fprintf(stderr, "left out: %zu of %zu problems, the first %s: %s\n", gone, problems.size(),
                 to_string(first).c_str(), why.c_str());
  }
  return kept;
}

}  // namespace

int emit_mode(const Options& options) {
  const std::filesystem::path folder = options.emit;
  const std::string shown = printable(options.emit, 300);
  const std::string why = folder_reason(folder);
  if (!why.empty()) throw Failure(kExitUsage, "--emit " + shown + ": it " + why);
  std::optional<TunedFile> tuned;
  if (!options.tuned.empty()) {
    ParsedTunedFile parsed = load_tuned_file(options.tuned);
    if (!parsed.file) throw Failure(kExitUsage, parsed.error);
    tuned = std::move(parsed.file);
  }
  const std::vector<Problem> problems = with_words(problems_of(options, tuned));
  const DeviceInfo device = select_device(options.device).info;
  const Dispatcher dispatcher = tuned ? Dispatcher(*tuned, device) : Dispatcher(device);
  const auto files =
      emitted_files(picked_plans(problems, dispatcher, device, options.mode), made_for(device));
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw Failure(kExitUsage, "--emit " + shown + ": " + error.message());
  for (const auto& [name, text] : files) {
    const std::string failed = atomic_write(folder / name, text);
    if (!failed.empty()) throw Failure(kExitUsage, failed);
  }
  std::fprintf(stderr, "%s: %zu plan%s, %zu files, %s\n", shown.c_str(), problems.size(),
               problems.size() == 1 ? "" : "s", files.size(),
               printable_line(display_name(device)).c_str());
  return kExitGood;
}

}  // namespace loratune
