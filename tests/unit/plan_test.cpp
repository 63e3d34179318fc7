// Every variant's plans on made-up devices: nothing may ask for more than the device has.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

#include "harness/base/plan_json.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/variants/packing.h"
#include "made_up_devices.h"
#include "tuner/candidates.h"
#include "variant_lists.h"

namespace loratune {
namespace {

using nlohmann::json;

const DeviceInfo kDevices[] = {made_up::gpu(), made_up::nvidia(), made_up::cpu(), made_up::small(),
                               made_up::tiny()};

Problem make_problem(std::int64_t m, std::int64_t k, std::int64_t n, int rank) {
  Problem problem;
  problem.m = m;
  problem.k = k;
  problem.n = n;
  problem.rank = rank;
  return problem;
}

std::vector<Problem> many_problems() {
  std::vector<Problem> problems;
  for (const int rank : {1, 2, 3, 4, 5, 16, 25, 64, 129, 240, 255, 256, 257, 1000, 1024}) {
    for (const std::int64_t m : {0, 1, 3, 64, 4097}) {
      for (const std::int64_t k : {1, 7, 563, 4096}) {
        for (const std::int64_t n : {1, 5, 16, 4097}) {
          problems.push_back(make_problem(m, k, n, rank));
          problems.back().dtype = problems.size() % 2 == 0 ? Dtype::f16 : Dtype::f32;
          problems.back().accumulate = problems.size() % 3 != 0;
        }
      }
    }
  }
  for (const int rank : {1, 1024}) {
    problems.push_back(make_problem(kMaxExtent, kMaxExtent, kMaxExtent, rank));
    problems.push_back(make_problem(1, kMaxExtent, 1, rank));
    problems.push_back(make_problem(1, 1, kMaxExtent, rank));
    problems.push_back(make_problem(kMaxExtent, 1, 1, rank));
  }
  return problems;
}

// Why the plan cannot run on the device, or nothing.
std::string fault_of(const LaunchPlan& plan, const DeviceInfo& device) {
  build_options(plan);  // throws on what is no macro or flag
  for (const Scratch& scratch : plan.scratch) {
    if (scratch.bytes == 0) return "an empty scratch";
    if (scratch.bytes > static_cast<std::uint64_t>(device.max_alloc_bytes)) return "scratch";
  }
  for (const Launch& launch : plan.launches) {
    if (launch.dims < 1 || launch.dims > 3) return "dims";
    std::uint64_t group = 1;
    for (std::size_t i = 0; i < 3; ++i) {
      group *= launch.local[i];
      if (launch.local[i] == 0 || launch.global[i] == 0) return "an empty range";
      if (launch.global[i] % launch.local[i] != 0) return "global is no multiple of local";
      if (i >= static_cast<std::size_t>(launch.dims) && launch.global[i] != 1) return "unused dim";
    }
    if (group > static_cast<std::uint64_t>(device.max_work_group_size)) return "work-group size";
    std::int64_t local_bytes = 0;
    for (const Arg& arg : launch.args) {
      if (arg.role == Role::local) local_bytes += arg.value;
      if (arg.role == Role::local && arg.value <= 0) return "empty local memory";
      if (arg.role == Role::scratch &&
          (arg.value < 0 || arg.value >= static_cast<std::int64_t>(plan.scratch.size()))) {
        return "no such scratch";
      }
      if (arg.role == Role::i32 && (arg.value < 0 || arg.value > kMaxExtent)) return "i32";
      if ((arg.role == Role::a || arg.role == Role::b) && joins_weights(plan))
        return "A or B twice";
    }
    if (local_bytes > device.local_mem_bytes) return "local memory";
  }
  if (joins_weights(plan) && plan.a.as_f32 != plan.b.as_f32) return "A and B of two types";
  return {};
}

TEST(FaultOf, SeesEachPlantedFault) {
  LaunchPlan sound;
  sound.scratch = {{16, Zero::never}};
  sound.launches.push_back({"k", 1, {64, 1, 1}, {64, 1, 1}, {{Role::scratch, 0}}});
  const DeviceInfo device = made_up::small();
  ASSERT_EQ(fault_of(sound, device), "");
  const auto broken = [&](auto change) {
    LaunchPlan plan = sound;
    change(plan);
    return fault_of(plan, device);
  };
  EXPECT_EQ(broken([](LaunchPlan& p) { p.launches[0].global[0] = 65; }),
            "global is no multiple of local");
  EXPECT_EQ(broken([](LaunchPlan& p) { p.launches[0].global[0] = p.launches[0].local[0] = 65; }),
            "work-group size");
  EXPECT_EQ(broken([](LaunchPlan& p) { p.launches[0].global[0] = 0; }), "an empty range");
  EXPECT_EQ(broken([](LaunchPlan& p) {
              p.launches[0].args = {{Role::local, 16385}};
            }),
            "local memory");
  EXPECT_EQ(broken([](LaunchPlan& p) {
              p.launches[0].args = {{Role::scratch, 1}};
            }),
            "no such scratch");
  EXPECT_EQ(broken([](LaunchPlan& p) {
              p.launches[0].args = {{Role::i32, std::int64_t{1} << 31}};
            }),
            "i32");
  EXPECT_EQ(broken([](LaunchPlan& p) { p.scratch[0].bytes = std::uint64_t{1} << 40; }), "scratch");
  EXPECT_EQ(broken([](LaunchPlan& p) {
              p.launches[0].args = {{Role::weights}, {Role::b}};
            }),
            "A or B twice");
  EXPECT_EQ(broken([](LaunchPlan& p) {
              p.launches[0].args = {{Role::weights}};
              p.b.as_f32 = true;
            }),
            "A and B of two types");
}

class Plan : public testing::TestWithParam<const Variant*> {};

TEST_P(Plan, OfTheDefaultConfigRunsWhereverTheVariantSaysSo) {
  const Variant& variant = *GetParam();
  int planned = 0;
  for (const DeviceInfo& device : kDevices) {
    for (const Problem& problem : many_problems()) {
      if (!variant.supports(problem, device)) continue;
      const Config config = variant.default_config(problem, device);
      ASSERT_TRUE(can_run(variant, config, problem, device))
          << device.name << " " << to_string(problem) << " " << to_string(variant.space, config);
      const LaunchPlan plan = variant.plan(problem, config, device);
      ASSERT_EQ(fault_of(plan, device), "") << device.name << " " << to_string(problem);
      ASSERT_EQ(plan.launches.empty(), problem.m == 0) << to_string(problem);
      ASSERT_GE(variant.flops(problem, config), useful_flops(problem) * 0.999);
      ++planned;
    }
  }
  EXPECT_GT(planned, 400);
}

TEST_P(Plan, OfAnyConfigThatSatisfiesTheConstraintAsksForNoMoreThanThereIs) {
  const Variant& variant = *GetParam();
  for (const DeviceInfo& device : kDevices) {
    for (const Problem& problem :
         {make_problem(1, 1, 1, 1), make_problem(3, 563, 67, 25), make_problem(129, 4096, 512, 64),
          make_problem(17, 100, 4097, 256), make_problem(1, 2048, 2048, 1024)}) {
      for (const Config& config : sample_configs(variant, {&problem, 1}, device, 60, 3)) {
        ASSERT_TRUE(can_run(variant, config, problem, device));
        ASSERT_EQ(fault_of(variant.plan(problem, config, device), device), "")
            << device.name << " " << to_string(problem) << " " << to_string(variant.space, config);
      }
    }
  }
}

TEST_P(Plan, KeepsItsProgramWhereOnlyMDiffers) {
  const Variant& variant = *GetParam();
  const DeviceInfo device = made_up::gpu();
  const Problem one = make_problem(1, 512, 512, 8);
  Problem other = one;
  other.m = 100;
  const Config config = variant.default_config(one, device);
  EXPECT_EQ(program_key(variant.plan(one, config, device)),
            program_key(variant.plan(other, config, device)));
  other.dtype = Dtype::f16;
  EXPECT_NE(program_key(variant.plan(one, config, device)),
            program_key(variant.plan(other, config, device)));
}

// The macros that say types: none but those of a plain problem where there is nothing more to say.
TEST_P(Plan, SaysTheTypesOfXAndOfTheWeights) {
  const Variant& variant = *GetParam();
  const auto types_in = [&](const Types& types) {
    std::string text;
    for (const DeviceInfo& device : kDevices) {
      Problem problem = make_problem(17, 512, 512, 8);
      set_types(problem, types);
      if (!text.empty() || !variant.supports(problem, device)) continue;
      const LaunchPlan plan =
          variant.plan(problem, variant.default_config(problem, device), device);
      const bool widens = plan.a.as_f32 && plan.b.as_f32;
      EXPECT_EQ(packed_dtype(plan.a, types.weights), widens ? Dtype::f32 : types.weights);
      for (const auto& [name, value] : plan.defines) {
        const bool of_types = name == "F16" || name == "BF16" || name == "WEIGHT_TYPE";
        if (of_types) text += name + "=" + std::to_string(value) + " ";
      }
      if (widens) text += "WIDE";
    }
    return text;
  };
  const std::string plain = types_in(Dtype::f32);
  const bool wide = plain.ends_with("WIDE");
  EXPECT_EQ(plain, wide ? "F16=0 WIDE" : "F16=0 ");
  EXPECT_EQ(types_in(Dtype::f16), wide ? "F16=1 WIDE" : "F16=1 ");
  if (!variant.axes.bf16 || !variant.axes.mixed) {
    EXPECT_EQ(types_in(Dtype::bf16), "") << "declined";
    return;
  }
  EXPECT_EQ(types_in(Dtype::bf16), wide ? "BF16=1 F16=0 WIDE" : "BF16=1 F16=0 ");
  const Types mixed[] = {
      {Dtype::f32, Dtype::f16}, {Dtype::f16, Dtype::bf16}, {Dtype::bf16, Dtype::f32}};
  const std::string expected[] = {"F16=0 WEIGHT_TYPE=1 ", "F16=1 WEIGHT_TYPE=2 ",
                                  "BF16=1 F16=0 WEIGHT_TYPE=0 "};
  for (std::size_t i = 0; i < std::size(mixed); ++i) {
    EXPECT_EQ(types_in(mixed[i]), wide ? types_in(mixed[i].data) : expected[i]);
  }
}

TEST_P(Plan, GoesThroughJsonToTheBit) {
  const Variant& variant = *GetParam();
  for (const DeviceInfo& device : kDevices) {
    for (const Problem& problem : {make_problem(0, 7, 5, 3), make_problem(3, 563, 67, 25),
                                   make_problem(kMaxExtent, kMaxExtent, kMaxExtent, 4)}) {
      if (!variant.supports(problem, device)) continue;
      const LaunchPlan plan =
          variant.plan(problem, variant.default_config(problem, device), device);
      EXPECT_EQ(plan_from_json(json::parse(to_json(plan).dump())), plan);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, Plan, testing::ValuesIn(plain_variants()),
                         [](const auto& variant) { return std::string(variant.param->name); });

TEST(DefaultChoice, RunsForEveryProblemOnEveryDevice) {
  for (const DeviceInfo& device : kDevices) {
    for (const Problem& problem : many_problems()) {
      const Choice choice = default_choice(problem, device);
      ASSERT_NE(choice.variant, nullptr) << device.name << " " << to_string(problem);
      ASSERT_TRUE(can_run(*choice.variant, choice.config, problem, device))
          << device.name << " " << to_string(problem);
    }
  }
}

// Of x A^T on tensor cores: what a warp loads side by side.
TEST(TensorPlans, TakePiecesInPairsWhereAIsMoreThanXAndEachWarpGetsAPair) {
  const DeviceInfo device = made_up::nvidia();
  const auto run = [&](const char* name, std::int64_t m, std::int64_t k, int rank, Config config) {
    Problem problem = make_problem(m, k, k, rank);
    problem.dtype = Dtype::f16;
    const Variant& variant = *find_variant(name);
    EXPECT_TRUE(can_run(variant, config, problem, device));
    for (const auto& [macro, value] : variant.plan(problem, config, device).defines) {
      if (macro == "RUN") return value;
    }
    return std::int64_t{0};
  };
  // RANK_WARPS, WARPS, ROW_TILES, ROW_WARPS, PIECES, COLUMN_TILES, AHEAD, PARTS: 16 rows.
  EXPECT_EQ(run("tensor_rows", 16, 512, 17, {1, 8, 1, 1, 2, 1, 1, 1}), 2);
  EXPECT_EQ(run("tensor_rows", 16, 512, 16, {1, 8, 1, 1, 2, 1, 1, 1}), 1) << "as many rows";
  EXPECT_EQ(run("tensor_rows", 16, 512, 17, {1, 8, 1, 1, 1, 1, 1, 1}), 1) << "one piece";
  EXPECT_EQ(run("tensor_rows", 16, 480, 17, {1, 8, 1, 1, 2, 1, 1, 1}), 1) << "15 for 8 warps";
  EXPECT_EQ(run("tensor_rows", 16, 480, 17, {2, 8, 1, 1, 2, 1, 1, 1}), 2) << "15 for 4 warps";
  // WARPS, ROW_TILES, RANK_TILES, ROW_WARPS, RANK_WARPS, SLICES, PIECES, OUT_TILES, COLUMN_TILES.
  EXPECT_EQ(run("tensor", 16, 1024, 32, {8, 1, 4, 1, 1, 2, 2, 1, 1}), 2);
  EXPECT_EQ(run("tensor", 16, 1024, 32, {8, 1, 2, 1, 1, 2, 2, 1, 1}), 1) << "as many rows";
  EXPECT_EQ(run("tensor", 16, 1024, 32, {8, 1, 4, 1, 1, 4, 2, 1, 1}), 1) << "8 for 8 warps";
}

TEST(OrdinaryDevices, RunNaiveAndSplitAtEveryRank) {
  for (const DeviceInfo& device : {made_up::gpu(), made_up::cpu(), made_up::small()}) {
    for (int rank = 1; rank <= kMaxRank; ++rank) {
      const Problem problem = make_problem(16, 1024, 1024, rank);
      for (const char* name : {"naive", "split"}) {
        ASSERT_TRUE(find_variant(name)->supports(problem, device)) << device.name << " " << rank;
      }
    }
  }
}

TEST(PlanJson, CarriesEveryField) {
  LaunchPlan plan;
  plan.source = "kernel void k() {} // \xc3\xa9 \"quoted\"\n\ttab";
  plan.defines = {{"BIG", std::numeric_limits<std::int64_t>::max()}, {"LOW", -5}};
  plan.flags = {"-cl-mad-enable", "-cl-std=CL1.2"};
  plan.a = {Layout::transposed, 1};
  plan.b = {Layout::panel, 16, true};
  plan.scratch = {{std::uint64_t{1} << 63, Zero::each_run}, {4, Zero::once}, {8, Zero::never}};
  Launch launch;
  launch.kernel = "k";
  launch.dims = 3;
  launch.global = {std::uint64_t{1} << 40, 6, 4};
  launch.local = {256, 3, 2};
  for (int role = 0; role <= static_cast<int>(Role::weights); ++role) {
    launch.args.push_back({static_cast<Role>(role), -role});
  }
  launch.one_struct = true;
  plan.launches = {launch, launch};
  plan.align = 16;
  plan.deterministic = false;
  plan.needs_residency = true;
  const LaunchPlan back = plan_from_json(json::parse(to_json(plan).dump()));
  EXPECT_EQ(back, plan);
  EXPECT_EQ(back.launches[1].args.back().role, Role::weights);
}

TEST(PlanJson, TakesPackingsOfTwoValuesAsOfTheOwnType) {
  LaunchPlan plan;
  plan.b = {Layout::panel, 16, true};
  json older = to_json(plan);
  older["b"].erase(2);
  plan.b.as_f32 = false;
  EXPECT_EQ(plan_from_json(older), plan);
}

TEST(PlanJson, RefusesWhatIsNoPlan) {
  LaunchPlan plan;
  plan.scratch = {{4, Zero::once}};
  plan.launches.push_back({"k", 1, {1, 1, 1}, {1, 1, 1}, {{Role::i32, 0}}});
  const json sound = to_json(plan);
  const auto broken = [&](const char* pointer, const json& value) {
    json copy = sound;
    copy[json::json_pointer(pointer)] = value;
    return copy;
  };
  for (const json& bad : {broken("/launches/0/args/0/0", static_cast<int>(Role::block_count) + 1),
                          broken("/launches/0/args/0/0", -1), broken("/scratch/0/1", 3),
                          broken("/a/0", 4), broken("/b/0", -1),
                          // A fraction, and what its type does not hold.
                          broken("/launches/0/args/0/0", 1.5), broken("/a/1", 1e300),
                          broken("/launches/0/args/0/1", 1e300), broken("/launches/0/dims", 1.5),
                          broken("/launches/0/local/0", -1), broken("/launches/0/global/2", 0.5),
                          broken("/scratch/0/0", -4), broken("/align", 4294967296)}) {
    EXPECT_THROW(plan_from_json(bad), std::invalid_argument) << bad;
  }
  for (const auto& [key, value] : sound.items()) {
    json copy = sound;
    copy.erase(key);
    EXPECT_THROW(plan_from_json(copy), json::exception) << key;
  }
  EXPECT_THROW(plan_from_json(broken("/source", 5)), json::exception);
  EXPECT_THROW(plan_from_json(json::array()), json::exception);
}

// How often a launch takes an argument of the role.
std::int64_t count_of(const Launch& launch, Role role) {
  return std::count_if(launch.args.begin(), launch.args.end(),
                       [&](const Arg& arg) { return arg.role == role; });
}

TEST(Plans, ForOneBufferTakeNoOther) {
  Problem problem = make_problem(16, 512, 96, 16);
  problem.slices = *parse_slices("64+16+16");
  int with_arena = 0;
  for (const DeviceInfo& device : kDevices) {
    for (const Variant* variant : variants()) {
      if (!variant->supports(problem, device)) continue;
      const LaunchPlan plan =
          variant->plan(problem, variant->default_config(problem, device), device);
      const LaunchPlan one = in_one_buffer(plan);
      if (!takes_arena(one)) {
        EXPECT_EQ(one, plan) << variant->name;
        continue;
      }
      ++with_arena;
      EXPECT_TRUE(joins_weights(one) && places_weights(one)) << variant->name;
      EXPECT_NE(one.source.find("FIND_TENSORS("), std::string::npos) << variant->name;
      EXPECT_NE(build_options(one).find("-DARENA=1"), std::string::npos) << variant->name;
      for (std::size_t i = 0; i < one.launches.size(); ++i) {
        const Launch& launch = one.launches[i];
        EXPECT_EQ(launch.args.size() + 4, plan.launches[i].args.size()) << variant->name;
        EXPECT_EQ(count_of(launch, Role::arena), 1) << variant->name;
        EXPECT_EQ(count_of(launch, Role::y), 0) << variant->name;
        EXPECT_EQ(count_of(launch, Role::x) + count_of(launch, Role::weights), 0) << variant->name;
      }
      EXPECT_EQ(in_one_buffer(one), one) << variant->name;
    }
  }
  EXPECT_GT(with_arena, 4);
}

}  // namespace
}  // namespace loratune
