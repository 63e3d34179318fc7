// Faults planted where a kernel finds the adapter of its rows: the check must say that it is wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "harness/check/checker.h"
#include "test_engine.h"

namespace loratune {
namespace {

struct Fault {
  const char* name;
  bool accumulate;
  const char* from;
  const char* to;
  // Becomes something else too, where a kernel has it.
  const char* also_from = "";
  const char* also_to = "";
};

// NOLINTNEXTLINE(readability-identifier-naming): the name that GoogleTest calls
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

const Fault kFaults[] = {
    {"weights_of_the_slot_before", true, "block.weights = entry[0] * pool.ld_slot;",
     "block.weights = max(entry[0] - 1, 0) * pool.ld_slot;"},
    {"rank_and_scale_of_the_slot_before", true, "(long)entry[0] * MODULES * 2",
     "(long)max(entry[0] - 1, 0) * MODULES * 2"},
    {"scale_of_the_slot_dropped", false, "scale * as_float(block.slot[2 * module + 1])", "scale",
     " * as_float((block).slot[2 * (which) + 1])"},
    {"rows_as_they_stand", true, "route + entry[1]", "route"},
    {"a_row_too_many", true, "block.count = entry[2];", "block.count = entry[2] + 1;"},
    {"a_row_too_few", true, "block.count = entry[2];", "block.count = max(entry[2] - 1, 1);"},
    // tensor stores behind each part of the ranks, of which an empty slot has none.
    {"zero_added_to_rows_of_an_empty_slot", true, "if (block.rank == 0) block.count = 0;", "",
     "rank0 < rank;", "rank0 < max(rank, 1);"},
    {"rows_of_an_empty_slot_set", false, "if (block.rank == 0) block.count = 0;", "",
     "rank0 < rank;", "rank0 < max(rank, 1);"},
    {"rank_one_too_few", true, "block.rank = block.slot[2 * module];",
     "block.rank = block.slot[2 * module] - 1;"},
};

// The default config, or where its blocks are full of an adapter's rows, the first with blocks that
// are not, or that have several rows at least: a block of one row does not show how many rows the
// kernel takes it to have, and one row too many for a full block would be beyond its memory.
Config of_several_rows(const Variant& variant, const Problem& problem, const DeviceInfo& device) {
  const auto rows_of = [&](const Config& config) {
    const std::vector<std::int64_t> rows = variant.tiles(problem, config).m;
    return rows.empty() ? 0 : *std::max_element(rows.begin(), rows.end());
  };
  const Config first = variant.default_config(problem, device);
  for (const std::int64_t wanted : {std::int64_t{16}, std::int64_t{2}}) {
    if (rows_of(first) >= wanted) return first;
    for (std::int64_t i = 0; i < product_size(variant.space); ++i) {
      const Config config = config_at(variant.space, i);
      if (can_run(variant, config, problem, device) && rows_of(config) >= wanted) return config;
    }
  }
  return first;
}

// Every variant that knows adapters has the fault planted into it.
class AdapterFaults : public testing::TestWithParam<Fault> {};

TEST_P(AdapterFaults, AreCaught) {
  Case shape;
  shape.problem.m = 29;
  shape.problem.k = 67;
  shape.problem.n = 75;
  shape.problem.slices = {{5, 70}, 2};
  shape.problem.rank = 12;
  shape.problem.adapters = 4;
  shape.problem.accumulate = GetParam().accumulate;
  shape.fill = Fill::exact;
  shape.off_y = 3;
  shape.pad_y = 7;
  const DeviceInfo& device = test_engine().info();
  Checker checker(test_engine(), shape);
  int planted = 0;
  for (const Variant* variant : variants()) {
    if (!variant->supports(shape.problem, device)) continue;
    LaunchPlan plan =
        variant->plan(shape.problem, of_several_rows(*variant, shape.problem, device), device);
    const auto check = [&] {
      Built built = test_engine().build(shape.problem, plan);
      EXPECT_TRUE(built.executable) << variant->name << ": " << built.detail;
      return built.executable ? checker.check(*built.executable) : CheckResult{};
    };
    const CheckResult sound = check();
    EXPECT_EQ(to_string(sound.outcome), "correct") << variant->name << ": " << sound.detail;
    const std::size_t at = plan.source.find(GetParam().from);
    ASSERT_NE(at, std::string::npos) << variant->name << " no longer holds: " << GetParam().from;
    plan.source.replace(at, std::string(GetParam().from).size(), GetParam().to);
    const std::string also_from = GetParam().also_from;
    const std::size_t also = also_from.empty() ? std::string::npos : plan.source.find(also_from);
    if (also != std::string::npos) {
      plan.source.replace(also, also_from.size(), GetParam().also_to);
    }
    EXPECT_EQ(to_string(check().outcome), "correctness") << variant->name;
    ++planted;
  }
  EXPECT_GT(planted, 0);
}

INSTANTIATE_TEST_SUITE_P(Planted, AdapterFaults, testing::ValuesIn(kFaults),
                         [](const auto& fault) { return std::string(fault.param.name); });

}  // namespace
}  // namespace loratune
