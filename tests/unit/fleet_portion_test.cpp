// Journals of one sweep on a device whose free memory changes: PoCL makes max_alloc_bytes of it.
#include <gtest/gtest.h>

#include "fictional.h"
#include "harness/base/failure.h"
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
