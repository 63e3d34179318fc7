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

// What the first word that stands so in the line is followed by, up to `end`.
std::string after(const std::string& line, const std::string& word, const std::string& end) {
  const std::size_t at = line.find(word);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + word.size();
  return line.substr(begin, line.find(end, begin) - begin);
}

// A reply that answers whatever a sweep may ask, a round of `blocks` blocks among it; of every
// third round the arm `failed` could not go on.
json reply_to_all(int blocks, int number, int failed) {
  json reply = {{"outcome", "correct"},
                {"probe_ns", 1000 + 10 * number},
                {"error", 0.25},
                {"detail", ""},
                {"seconds", 0.01},
                {"late", false},
                {"ns", std::vector<double>(static_cast<std::size_t>(blocks), 1000.0 + number)},
                {"stolen", false},
                {"stop", number > 20},
                {"built_s", {0.1}},
                {"event_ns", 900},
                {"event_fault", ""}};
  if (failed >= 0 && number % 3 == 0) {
    reply["failed"] = failed;
    reply["failure"] = "runtime";
  }
  return reply;
}

// What a replay of these replies complains of; empty where all of them are taken.
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

// The journal of a small sweep of this build, made without a device: each reply is corrected until
// the sweep takes it.
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
  std::vector<json> replies;
  std::string said;
  for (int number = 0; said != "whole"; ++number) {
    expect(number < 200, "a small sweep ends: " + said);
    replies.push_back(
        {{"ask", "?"}, {"t", 0.01 * number}, {"reply", reply_to_all(1, number, failed)}});
    for (int tries = 0; tries < 3; ++tries) {
      said = complaint(header, replies);
      const std::string asked = after(said, "where '", "' is asked");
      const std::string blocks = after(said, "a round of ", " ");
      if (!asked.empty()) replies.back()["ask"] = asked;
      if (!blocks.empty())
        replies.back()["reply"] = reply_to_all(std::stoi(blocks), number, failed);
    }
  }
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
