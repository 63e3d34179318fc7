// A journal is gone on with only by the sweep that it is of.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <utility>

#include "fictional.h"
#include "harness/base/failure.h"
#include "harness/sweep/journal.h"
#include "harness/sweep/setup.h"
#include "temporary_folder.h"

namespace loratune {
namespace {

using nlohmann::json;

SweepSetup setup() {
  SweepSetup setup;
  setup.device = fictional::device();
  setup.options.problems = {fictional::problem(1), fictional::problem(16)};
  setup.options.variants = {find_variant("naive"), find_variant("split")};
  return setup;
}

void resume(const std::string& path, const json& header) {
  Journal journal = Journal::resume(path);
  journal.begin(header);
}

TEST(SweepSetup, IsReadBackFromAHeader) {
  SweepSetup other = setup();
  other.options.mode = Mode::deterministic;
  other.options.cache = Cache::rotate;
  other.options.seed = 7;
  other.options.budget_s = 12.5;
  const SweepSetup read = setup_from(make_header(other));
  EXPECT_EQ(read.device, other.device);
  EXPECT_EQ(read.options.problems, other.options.problems);
  EXPECT_EQ(read.options.variants, other.options.variants);
  EXPECT_EQ(make_header(read), make_header(other));
}

TEST(SweepSetup, ThatDiffersInAnythingDoesNotGoOnWithTheJournal) {
  const TemporaryFolder folder;
  const std::string path = (folder / "a.journal").string();
  { Journal::create(path, make_header(setup())); }
  { resume(path, make_header(setup())); }
  const std::pair<const char*, std::function<void(SweepSetup&)>> changes[] = {
      {"device", [](SweepSetup& s) { s.device.name = "Fictional F200"; }},
      {"device", [](SweepSetup& s) { s.device.driver = "1.1"; }},
      {"problems", [](SweepSetup& s) { s.options.problems.pop_back(); }},
      {"problems", [](SweepSetup& s) { std::swap(s.options.problems[0], s.options.problems[1]); }},
      {"kernels.", [](SweepSetup& s) { s.options.variants.pop_back(); }},
      {"mode", [](SweepSetup& s) { s.options.mode = Mode::deterministic; }},
      {"cache", [](SweepSetup& s) { s.options.cache = Cache::rotate; }},
      {"seed", [](SweepSetup& s) { ++s.options.seed; }},
      {"budget_s", [](SweepSetup& s) { ++s.options.budget_s; }}};
  for (const auto& [what, change] : changes) {
    SweepSetup changed = setup();
    change(changed);
    try {
      resume(path, make_header(changed));
      ADD_FAILURE() << what;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), kExitUsage);
      EXPECT_NE(std::string(failure.what()).find(std::string("differing: ") + what),
                std::string::npos)
          << failure.what();
    }
  }
  for (const char* part : {"sha256", "revision"}) {  // a kernel's source, or what its plan means
    json header = make_header(setup());
    header["kernels"]["split"][part] = part == std::string("sha256") ? json("0") : json(-1);
    EXPECT_THROW(resume(path, header), Failure) << part;
    EXPECT_THROW(setup_from(header), Failure) << "nor is it replayed: " << part;
  }
  json header = make_header(setup());
  header["tool"]["commit"] = "another";
  EXPECT_THROW(resume(path, header), Failure);
}

TEST(SweepSetup, IsNotReadFromAHeaderOfUnknownProblemsOrVariants) {
  json header = make_header(setup());
  header["problems"][0] = "nonsense";
  EXPECT_THROW(setup_from(header), Failure);
  header = make_header(setup());
  header["variants"][0] = "no_such_variant";
  header["kernels"]["no_such_variant"] = header["kernels"]["naive"];
  EXPECT_THROW(setup_from(header), Failure);
}

TEST(SweepSetup, IsNotReadFromNumbersThatAreNone) {
  SweepSetup largest = setup();
  largest.options.seed = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(setup_from(make_header(largest)).options.seed, largest.options.seed);
  for (const json& number : {json(1.5), json(1e300), json(-1), json("1")}) {
    for (const char* name : {"evaluations", "seed"}) {
      json header = make_header(setup());
      header[name] = number;
      EXPECT_THROW(setup_from(header), Failure) << name << number;
    }
  }
}

}  // namespace
}  // namespace loratune
