#include <cstdio>
#include <set>

#include "harness/base/failure.h"
#include "harness/base/options.h"
#include "harness/base/tool_info.h"
#include "harness/sweep/modes.h"
#include "harness/sweep/output.h"
#include "harness/sweep/replay.h"
#include "tuner/merge.h"

namespace loratune {

int merge_mode(const Options& options) {
  earlier_file(options.out);  // what is no tuned file is not written over
  std::vector<TunedFile> files;
  std::vector<JournalContent> journals;
  std::set<std::string> commits;
  std::size_t records = 0;
  for (const std::string& path : options.merge) {
    if (is_journal(path)) {
      journals.push_back(read_journal(path));
      continue;
    }
    ParsedTunedFile parsed = load_tuned_file(path);
    if (!parsed.file) throw Failure(kExitUsage, "--merge: " + parsed.error);
    commits.insert(parsed.file->tool.commit);
    records += parsed.file->records.size();
    files.push_back(std::move(*parsed.file));
  }
  for (const SweepResult& sweep : replay_journals(journals)) {
    files.push_back(
        make_tuned_file(sweep.decided, sweep.setup.options.mode, sweep.setup.device, tool_info()));
    commits.insert(tool_info().commit);
    records += files.back().records.size();
    if (!sweep.whole) std::fprintf(stderr, "a journal ends before its sweep does\n");
  }
  std::string why;
  const std::optional<TunedFile> merged = merge_tuned_files(files, why);
  if (!merged) throw Failure(kExitUsage, "--merge: " + why);
  const std::string error = write_tuned_file(options.out, *merged);
  if (!error.empty()) throw Failure(kExitUsage, error);
  if (options.json) std::printf("%s", serialize(*merged).c_str());
  std::fprintf(stderr, "tuned file: %s (%zu devices; %zu records of %zu; %zu rules)\n",
               options.out.c_str(), merged->devices.size(), merged->records.size(), records,
               merged->rules.size());
  if (commits.size() > 1) {
    std::fprintf(stderr,
                 "the files are of different builds: their speed-ups compare only as far as the "
                 "defaults of the builds are the same\n");
  }
  return kExitGood;
}

}  // namespace loratune
