// Journals of one sweep on a device whose free memory changes: PoCL makes max_alloc_bytes of it.
#include <gtest/gtest.h>

#include <filesystem>

#include "fictional.h"
#include "harness/base/failure.h"
#include "harness/fleet/folder.h"
#include "harness/fleet/sweep.h"
#include "harness/sweep/replay.h"
#include "temporary_folder.h"

namespace loratune {
namespace {

SweepSetup setup_of_portions() {
  SweepSetup setup;
  setup.device = fictional::device();
  setup.device.max_alloc_bytes = std::int64_t{1} << 30;
  setup.options.problems = {fictional::problem(1), fictional::problem(16)};
  setup.options.variants = {find_variant("naive")};
  return setup;
}

Fleet fleet_in(const TemporaryFolder& folder) {
  Fleet fleet;
  fleet.setup = setup_of_portions();
  fleet.folder = folder.path();
  for (const Problem& problem : fleet.setup.options.problems) fleet.portions.push_back({problem});
  return fleet;
}

TEST(FleetPortion, IsGoneOnWithWhereLessMemoryIsFree) {
  const TemporaryFolder folder;
  Fleet fleet = fleet_in(folder);
  open_portion(fleet, 0, 10);
  fleet.setup.device.max_alloc_bytes /= 2;
  const SweepSetup again = open_portion(fleet, 0, 20).setup;
  EXPECT_EQ(again.device, setup_of_portions().device) << "as it was";
  EXPECT_EQ(again.options.budget_s, 10);
  fleet.setup.device.driver += " and another";
  EXPECT_THROW(open_portion(fleet, 0, 20), Failure);
}

// The line of the Failure; empty where there is none.
std::string refused(const std::filesystem::path& folder, bool resume) {
  try {
    claim_folder(folder, resume);
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), kExitUsage);
    return failure.what();
  }
  return "";
}

TEST(ClaimFolder, MovesAndUsesAFolderOfJournalsAlone) {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  const fs::path journals = folder / "a.d";
  const std::string head = frame_line({{"schema", "loratune/journal"}});
  EXPECT_EQ(refused(journals, false), "");
  write_bytes(journals / "m1.journal", head);
  write_bytes(journals / "m1.journal.old", head + head);
  write_bytes(journals / "m2.journal", head.substr(0, 5));
  write_bytes(journals / "m3.journal", "");
  const fs::path copy = folder / "b.d";  // one that this process has not locked
  fs::copy(journals, copy);
  EXPECT_EQ(refused(copy, true), "");
  EXPECT_TRUE(fs::exists(copy / "m1.journal"));
  EXPECT_NE(refused(copy, false).find("is in use by another sweep"), std::string::npos);
  const fs::path again = folder / "c.d";
  fs::copy(journals, again);
  EXPECT_EQ(refused(again, false), "");
  EXPECT_TRUE(fs::is_empty(again));
  EXPECT_TRUE(fs::exists(folder / "c.d.old" / "m1.journal"));
}

TEST(ClaimFolder, LeavesAloneWhatIsNoFolderOfJournals) {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  fs::create_directory(folder / "conf.d");
  write_bytes(folder / "conf.d" / "a.conf", "precious");
  fs::create_directory(folder / "notes.d");
  write_bytes(folder / "notes.d" / "a.journal", "precious");
  fs::create_directories(folder / "deep.d" / "b.journal");
  write_bytes(folder / "file.d", "precious");
  fs::create_symlink("nowhere", folder / "link.d");
  for (const char* name : {"conf.d", "notes.d", "deep.d", "file.d", "link.d"}) {
    for (const bool resume : {false, true}) {
      EXPECT_NE(refused(folder / name, resume).find("is there and is no folder of journals"),
                std::string::npos)
          << name;
    }
  }
  EXPECT_EQ(read_bytes(folder / "conf.d" / "a.conf"), "precious");
  EXPECT_EQ(read_bytes(folder / "file.d"), "precious");
  EXPECT_FALSE(fs::exists(folder / "nowhere"));
  EXPECT_NE(refused(folder / "absent.d", true).find("--resume: there is no folder"),
            std::string::npos);
}

TEST(ReplayJournals, TakesPartsForOneSweepWhateverMemoryWasFree) {
  const auto parts_with = [](auto change) {
    std::vector<JournalContent> parts;
    for (std::size_t i = 0; i < 2; ++i) {
      SweepSetup setup = setup_of_portions();
      setup.options.problems = {setup.options.problems[i]};
      if (i == 1) change(setup.device);
      parts.emplace_back().header = make_header(setup);
    }
    return replay_journals(parts);
  };
  const auto one = parts_with([](DeviceInfo& device) { device.max_alloc_bytes /= 2; });
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].setup.options.problems, setup_of_portions().options.problems);
  EXPECT_EQ(parts_with([](DeviceInfo& device) { device.driver += "b"; }).size(), 2U);
}

}  // namespace
}  // namespace loratune
