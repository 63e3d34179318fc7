#include <cstdio>
#include <set>

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/base/tool_info.h"
#include "harness/sweep/modes.h"
#include "harness/sweep/output.h"
#include "harness/sweep/replay.h"
#include "tuner/merge.h"

namespace loratune {

int merge_mode(const Options& options) {
  // What is no tuned file is not written over. What one holds already stays, as it does in a sweep,
  // where the merged files know nothing newer.
  const std::optional<TunedFile> earlier = earlier_file(options.out);
  std::vector<TunedFile> files;
  std::vector<std::string> paths;  // of the files
  std::vector<JournalContent> journals;
  std::set<std::string> commits;
  if (earlier) commits.insert(earlier->tool.commit);
  std::size_t records = earlier ? earlier->records.size() : 0;
  for (const std::string& path : options.merge) {
    if (is_journal(path)) {
      journals.push_back(journal_to_replay(path));
      continue;
    }
    ParsedTunedFile parsed = load_tuned_file(path);
    if (!parsed.file) throw Failure(kExitUsage, "--merge: " + parsed.error);
    commits.insert(parsed.file->tool.commit);
    records += parsed.file->records.size();
    files.push_back(std::move(*parsed.file));
    paths.push_back(path);
  }
  for (const SweepResult& sweep : replay_journals(journals)) {
    files.push_back(
        make_tuned_file(sweep.decided, sweep.setup.options.mode, sweep.setup.device, tool_info()));
    commits.insert(tool_info().commit);
    paths.emplace_back("a journal");
    records += files.back().records.size();
    if (!sweep.whole) std::fprintf(stderr, "a journal ends before its sweep does\n");
  }
  std::vector<TunedFile> all = files;
  if (earlier) all.push_back(*earlier);
  require_known(options.forget, all);
  keep_one_source(files, paths, options.forget);
  std::string why;
  const std::optional<TunedFile> merged = merge_tuned_files(files, why);
  if (!merged) throw Failure(kExitUsage, "--merge: " + why);
  const TunedFile file = update_tuned_file(options.out, *merged, options.forget);
  if (options.json) std::printf("%s", serialize(file).c_str());
  std::fprintf(stderr, "tuned file: %s (%zu devices; %zu records of %zu; %zu rules)\n",
               printable_line(options.out).c_str(), file.devices.size(), file.records.size(),
               records, file.rules.size());
  if (commits.size() > 1) {
    std::fprintf(stderr,
                 "the files are of different builds: their speed-ups compare only as far as the "
                 "defaults of the builds are the same\n");
  }
  return kExitGood;
}

}  // namespace loratune
