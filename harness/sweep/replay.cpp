#include "harness/sweep/replay.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>
#include <utility>

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"

namespace loratune {
namespace {

using nlohmann::json;

// What two journals of one sweep agree in.
json common_header(const json& of) {
  json header = lasting(of);
  header.erase("problems");
  header.erase("budget_s");
  return header;
}

void replay_into(SweepResult& result, const JournalContent& content) {
  const SweepSetup setup = setup_from(content.header);
  Journal journal = Journal::replay(content);
  Sweep sweep(
      setup.options, setup.device, journal, nullptr, nullptr, [] { return false; },
      [](const SweepProgress&) {});
  const bool whole = sweep.run();
  result.whole = result.whole && whole;
  std::set<std::string> known;
  for (Decided one : sweep.decided()) {
    set_align(one.problem, one.problem.align);
    // An earlier build may have swept a problem under both of its keys: the first one counts.
    if (known.insert(to_string(one.problem)).second) result.decided.push_back(std::move(one));
  }
  result.quarantine.add(sweep.quarantine());
}

}  // namespace

JournalContent journal_to_replay(const std::string& path) {
  JournalContent content = read_journal(path);
  const std::string name = "journal '" + printable(path, 200) + "'";
  if (content.header.is_null()) {
    throw Failure(kExitUsage,
                  name + (content.damage.empty() ? " is empty" : ": " + content.damage));
  }
  try {
    setup_from(content.header);
  } catch (const Failure& failure) {
    throw Failure(failure.code(), name + ": " + failure.what());
  }
  if (!content.damage.empty()) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), content.damage.c_str());
  }
  return content;
}

std::vector<SweepResult> replay_journals(std::span<const JournalContent> journals) {
  std::vector<SweepResult> sweeps;
  std::vector<json> headers;
  for (const JournalContent& content : journals) {
    if (content.header.is_null()) throw Failure(kExitUsage, "a journal is empty");
    SweepSetup setup = setup_from(content.header);
    for (Problem& problem : setup.options.problems) set_align(problem, problem.align);
    const json header = common_header(content.header);
    const auto& added = setup.options.problems;
    std::size_t i = 0;
    for (; i < sweeps.size(); ++i) {
      const auto& there = sweeps[i].setup.options.problems;
      const bool apart = std::none_of(added.begin(), added.end(), [&](const Problem& problem) {
        return std::find(there.begin(), there.end(), problem) != there.end();
      });
      if (headers[i] == header && apart) break;
    }
    if (i == sweeps.size()) {
      sweeps.push_back({setup, {}, {}, true});
      headers.push_back(header);
    } else {
      auto& problems = sweeps[i].setup.options.problems;
      problems.insert(problems.end(), added.begin(), added.end());
    }
    replay_into(sweeps[i], content);
  }
  return sweeps;
}

}  // namespace loratune
