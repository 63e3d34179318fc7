#include "loratune/variants/launch_plan.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace loratune {
namespace {

TEST(BuildOptions, AreDefinesThenFlags) {
  LaunchPlan plan;
  EXPECT_EQ(build_options(plan), "");
  plan.defines = {{"TILE_M", 8}, {"_X9", -3}};
  EXPECT_EQ(build_options(plan), "-DTILE_M=8 -D_X9=-3");
  plan.flags = {"-cl-std=CL1.2", "-cl-mad-enable"};
  EXPECT_EQ(build_options(plan), "-DTILE_M=8 -D_X9=-3 -cl-std=CL1.2 -cl-mad-enable");
}

TEST(BuildOptions, RefuseNamesThatAreNoMacro) {
  for (const std::string& name :
       {std::string(), std::string("9A"), std::string("A B"), std::string("A=1"), std::string("A;"),
        std::string("A\n"), std::string("A-DB"), std::string("-DA"), std::string("A(x)"),
        std::string("tile_m"), std::string("\xc3\x84"), std::string("A\0B", 3),
        std::string(65, 'A')}) {
    LaunchPlan plan;
    plan.defines = {{name, 1}};
    EXPECT_THROW(build_options(plan), std::invalid_argument) << name;
    EXPECT_THROW(program_key(plan), std::invalid_argument) << name;
  }
  LaunchPlan longest;
  longest.defines = {{std::string(64, 'A'), 1}};
  EXPECT_NO_THROW(build_options(longest));
}

TEST(BuildOptions, RefuseFlagsThatAreNotListed) {
  for (const char* flag :
       {"", " ", "-cl-fast-relaxed-math", "-cl-std=CL1.2 -I/etc", "-cl-std=CL1.2 ", "-I/etc", "-DX",
        "-cl-std=CL9.9", "-CL-STD=CL1.2", "-w\n-I/"}) {
    LaunchPlan plan;
    plan.flags = {"-cl-mad-enable", flag};
    EXPECT_THROW(build_options(plan), std::invalid_argument) << flag;
  }
}

TEST(LaunchPlan, ThatNoDeviceCanRunHasAReason) {
  LaunchPlan sound;
  sound.defines = {{"A", 1}};
  sound.scratch = {{4, Zero::once}};
  sound.launches = {{"k", 2, {64, 8, 1}, {16, 1, 1}, {{Role::scratch, 0}, {Role::local, 64}}}};
  EXPECT_EQ(invalid_reason(sound), "");
  EXPECT_EQ(invalid_reason(LaunchPlan{}), "") << "no launch at all is legal";
  const auto reason = [&](auto change) {
    LaunchPlan plan = sound;
    change(plan, plan.launches[0]);
    return invalid_reason(plan);
  };
  EXPECT_NE(reason([](LaunchPlan& p, Launch&) { p.defines[0].first = "a"; }), "");
  EXPECT_NE(reason([](LaunchPlan& p, Launch&) { p.flags = {"-I/etc"}; }), "");
  EXPECT_NE(reason([](LaunchPlan& p, Launch&) { p.a.tile = 0; }), "");
  EXPECT_NE(reason([](LaunchPlan& p, Launch&) { p.b.tile = 1 << 30; }), "");
  EXPECT_NE(reason([](LaunchPlan& p, Launch&) { p.scratch.clear(); }), "");
  EXPECT_NE(reason([](LaunchPlan&, Launch& l) { l.dims = 4; }), "");
  EXPECT_NE(reason([](LaunchPlan&, Launch& l) { l.local[0] = 0; }), "");
  EXPECT_NE(reason([](LaunchPlan&, Launch& l) { l.global[1] = 0; }), "");
  EXPECT_NE(reason([](LaunchPlan&, Launch& l) { l.local[0] = 48; }), "") << "a part of a group";
  // The product of these would be 0 in 64 bits.
  EXPECT_NE(reason([](LaunchPlan&, Launch& l) {
              l.local = l.global = {std::uint64_t{1} << 32U, std::uint64_t{1} << 32U, 1};
            }),
            "");
  EXPECT_NE(reason([](LaunchPlan&, Launch& l) { l.args[0].value = -1; }), "");
  EXPECT_NE(reason([](LaunchPlan&, Launch& l) { l.args[1].value = -1; }), "");
  EXPECT_NE(reason([](LaunchPlan&, Launch& l) { l.args[1].value = std::int64_t{1} << 62U; }), "");
}

TEST(LaunchPlan, OfPartsIsAsSoundAsThese) {
  LaunchPlan part;
  part.source = "kernel void k() {}";
  part.launches = {{"k", 1, {1, 1, 1}, {1, 1, 1}, {}}};
  LaunchPlan plan;
  plan.parts = {part, part};
  EXPECT_EQ(invalid_reason(plan), "");
  EXPECT_EQ(launch_count(plan), 2);
  const std::string key = program_key(plan);
  EXPECT_NE(key, program_key(part));
  LaunchPlan other = plan;
  other.parts[1].source += " ";
  EXPECT_NE(program_key(other), key);
  EXPECT_NE(other, plan);
  other = plan;
  other.parts[1].launches[0].local[0] = 0;
  EXPECT_NE(invalid_reason(other), "");
  other = plan;
  other.launches = part.launches;
  EXPECT_NE(invalid_reason(other), "") << "launches beside parts";
  other = plan;
  other.parts[0] = plan;
  EXPECT_NE(invalid_reason(other), "") << "parts of parts";
}

TEST(ProgramKey, IsEqualJustForTheSameProgram) {
  LaunchPlan plan;
  plan.source = "kernel void k() {}";
  plan.defines = {{"A", 1}};
  plan.flags = {"-cl-mad-enable"};
  const auto changed = [&](auto change) {
    LaunchPlan other = plan;
    change(other);
    return program_key(other) != program_key(plan);
  };
  EXPECT_TRUE(changed([](LaunchPlan& p) { p.source += " "; }));
  EXPECT_TRUE(changed([](LaunchPlan& p) { p.defines[0].second = 2; }));
  EXPECT_TRUE(changed([](LaunchPlan& p) { p.defines[0].first = "B"; }));
  EXPECT_TRUE(changed([](LaunchPlan& p) { p.flags.clear(); }));
  EXPECT_FALSE(changed([](LaunchPlan& p) {
    p.launches.push_back({"k", 1, {1, 1, 1}, {1, 1, 1}, {}});
    p.a.tile = 8;
    p.scratch = {{4, Zero::once}};
  }));
}

}  // namespace
}  // namespace loratune
