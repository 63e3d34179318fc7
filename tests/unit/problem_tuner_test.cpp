#include "tuner/problem_tuner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <stdexcept>

#include "unit/synthetic.h"

namespace loratune {
namespace {

using Want = ProblemTuner::Want;

constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

TunerRules rules() {
  TunerRules rules;
  rules.final.doubled = true;
  return rules;
}

Prepared probe(double ns) { return {Outcome::correct, ns, 0.1 + ns * 1e-9, ""}; }

void prepare(ProblemTuner& tuner, const std::vector<double>& ns) {
  for (const int i : tuner.to_prepare()) tuner.report(i, probe(ns[static_cast<std::size_t>(i)]));
}

// Answers one request; true while there is one.
bool step(ProblemTuner& tuner, Machine& machine, const std::vector<double>& ns) {
  if (tuner.want() == Want::nothing) return false;
  if (tuner.want() == Want::prepare) {
    const int i = tuner.to_prepare().front();
    tuner.report(i, probe(ns[static_cast<std::size_t>(i)]));
  } else {
    tuner.report(machine.run(tuner.next()));
  }
  return true;
}

Verdict tune(const std::vector<double>& ns, std::uint64_t seed, Noise noise = {}) {
  ProblemTuner tuner(static_cast<int>(ns.size()), seed, rules());
  Machine machine(ns, seed + 1000, noise);
  while (step(tuner, machine, ns)) {
  }
  return tuner.verdict();
}

RoundReply crash(int candidate, Outcome outcome = Outcome::runtime) {
  RoundReply reply;
  reply.failed = candidate;
  reply.failure = outcome;
  return reply;
}

void expect_default(const Verdict& verdict, const std::string& reason) {
  EXPECT_EQ(verdict.choice, 0);
  EXPECT_EQ(verdict.reason, reason);
  EXPECT_EQ(verdict.time_ns, verdict.default_ns);
  EXPECT_EQ(verdict.speedup, 1);
  EXPECT_EQ(verdict.speedup_low, 1);
  EXPECT_EQ(verdict.speedup_high, 1);
}

TEST(ProblemTuner, TheFastestIsChosenWithItsEvidence) {
  const std::vector<double> ns = {10'000, 9'000, 8'000, 12'000};
  const Verdict verdict = tune(ns, 1, kQuiet);
  EXPECT_EQ(verdict.choice, 2);
  EXPECT_EQ(verdict.reason, "measured");
  EXPECT_NEAR(verdict.time_ns, 7'700, 100) << "the slope: launches cost 300 ns less";
  EXPECT_NEAR(verdict.default_ns, 9'700, 100);
  EXPECT_NEAR(verdict.speedup, 1.25, 0.01);
  EXPECT_LT(verdict.speedup_low, verdict.speedup);
  EXPECT_GT(verdict.speedup_high, verdict.speedup);
  EXPECT_GT(verdict.speedup_low, 1.02);
  EXPECT_EQ(verdict.rounds, 10);
  EXPECT_NEAR(verdict.level, 0.9785, 1e-3);
  EXPECT_EQ(verdict.error_over_bound, probe(8'000).error_over_bound);
}

TEST(ProblemTuner, EvenAHugeGainNeedsAnInterval) {
  const Verdict verdict = tune({20'000, 10'000}, 1, kQuiet);
  EXPECT_EQ(verdict.choice, 1);
  EXPECT_GE(verdict.rounds, 10);
  EXPECT_TRUE(std::isfinite(verdict.speedup_high));
}

TEST(ProblemTuner, EqualCandidatesNeverReplaceTheDefault) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Verdict verdict = tune(std::vector<double>(8, 50'000), seed);
    ASSERT_EQ(verdict.choice, 0) << seed;
    ASSERT_EQ(verdict.reason, "no_significant_gain") << seed;
    ASSERT_GT(verdict.rounds, 0);
  }
}

TEST(ProblemTuner, TenPercentIsFound) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<double> ns(8, 50'000);
    ns[3] = 45'000;
    const Verdict verdict = tune(ns, seed);
    found += verdict.choice == 3 ? 1 : 0;
    EXPECT_TRUE(verdict.choice == 3 || verdict.choice == 0) << verdict.choice;
    EXPECT_TRUE(verdict.choice == 0 || verdict.speedup_low > 1.02);
  }
  EXPECT_GE(found, 190);
}

TEST(ProblemTuner, IsAFunctionOfSeedAndReplies) {
  const std::vector<double> ns = {100, 95, 90, 91, 92, 99, 110, 90, 90, 90, 101, 102, 93, 94};
  const auto log = [&](std::uint64_t seed) {
    ProblemTuner tuner(static_cast<int>(ns.size()), seed, rules());
    Machine machine(ns, 5);
    std::vector<Round> rounds;
    for (bool more = true; more; more = step(tuner, machine, ns)) {
      if (tuner.want() == Want::round || tuner.want() == Want::final_round) {
        rounds.push_back(tuner.next());
      }
    }
    return std::pair(rounds, tuner.verdict());
  };
  EXPECT_EQ(log(1), log(1));
  EXPECT_NE(log(1).first, log(2).first);
}

TEST(ProblemTuner, PreparationsMayBeReportedInAnyOrder) {
  const std::vector<double> ns = {100, 95, 90, 80};
  ProblemTuner forward(4, 1, rules());
  ProblemTuner backward(4, 1, rules());
  EXPECT_EQ(forward.to_prepare(), (std::vector<int>{0, 1, 2, 3}));
  for (int i = 0; i < 4; ++i) {
    forward.report(i, probe(ns[static_cast<std::size_t>(i)]));
    backward.report(3 - i, probe(ns[static_cast<std::size_t>(3 - i)]));
    EXPECT_EQ(forward.to_prepare().size(), static_cast<std::size_t>(3 - i));
  }
  EXPECT_EQ(forward.next(), backward.next());
}

TEST(ProblemTuner, HeatsHoldTheDefaultAndAtMostTwelveArms) {
  std::vector<double> ns(30, 100);
  ns[7] = 80;
  ns[29] = 70;
  ns[28] = 71;
  ProblemTuner tuner(30, 1, rules());
  Machine machine(ns, 1, kQuiet);
  // Probes that tell nothing, so that the fast ones meet in no first heat.
  prepare(tuner, std::vector<double>(30, 100));
  std::set<int> raced;
  bool in_final = false;
  while (tuner.want() != Want::nothing) {
    const Round round = tuner.next();
    const std::set<int> arms(round.order.begin(), round.order.end());
    EXPECT_LE(arms.size(), 13U);
    EXPECT_TRUE(arms.contains(0));
    raced.insert(arms.begin(), arms.end());
    if (tuner.want() == Want::final_round) {
      EXPECT_EQ(arms, (std::set<int>{kCanary, 0, 29}));
      EXPECT_TRUE(round.doubled);
      in_final = true;
    } else {
      EXPECT_FALSE(in_final);
    }
    tuner.report(machine.run(round));
  }
  EXPECT_TRUE(in_final);
  EXPECT_EQ(raced.size(), 31U);
  EXPECT_EQ(tuner.verdict().choice, 29);
  const std::vector<double> ratios = tuner.log_ratios();
  EXPECT_EQ(ratios[0], 0);
  EXPECT_NEAR(ratios[7], std::log(0.8), 0.01);
  EXPECT_NEAR(ratios[29], std::log(0.7), 0.01);
}

TEST(ProblemTuner, SlowProbesAreNotRaced) {
  const std::vector<double> ns = {100, 80, 101, 99};
  ProblemTuner tuner(4, 1, rules());
  prepare(tuner, ns);
  EXPECT_EQ(tuner.prepared()[2].outcome, Outcome::slow);
  EXPECT_EQ(tuner.prepared()[3].outcome, Outcome::correct);
  const Round round = tuner.next();
  EXPECT_EQ(std::count(round.order.begin(), round.order.end(), 2), 0);
  EXPECT_TRUE(std::isnan(tuner.log_ratios()[2]));

  ProblemTuner behind(2, 1, rules());
  prepare(behind, {1000, 100});
  EXPECT_EQ(behind.want(), Want::round) << "the default is the anchor however slow";
}

TEST(ProblemTuner, OfTooManyTheFastestByProbeAreRaced) {
  TunerRules few = rules();
  few.most_racers = 2;
  ProblemTuner tuner(5, 1, few);
  prepare(tuner, {100, 95, 90, 99, 80});
  const Round round = tuner.next();
  for (int i = 0; i < 5; ++i) {
    const bool raced = i == 0 || i == 2 || i == 4;
    EXPECT_EQ(std::count(round.order.begin(), round.order.end(), i) > 0, raced) << i;
    EXPECT_EQ(tuner.prepared()[static_cast<std::size_t>(i)].outcome,
              raced ? Outcome::correct : Outcome::slow);
  }
}

TEST(ProblemTuner, OnlyTheDefaultIsLeft) {
  ProblemTuner tuner(3, 1, rules());
  tuner.report(0, probe(100));
  tuner.report(1, {Outcome::correctness, 0, 0, "wrong"});
  tuner.report(2, probe(500));
  EXPECT_EQ(tuner.want(), Want::nothing);
  const Verdict verdict = tuner.verdict();
  expect_default(verdict, "only_default");
  EXPECT_EQ(verdict.time_ns, 100);
  EXPECT_EQ(verdict.rounds, 0);
  EXPECT_EQ(verdict.level, 0);
  EXPECT_EQ(verdict.error_over_bound, probe(100).error_over_bound);
}

TEST(ProblemTuner, AFailedDefaultCrownsNobody) {
  for (const Outcome outcome : {Outcome::correctness, Outcome::compile, Outcome::timeout}) {
    ProblemTuner tuner(3, 1, rules());
    tuner.report(0, {outcome, 0, 0, "why"});
    EXPECT_EQ(tuner.to_prepare(), (std::vector<int>{1, 2})) << "wrong kernels are to be counted";
    tuner.report(1, probe(100));
    tuner.report(2, probe(50));
    EXPECT_EQ(tuner.want(), Want::nothing);
    expect_default(tuner.verdict(), "default_failed");
    EXPECT_EQ(tuner.verdict().time_ns, 0);
    EXPECT_TRUE(std::isnan(tuner.log_ratios()[0]));
  }
}

TEST(ProblemTuner, AnArmThatCrashesInARaceLosesItsPlaceNotTheRace) {
  const std::vector<double> ns = {100, 50, 80};
  ProblemTuner tuner(3, 1, rules());
  Machine machine(ns, 1, kQuiet);
  prepare(tuner, {100, 100, 90});  // 2 is the race's arm 1
  for (int i = 0; i < 2; ++i) tuner.report(machine.run(tuner.next()));
  tuner.report(crash(1, Outcome::timeout));
  while (step(tuner, machine, ns)) {
  }
  EXPECT_EQ(tuner.verdict().choice, 2);
  EXPECT_EQ(tuner.prepared()[1].outcome, Outcome::timeout);
  EXPECT_FALSE(tuner.prepared()[1].detail.empty());
  EXPECT_TRUE(std::isnan(tuner.log_ratios()[1]));
  EXPECT_THROW(ProblemTuner(0, 1, rules()), std::invalid_argument);
}

// Runs until the first round of the final.
void run_heats(ProblemTuner& tuner, Machine& machine, const std::vector<double>& ns) {
  while (tuner.want() != Want::final_round) ASSERT_TRUE(step(tuner, machine, ns));
}

TEST(ProblemTuner, ACrashInTheFinalFallsBackToTheDefault) {
  const std::vector<double> ns = {100, 80};
  ProblemTuner tuner(2, 1, rules());
  Machine machine(ns, 1, kQuiet);
  run_heats(tuner, machine, ns);
  for (int i = 0; i < 9; ++i) tuner.report(machine.run(tuner.next()));  // its lead is clear by now
  EXPECT_THROW(tuner.report(crash(5)), std::invalid_argument);
  tuner.report(crash(1));
  expect_default(tuner.verdict(), "no_significant_gain");
  EXPECT_EQ(tuner.prepared()[1].outcome, Outcome::runtime);
  EXPECT_GT(tuner.verdict().rounds, 0);
}

TEST(ProblemTuner, AGainThatTheFinalDoesNotSeeIsNoGain) {
  const std::vector<double> ns = {100, 80};
  for (const double in_final : {99.0, 100.0, 130.0}) {
    ProblemTuner tuner(2, 1, rules());
    Machine machine(ns, 1, kQuiet);
    run_heats(tuner, machine, ns);
    Machine other({100, in_final}, 1, kQuiet);
    while (step(tuner, other, ns)) {
    }
    expect_default(tuner.verdict(), "no_significant_gain");
    EXPECT_EQ(tuner.verdict().rounds, 10) << "rounds of the final";
  }
}

// As in processes where the buffers came to lie otherwise.
TEST(ProblemTuner, EveryFinalMustBeWonAndTheLeastGainIsWritten) {
  const std::vector<double> ns = {100'000, 80'000};
  TunerRules three = rules();
  three.finals = 3;
  const auto tune_in = [&](const std::vector<double>& choice_in_final) {
    ProblemTuner tuner(2, 1, three);
    Machine machine(ns, 1, kQuiet);
    run_heats(tuner, machine, ns);
    for (std::size_t i = 0; tuner.want() != Want::nothing; ++i) {
      EXPECT_EQ(tuner.finals_won(), static_cast<int>(i));
      Machine process({100'000, choice_in_final.at(i)}, 1, kQuiet);
      while (tuner.want() == Want::final_round && tuner.finals_won() == static_cast<int>(i)) {
        tuner.report(process.run(tuner.next()));
      }
    }
    return tuner.verdict();
  };
  const Verdict won = tune_in({80'000, 90'000, 70'000});
  EXPECT_EQ(won.choice, 1);
  EXPECT_EQ(won.reason, "measured");
  EXPECT_NEAR(won.speedup, 100.0 / 90, 0.01);
  EXPECT_NEAR(won.time_ns, 90'000, 1000);
  EXPECT_GT(won.speedup_low, 1.02);
  EXPECT_LT(won.speedup_high, 1.2);
  for (const auto& lost :
       {std::vector<double>{101'000}, {80'000, 99'000}, {80'000, 70'000, 120'000}}) {
    expect_default(tune_in(lost), "no_significant_gain");
  }
}

TEST(ProblemTuner, TheMedianGainIsNotEnough) {
  const std::vector<double> ns = {100, 80};
  ProblemTuner tuner(2, 1, rules());
  Machine machine(ns, 1, kQuiet);
  run_heats(tuner, machine, ns);
  Machine slow({100, 100}, 1, kQuiet);
  for (int i = 0; tuner.want() != Want::nothing; ++i) {
    tuner.report((i % 5 < 3 ? machine : slow).run(tuner.next()));
  }
  expect_default(tuner.verdict(), "no_significant_gain");
  EXPECT_EQ(tuner.verdict().rounds, 80);
}

TEST(ProblemTuner, TheFinalHasAnOrderOfItsOwn) {
  const std::vector<double> ns = {100, 80};
  ProblemTuner tuner(2, 1, rules());
  Machine machine(ns, 1, kQuiet);
  prepare(tuner, ns);
  const Round heat = tuner.next();
  run_heats(tuner, machine, ns);
  EXPECT_EQ(tuner.next().index, heat.index);
  EXPECT_NE(tuner.next().order, heat.order);
}

// More winners than a race holds: the best of them go on.
TEST(ProblemTuner, TheDecidingHeatIsFullAtTwelve) {
  std::vector<double> ns(40, 80);
  ns[0] = 100;
  ns[17] = 75;
  ProblemTuner tuner(40, 1, rules());
  Machine machine(ns, 1, kQuiet);
  prepare(tuner, std::vector<double>(40, 100));
  std::vector<std::size_t> arms_of_races;
  while (tuner.want() == Want::round) {
    const Round round = tuner.next();
    const std::set<int> arms(round.order.begin(), round.order.end());
    if (round.index == 0) arms_of_races.push_back(arms.size() - 1);  // without the canary
    tuner.report(machine.run(round));
  }
  EXPECT_EQ(arms_of_races, (std::vector<std::size_t>{12, 12, 12, 7, 12}));
  while (step(tuner, machine, ns)) {
  }
  EXPECT_EQ(tuner.verdict().choice, 17);
}

TEST(ProblemTuner, StoppedAfterACrashInTheDecidingHeat) {
  std::vector<double> ns(20, 100);
  ns[15] = 75;
  ns[4] = 70;
  ProblemTuner tuner(20, 1, rules());
  Machine machine(ns, 1, kQuiet);
  prepare(tuner, std::vector<double>(20, 100));
  const auto deciding = [&] {
    const std::vector<int> order = tuner.next().order;
    return std::count(order.begin(), order.end(), 4) > 0 &&
           std::count(order.begin(), order.end(), 15) > 0;
  };
  while (!deciding()) tuner.report(machine.run(tuner.next()));
  tuner.report(machine.run(tuner.next()));
  tuner.report(crash(4));
  tuner.stop();
  EXPECT_TRUE(std::isnan(tuner.log_ratios()[4]));
  while (step(tuner, machine, ns)) {
  }
  EXPECT_EQ(tuner.verdict().choice, 15);
}

TEST(ProblemTuner, AnchorLostInHeatOrFinal) {
  const std::vector<double> ns = {100, 80};
  for (const bool in_final : {false, true}) {
    ProblemTuner tuner(2, 1, rules());
    Machine machine(ns, 1, kQuiet);
    prepare(tuner, ns);
    if (in_final) run_heats(tuner, machine, ns);
    tuner.report(crash(0));
    EXPECT_EQ(tuner.want(), Want::nothing);
    expect_default(tuner.verdict(), "default_failed");
    EXPECT_EQ(tuner.prepared()[0].outcome, Outcome::runtime);
  }
}

TEST(ProblemTuner, EnvironmentInHeatOrFinal) {
  const std::vector<double> ns = {100, 80};
  for (const bool in_final : {false, true}) {
    ProblemTuner tuner(2, 1, rules());
    Machine machine(ns, 1, kQuiet);
    prepare(tuner, ns);
    if (in_final) run_heats(tuner, machine, ns);
    for (int i = 0; i < VoidRounds::kFewest; ++i) {
      RoundReply reply = machine.run(tuner.next());
      reply.stolen = true;
      tuner.report(reply);
    }
    expect_default(tuner.verdict(), "environment");
    EXPECT_GT(tuner.verdict().time_ns, 0);
  }
}

TEST(ProblemTuner, StoppedAtAnyMomentItEndsWithWhatItKnows) {
  std::vector<double> ns(20, 100);
  ns[15] = 70;
  ns[4] = 75;
  ProblemTuner whole(20, 1, rules());
  Machine machine(ns, 1, kQuiet);
  int steps = 0;
  while (step(whole, machine, std::vector<double>(20, 100))) ++steps;
  ASSERT_EQ(whole.verdict().choice, 15);

  std::set<std::string> reasons;
  for (int moment = 0; moment <= steps; ++moment) {
    for (const bool twice : {false, true}) {
      ProblemTuner tuner(20, 1, rules());
      Machine same(ns, 1, kQuiet);
      for (int i = 0; i < moment; ++i) step(tuner, same, std::vector<double>(20, 100));
      const bool in_final = tuner.want() == Want::final_round;
      const bool was_done = tuner.want() == Want::nothing;
      bool deciding = false;
      if (tuner.want() == Want::round) {
        const std::vector<int> order = tuner.next().order;
        deciding = std::count(order.begin(), order.end(), 4) > 0 &&
                   std::count(order.begin(), order.end(), 15) > 0;
      }
      const int prepared = 20 - static_cast<int>(tuner.to_prepare().size());
      tuner.stop();
      if (prepared < 20) {
        EXPECT_EQ(tuner.want(), Want::nothing);
        EXPECT_EQ(tuner.prepared()[19].outcome, Outcome::skipped);
        EXPECT_FALSE(tuner.prepared()[19].detail.empty());
      }
      if (in_final) {
        EXPECT_EQ(tuner.want(), Want::final_round);
      }
      EXPECT_NE(tuner.want(), Want::round);
      if (twice) {
        tuner.stop();
        EXPECT_EQ(tuner.want(), Want::nothing);
      }
      int more = 0;
      while (step(tuner, same, ns)) ++more;
      EXPECT_LE(more, 20);
      const Verdict verdict = tuner.verdict();
      reasons.insert(verdict.reason);
      if (deciding && !twice) {
        EXPECT_NE(verdict.choice, 0) << "the heats had found better already";
      }
      if (verdict.choice == 0) {
        expect_default(verdict, "stopped");
        EXPECT_EQ(verdict.time_ns > 0, moment > 0);
      } else {
        EXPECT_EQ(verdict.reason, "measured");
        EXPECT_GT(verdict.speedup_low, 1.02);
        EXPECT_TRUE(verdict.choice == 15 || verdict.choice == 4);
      }
      EXPECT_TRUE(!was_done || verdict == whole.verdict());
      tuner.report(RoundReply{});  // a reply that was on its way
      tuner.report(0, {});
      EXPECT_EQ(tuner.verdict(), verdict);
    }
  }
  EXPECT_EQ(reasons, (std::set<std::string>{"measured", "stopped"}));
}

TEST(ProblemTuner, StoppedAfterTheDefaultFailedSaysSo) {
  ProblemTuner tuner(3, 1, rules());
  tuner.report(0, {Outcome::compile, 0, 0, "why"});
  tuner.stop();
  expect_default(tuner.verdict(), "default_failed");
}

TEST(ProblemTuner, WrongProbesDoNotDecide) {
  ProblemTuner tuner(4, 1, rules());
  const std::vector<double> ns = {100, 90, 80, 95};
  prepare(tuner, {100, kNotANumber, 0, -1});
  const Round round = tuner.next();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(std::count(round.order.begin(), round.order.end(), i), 4);
  Machine machine(ns, 1, kQuiet);
  while (step(tuner, machine, ns)) {
  }
  EXPECT_EQ(tuner.verdict().choice, 2);
  EXPECT_THROW(tuner.next(), std::logic_error);
}

// Times by part and candidate.
ProblemTuner tune_parts(const std::vector<std::vector<double>>& parts) {
  const auto candidates = static_cast<int>(parts[0].size());
  ProblemTuner tuner(candidates, 1, rules(), static_cast<int>(parts.size()));
  std::vector<Machine> machines;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    machines.emplace_back(parts[part], 100 + part, kQuiet);
  }
  std::vector<double> means;
  for (std::size_t i = 0; i < parts[0].size(); ++i) {
    std::vector<double> ns;
    for (const auto& part : parts) ns.push_back(part[i]);
    means.push_back(geometric_mean(ns));
  }
  while (tuner.want() != Want::nothing) {
    if (tuner.want() == Want::prepare) {
      prepare(tuner, means);
      continue;
    }
    std::vector<RoundReply> replies;
    for (Machine& machine : machines) replies.push_back(machine.run(tuner.next()));
    tuner.report(replies);
  }
  return tuner;
}

TEST(ProblemTuner, SeveralPartsGetOneChoiceAndEachItsOwnEvidence) {
  const ProblemTuner tuner = tune_parts({{10'000, 8'000, 10'000}, {40'000, 40'000, 20'000}});
  for (const int part : {0, 1}) {
    EXPECT_EQ(tuner.verdict(part).choice, 2);
    EXPECT_EQ(tuner.verdict(part).reason, "measured");
  }
  EXPECT_NEAR(tuner.verdict(0).speedup, 1, 0.01);
  EXPECT_LT(tuner.verdict(0).speedup_low, 1.02);
  EXPECT_NEAR(tuner.verdict(1).speedup, 2, 0.03);
  EXPECT_NEAR(tuner.verdict(0).default_ns, 9'700, 100);
  EXPECT_NEAR(tuner.verdict(1).default_ns, 39'700, 400);
  EXPECT_NEAR(tuner.verdict(1).time_ns, 19'700, 200);
}

TEST(ProblemTuner, NothingIsChosenThatIsSlowerOnAPart) {
  const ProblemTuner tuner = tune_parts({{10'000, 10'500}, {40'000, 20'000}});
  for (const int part : {0, 1}) expect_default(tuner.verdict(part), "no_significant_gain");
  EXPECT_NEAR(tuner.verdict(0).time_ns, 10'000, 350);
  EXPECT_NEAR(tuner.verdict(1).time_ns, 40'000, 700);
}

}  // namespace
}  // namespace loratune
