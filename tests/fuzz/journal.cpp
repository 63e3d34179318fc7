// The journal of a sweep: read, replayed to a tuned file, and gone on with. An input is the journal
// without the checksums in front of its lines, which no fuzzer would guess: a line that begins with
// a brace gets its own, any other line is taken as it is.
#include "harness/sweep/journal.h"

#include <zlib.h>

#include "fuzz.h"
#include "harness/base/tool_info.h"
#include "harness/sweep/output.h"
#include "harness/sweep/replay.h"
#include "tuner/merge.h"
#include "unit/made_up_devices.h"
#include "unit/made_up_replies.h"

namespace loratune::fuzz {
namespace {

using nlohmann::json;

std::string framed(std::string_view bytes) {
  std::string journal;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view line = bytes.substr(0, end);
    if (line.starts_with('{')) {
      char frame[40];
      const auto* start = reinterpret_cast<const unsigned char*>(line.data());
      std::snprintf(frame, sizeof(frame), "%08lx %zu ",
                    crc32(0, start, static_cast<unsigned>(line.size())), line.size());
      journal += frame;
    }
    journal += line;
    if (end == std::string_view::npos) break;
    journal += '\n';
    bytes.remove_prefix(end + 1);
  }
  return journal;
}

void replay(const JournalContent& content) {
  for (const SweepResult& sweep : replay_journals({&content, 1})) {
    const TunedFile made =
        make_tuned_file(sweep.decided, sweep.setup.options.mode, sweep.setup.device, tool_info());
    const std::vector<TunedFile> twice = {made, made};
    std::string why;
    if (!merge_tuned_files(twice, why)) expect_printable(why);
    parse_tuned_file(serialize(made));
  }
}

// What a replay of these replies complains of, or "whole".
std::string complaint(const json& header, const std::vector<json>& replies) {
  JournalContent content;
  content.header = header;
  content.replies = replies;
  try {
    return replay_journals({&content, 1}).front().whole ? "whole" : "";
  } catch (const Failure& failure) {
    return failure.what();
  }
}

// The journal of a small sweep of this build, made without a device.
std::string small_journal(int failed) {
  SweepSetup setup;
  setup.device = made_up::cpu();
  Problem problem;
  problem.m = 1;
  problem.k = problem.n = 16;
  problem.rank = 4;
  setup.options.problems = {problem};
  setup.options.variants = {find_variant("naive")};
  setup.options.evaluations = 3;
  const json header = make_header(setup);
  const std::vector<json> replies = made_up::replies(
      200, [&](const std::vector<json>& so_far) { return complaint(header, so_far); }, failed);
  expect(!replies.empty(), "a small sweep ends");
  std::string lines = header.dump() + '\n';
  for (const json& reply : replies) lines += reply.dump() + '\n';
  return lines;
}

}  // namespace

bool read_and_use(std::string_view bytes) {
  constexpr std::size_t kMostProblems = 4;  // that are replayed: planning many takes seconds
  const FileOf file(framed(bytes));
  is_journal(file.path());
  return takes([&] {
    const JournalContent content = read_journal(file.path());
    expect_printable(content.damage);
    if (content.header.is_null()) return;
    const SweepSetup setup = setup_from(content.header);
    expect(setup_from(make_header(setup)).options.problems == setup.options.problems,
           "a header that was read is written again");
    if (setup.options.problems.size() <= kMostProblems) replay(content);
    Journal::resume(file.path()).begin(content.header);
  });
}

std::vector<std::string> sound_inputs() {
  static const std::vector<std::string> kJournals = {small_journal(-1), small_journal(1)};
  return kJournals;
}

}  // namespace loratune::fuzz
