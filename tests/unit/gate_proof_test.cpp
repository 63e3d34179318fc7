// The gate's error rates, on rounds that were recorded with nothing changed: every seed is fixed,
// so that these tests never flake, and each rate is asserted.
#include <gtest/gtest.h>

#include <map>

#include "unit/traces.h"

namespace loratune {
namespace {

constexpr int kDecisions = 600;

const std::vector<Trace>& traces() {
  static const std::vector<Trace> kAll = [] {
    std::vector<Trace> list;
    for (const char* file : {"quiet", "loaded"}) {
      for (Trace& trace :
           traces_of(std::string(LORATUNE_SOURCE_DIR "/tests/traces/") + file + ".json")) {
        list.push_back(std::move(trace));
      }
    }
    return list;
  }();
  return kAll;
}

using Counts = std::map<CaseVerdict, int>;

Counts decide_all(const std::vector<const Trace*>& chosen, Planted planted, int decisions,
                  bool own_effect = false, const GateRules& rules = {}) {
  Counts counts;
  for (int i = 0; i < decisions; ++i) {
    const Trace& trace = *chosen[static_cast<std::size_t>(i) % chosen.size()];
    Planted now = planted;
    // The true effect is what is planted on top of what the trace itself says.
    if (own_effect) now.effect /= std::exp(median(trace.log_ratios));
    ++counts[decide(trace, static_cast<std::uint64_t>(i), now, rules)];
  }
  return counts;
}

std::vector<const Trace*> all_traces() {
  std::vector<const Trace*> chosen;
  for (const Trace& trace : traces()) chosen.push_back(&trace);
  return chosen;
}

std::vector<const Trace*> traces_that_detect(double effect) {
  std::vector<const Trace*> chosen;
  for (const Trace& trace : traces()) {
    if (detectable_effect(trace.log_ratios, {}) <= effect) chosen.push_back(&trace);
  }
  return chosen;
}

int good(Counts counts) { return counts[CaseVerdict::pass]; }
int red(Counts counts) { return counts[CaseVerdict::regressed]; }

TEST(GateProof, TheTracesAreThere) {
  EXPECT_GE(traces().size(), 6U);
  for (const Trace& trace : traces()) EXPECT_GE(trace.rounds.size(), 200U) << trace.name;
  EXPECT_GE(traces_that_detect(0.05).size(), 3U);
  EXPECT_GE(traces_that_detect(0.10).size(), 4U);
}

TEST(GateProof, NothingChangedIsNeverRegressed) {
  Counts counts = decide_all(all_traces(), {}, kDecisions);
  EXPECT_EQ(red(counts), 0);
  const int decided = good(counts) + red(counts) + counts[CaseVerdict::improved] +
                      counts[CaseVerdict::flaky_suspect];
  EXPECT_GE(good(counts), 0.9 * decided);
  EXPECT_GE(decided, kDecisions / 2) << "a gate that never decides proves nothing";
}

TEST(GateProof, FivePercentIsFoundWhereItCanBeAndNeverPasses) {
  Counts counts = decide_all(traces_that_detect(0.05), {.effect = 1.05}, 400, true);
  EXPECT_GE(red(counts), 0.95 * 400);
  EXPECT_EQ(good(counts), 0);
  Counts anywhere = decide_all(all_traces(), {.effect = 1.05}, kDecisions, true);
  EXPECT_EQ(good(anywhere), 0);
  EXPECT_EQ(anywhere[CaseVerdict::improved], 0);
}

TEST(GateProof, TenPercentIsFound) {
  Counts counts = decide_all(traces_that_detect(0.10), {.effect = 1.10}, 400, true);
  EXPECT_GE(red(counts), 0.99 * 400);
  EXPECT_EQ(good(counts), 0);
}

TEST(GateProof, SwappedArmsTurnEveryRegressionIntoAnImprovement) {
  int regressed = 0;
  for (const Trace& trace : traces()) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      if (decide(trace, seed, {.effect = 1.08}) != CaseVerdict::regressed) continue;
      ++regressed;
      EXPECT_EQ(decide(trace, seed, {.effect = 1.08, .swapped = true}), CaseVerdict::improved)
          << trace.name << " seed " << seed;
    }
  }
  EXPECT_GT(regressed, 100);
}

TEST(GateProof, DriftOfBothArmsAndSpikesInOneAreNeverRed) {
  for (const Planted planted :
       {Planted{.drift = 0.5}, Planted{.drift = -0.5}, Planted{.spikes = 0.05}}) {
    Counts counts = decide_all(all_traces(), planted, kDecisions);
    EXPECT_EQ(red(counts), 0) << planted.drift << " " << planted.spikes;
    EXPECT_GE(good(counts), kDecisions / 3) << planted.drift << " " << planted.spikes;
  }
}

TEST(GateProof, ALyingWallClockIsNeverGreen) {
  for (const double lie : {0.0, -5.0, std::nan(""), 12345.0}) {
    Counts counts = decide_all(all_traces(), {.candidate_lie = lie}, 60);
    EXPECT_EQ(counts[CaseVerdict::environment], 60) << lie;
  }
}

// The rates above can fail: rules that are wrong in one point each do.
TEST(GateProof, WrongRulesAreSeen) {
  GateRules blind;
  blind.good = 1.20;
  EXPECT_GT(good(decide_all(all_traces(), {.effect = 1.05}, 100, true, blind)), 0);
  GateRules hasty;  // one round's noise for a regression
  hasty.level = 0.51;
  hasty.worse = 1.0001;
  hasty.looks = {{6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 30, 40, 80}};
  hasty.good = 1.0002;
  hasty.distinct = 1;
  EXPECT_GT(red(decide_all(all_traces(), {}, 200, false, hasty)), 0);
  GateRules first_block;  // no minimum over blocks: the test's traces hold four
  Counts spiked;
  first_block.sub_blocks = 1;
  spiked = decide_all(all_traces(), {.spikes = 0.6}, 100, false, first_block);
  EXPECT_LT(good(spiked), 50);
}

}  // namespace
}  // namespace loratune
