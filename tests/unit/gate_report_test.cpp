// Verdicts and exit codes out of results that are made up, and the report's three shapes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "harness/base/failure.h"
#include "harness/gate/report.h"
#include "made_up_gates.h"

namespace loratune {
namespace {

Prepared outcome(Outcome value, const std::string& detail = "") {
  Prepared prepared;
  prepared.outcome = value;
  prepared.detail = detail;
  return prepared;
}

GateResult result_of(std::vector<GateCase> cases) {
  GateResult result;
  result.tool = result.base_tool = result.candidate_tool = {"lora-bench", "0.1.0", "abc"};
  result.device.platform = "Fictional";
  result.device.name = "Device";
  result.base_path = "base.json";
  result.sentinels = {timed_case("sentinel/small/before", {1.0}, {}, true)};
  result.cases = std::move(cases);
  return result;
}

GateCase missing(const std::string& name) {
  GateCase one;
  one.name = name;
  one.in_candidate = false;
  return one;
}

GateCase with(GateCase one, Outcome base, Outcome candidate) {
  one.base = outcome(base, "why | <b>");
  one.candidate = outcome(candidate, "why | <b>");
  return one;
}

const GateCase kGood = timed_case("split/a", {1.0});
const GateCase kRed = timed_case("split/red", {1.1, 1.1});
const GateCase kWrong = with(timed_case("split/w", {}), Outcome::correct, Outcome::correctness);
const GateCase kFault = with(timed_case("split/f", {}), Outcome::correct, Outcome::timeout);

TEST(GateReport, ExitCodesWorstFirst) {
  const auto exit_of = [](std::vector<GateCase> cases) {
    return judge(result_of(std::move(cases))).exit;
  };
  EXPECT_EQ(exit_of({kGood}), kExitGood);
  EXPECT_EQ(exit_of({kGood, kRed}), kExitRegression);
  EXPECT_EQ(exit_of({kRed, missing("split/m")}), kExitMissingCase);
  EXPECT_EQ(exit_of({kRed, missing("split/m"), kWrong}), kExitWrongResult);
  EXPECT_EQ(exit_of({kRed, missing("split/m"), kWrong, kFault}), kExitDeviceFault);
  EXPECT_EQ(exit_of({timed_case("split/flaky", {1.1, 1.0})}), kExitGood);
  EXPECT_EQ(exit_of({timed_case("split/cut", {1.1})}), kExitInconclusive) << "not confirmed";
  EXPECT_EQ(exit_of({timed_case("split/fast", {0.9})}), kExitGood);
}

TEST(GateReport, InconclusiveFailsOnlyWhenStrict) {
  GateCase wide = timed_case("split/wide", {});
  TrialRecord record;
  record.seed = 1;
  PairedTrial trial(1, {});
  while (const auto round = trial.next()) {
    RoundReply reply;
    for (const int arm : round->order) {
      const double noise = arm == kCandidateArm && round->index % 2 == 0 ? 1.5 : 1.0;
      reply.ns.push_back((100000 + round->index) * noise);
    }
    trial.report(reply);
    record.replies.push_back(reply);
  }
  wide.trials = {record};
  GateResult result = result_of({wide});
  EXPECT_EQ(judge(result).exit, kExitGood);
  EXPECT_EQ(judge(result).rows[0].verdict, CaseVerdict::inconclusive);
  EXPECT_GT(judge(result).rows[0].detectable, 0.4);
  result.strict = true;
  EXPECT_EQ(judge(result).exit, kExitInconclusive);
}

TEST(GateReport, ADisturbedSentinelTakesTheVerdictOnTimesButNoOther) {
  GateResult result = result_of({kRed, kGood, timed_case("split/fast", {0.9})});
  result.sentinels.push_back(timed_case("sentinel/memory/after", {1.05}, {}, true));
  const GateReport report = judge(result);
  EXPECT_EQ(report.exit, kExitInconclusive);
  EXPECT_EQ(report.verdict, "ENVIRONMENT");
  for (const GateRow& row : report.rows) EXPECT_EQ(row.verdict, CaseVerdict::environment);
  result.cases.push_back(kWrong);
  EXPECT_EQ(judge(result).exit, kExitWrongResult);
  // Real cases never vote: all of them slower is a regression.
  EXPECT_EQ(judge(result_of({kRed, kRed, kRed})).exit, kExitRegression);
}

// Two equal kernels, of which every second round has one off by so much, up and down: no bias, but
// no narrow interval.
GateCase wide_sentinel(double off) {
  GateCase wide = timed_case("sentinel/memory/after", {}, {}, true);
  TrialRecord record;
  record.seed = 5;
  record.runs = 8;
  PairedTrial trial(5, {}, true);
  while (const auto round = trial.next()) {
    RoundReply reply;
    const double ratio = round->index % 2 == 0 ? off : 1 / off;
    for (const int arm : round->order) {
      reply.ns.push_back((100000 + round->index) * (arm == kCandidateArm ? ratio : 1.0));
    }
    trial.report(reply);
    record.replies.push_back(reply);
  }
  EXPECT_EQ(to_string(trial.end()), to_string(TrialEnd::inconclusive));
  wide.trials = {record};
  return wide;
}

TEST(GateReport, AWideSentinelIsNoEnvironmentButOnlyWhatIsBeyondItStands) {
  const auto row_of = [](const GateCase& one, double off) {
    GateResult result = result_of({one});
    result.sentinels.push_back(wide_sentinel(off));
    const GateReport report = judge(result);
    EXPECT_EQ(report.sentinels.back().verdict, CaseVerdict::inconclusive);
    EXPECT_EQ(report.exit,
              report.rows[0].verdict == CaseVerdict::regressed ? kExitRegression : kExitGood);
    result.strict = true;
    const bool undecided = report.rows[0].verdict == CaseVerdict::inconclusive;
    EXPECT_EQ(judge(result).exit == kExitInconclusive, undecided);
    EXPECT_EQ(to_junit(result, judge(result)).find("<error") != std::string::npos, undecided);
    return report.rows[0];
  };
  EXPECT_EQ(row_of(timed_case("split/slow", {1.10, 1.10}), 1.03).verdict, CaseVerdict::regressed);
  EXPECT_EQ(row_of(timed_case("split/fast", {0.9}), 1.03).verdict, CaseVerdict::improved);
  EXPECT_EQ(row_of(timed_case("split/slower", {1.025, 1.025}), 1.03).verdict,
            CaseVerdict::inconclusive);
  EXPECT_EQ(row_of(timed_case("split/faster", {0.975}), 1.03).verdict, CaseVerdict::inconclusive);
  // 5 % more would be seen beside 3 %, not beside 6 %.
  EXPECT_EQ(row_of(kGood, 1.03).verdict, CaseVerdict::pass);
  const GateRow blind = row_of(kGood, 1.06);
  EXPECT_EQ(blind.verdict, CaseVerdict::inconclusive);
  EXPECT_GT(blind.detectable, 0.06);
  EXPECT_NE(blind.note, "");
}

// The interval of a sentinel must be beyond what is allowed, not only beside 1.
TEST(GateReport, ASentinelIsBiasedOnlyWhereThatIsProven) {
  const auto state_at = [](double ratio) {
    const GateCase one = timed_case("sentinel/memory/after", {ratio}, {}, true);
    return read_sentinel(sentinel_trial(one, {}), {}).state;
  };
  EXPECT_EQ(state_at(1.0), SentinelState::equal);
  EXPECT_EQ(state_at(1.015), SentinelState::equal);
  EXPECT_EQ(state_at(1.03), SentinelState::biased);
  EXPECT_EQ(state_at(0.97), SentinelState::biased);
  EXPECT_EQ(read_sentinel(sentinel_trial(wide_sentinel(1.03), {}), {}).state, SentinelState::wide);
  EXPECT_EQ(read_sentinel(std::nullopt, {}).state, SentinelState::untimed);
}

GateCase scaled(GateCase one, double by) {
  for (TrialRecord& trial : one.trials) {
    for (RoundReply& reply : trial.replies) {
      for (double& ns : reply.ns) ns *= by;
    }
  }
  return one;
}

TEST(GateReport, WhatCannotBeTimedAgainstItsBaseIsCheckedAlone) {
  GateCase native = timed_case("native/n", {});
  native.untimed = "both sides run one code";
  const GateReport report = judge(result_of({kGood, native}));
  EXPECT_EQ(report.exit, kExitGood);
  const GateRow& row = report.rows.back();
  EXPECT_EQ(row.name, "native/n");
  EXPECT_EQ(row.verdict, CaseVerdict::skipped);
  EXPECT_EQ(row.note, native.untimed);
  native.candidate = outcome(Outcome::correctness, "wrong");
  EXPECT_EQ(judge(result_of({native})).exit, kExitWrongResult);
  const GateResult again = gate_from_json(to_json(result_of({native})));
  EXPECT_EQ(again.cases.at(0).untimed, native.untimed);
}

TEST(GateReport, ASentinelThatIsTimedAsDifferentIsConfirmed) {
  const auto sentinel = [](const std::vector<double>& ratios) {
    return timed_case("sentinel/memory/after", ratios, {}, true);
  };
  EXPECT_TRUE(stands(sentinel({1.0}), {}));
  EXPECT_TRUE(stands(wide_sentinel(1.03), {}));
  EXPECT_FALSE(stands(sentinel({1.05}), {}));
  EXPECT_FALSE(stands(sentinel({0.95}), {}));
  EXPECT_FALSE(stands(sentinel({std::nan("")}), {})) << "not timed";
  EXPECT_TRUE(stands(sentinel({1.05, 1.05}), {})) << "two are enough";
  const auto verdict_of = [&](const std::vector<double>& ratios) {
    GateResult result = result_of({kGood});
    result.sentinels.push_back(sentinel(ratios));
    return judge(result);
  };
  EXPECT_EQ(verdict_of({1.05, 1.05}).exit, kExitInconclusive);
  const GateReport cleared = verdict_of({1.05, 1.0});
  EXPECT_EQ(cleared.exit, kExitGood);
  EXPECT_NE(cleared.sentinels.back().note.find("first trial: 1.050"), std::string::npos);
}

// Cases and the sentinel that is always there take 100 us.
TEST(GateReport, ASentinelSpeaksOfCasesAboutAsLong) {
  const auto verdict_at = [](double sentinel, double one, double launch_floor_ns) {
    GateResult result = result_of({scaled(kGood, one)});
    result.launch_floor_ns = launch_floor_ns;
    result.sentinels.push_back(
        scaled(timed_case("sentinel/other/after", {1.1}, {}, true), sentinel));
    return judge(result).rows[0].verdict;
  };
  EXPECT_EQ(verdict_at(0.1, 1.0, 1000), CaseVerdict::pass) << "ten times as long";
  EXPECT_EQ(verdict_at(10, 1.0, 1000), CaseVerdict::pass) << "a tenth";
  EXPECT_EQ(verdict_at(0.4, 1.0, 1000), CaseVerdict::environment);
  EXPECT_EQ(verdict_at(2.0, 1.0, 1000), CaseVerdict::environment);
  EXPECT_EQ(verdict_at(0.1, 0.1, 1000), CaseVerdict::environment);
  EXPECT_EQ(verdict_at(10, 300, 1000), CaseVerdict::environment) << "the nearest";

  // What could not be timed speaks of every case.
  GateResult result = result_of({kGood});
  result.sentinels.push_back(timed_case("sentinel/other/after", {}, {}, true));
  EXPECT_EQ(judge(result).rows[0].verdict, CaseVerdict::environment);
}

TEST(GateReport, OfALongerCaseASentinelThatOnlyLaunchesSaysLess) {
  // 4 % of 30 us are 1.2 % of 100 us.
  const auto verdict_at = [&](double launch_floor_ns, const GateCase& one) {
    GateResult result = result_of({one});
    result.launch_floor_ns = launch_floor_ns;
    result.sentinels.push_back(scaled(timed_case("sentinel/small/after", {1.04}, {}, true), 0.3));
    return judge(result).rows[0].verdict;
  };
  EXPECT_EQ(verdict_at(10000, kGood), CaseVerdict::pass);
  EXPECT_EQ(verdict_at(10000, kRed), CaseVerdict::regressed);
  EXPECT_EQ(verdict_at(1000, kGood), CaseVerdict::environment) << "not bound by the launch";
  EXPECT_EQ(verdict_at(10000, scaled(kGood, 0.3)), CaseVerdict::environment);
}

TEST(GateReport, SidesThatDoNotRun) {
  const auto verdict_of = [](const GateCase& one) {
    return judge(result_of({one})).rows[0].verdict;
  };
  const GateCase bare = timed_case("split/x", {});
  EXPECT_EQ(verdict_of(with(bare, Outcome::constraints, Outcome::constraints)),
            CaseVerdict::skipped);
  EXPECT_EQ(verdict_of(with(bare, Outcome::correct, Outcome::constraints)), CaseVerdict::fault);
  EXPECT_EQ(verdict_of(with(bare, Outcome::correct, Outcome::compile)), CaseVerdict::fault);
  EXPECT_EQ(verdict_of(with(bare, Outcome::correctness, Outcome::correct)),
            CaseVerdict::base_unusable);
  EXPECT_EQ(verdict_of(with(bare, Outcome::correctness, Outcome::correctness)), CaseVerdict::wrong);
  GateCase added = with(bare, Outcome::skipped, Outcome::correct);
  added.in_base = false;
  EXPECT_EQ(verdict_of(added), CaseVerdict::added);
  added.candidate.outcome = Outcome::correctness;
  EXPECT_EQ(verdict_of(added), CaseVerdict::wrong);
  GateCase equal = with(bare, Outcome::skipped, Outcome::skipped);
  equal.equal = true;
  EXPECT_EQ(verdict_of(equal), CaseVerdict::unchanged);
}

TEST(GateReport, AMissingCaseMayBeAllowedByItsName) {
  GateResult result = result_of({missing("split/m")});
  EXPECT_EQ(judge(result).exit, kExitMissingCase);
  result.allow_missing = {"split/other"};
  EXPECT_EQ(judge(result).exit, kExitMissingCase);
  result.allow_missing = {"split/m"};
  EXPECT_EQ(judge(result).exit, kExitGood);
}

TEST(GateReport, OfAnInterruptedRunIs130) {
  GateResult result = result_of({kGood, kWrong});
  EXPECT_FALSE(to_json(result).contains("interrupted"));
  result.interrupted = true;
  const GateResult read = gate_from_json(to_json(result));
  EXPECT_TRUE(read.interrupted);
  EXPECT_EQ(judge(read).exit, kExitInterrupted);
  EXPECT_EQ(judge(read).verdict, "INTERRUPTED");
  EXPECT_NE(to_text(read, judge(read)).find("WRONG "), std::string::npos);
}

TEST(GateReport, AResultSurvivesJsonToTheByte) {
  GateResult result = result_of({kRed, kGood, missing("split/m"), kWrong, kFault});
  result.cases[0].trials[0].replies[2].stolen = true;
  result.cases[0].trials[0].replies[3].ns[1] = std::nan("");
  result.cases[1].trials[0].replies[1].ns[0] = 123.456;
  result.strict = true;
  const nlohmann::json first = to_json(result);
  const GateResult read = gate_from_json(nlohmann::json::parse(first.dump()));
  EXPECT_EQ(to_json(read).dump(), first.dump());
  EXPECT_EQ(to_text(read, judge(read)), to_text(result, judge(result)));
  nlohmann::json other = first;
  other["version"] = 2;
  EXPECT_THROW(gate_from_json(other), std::invalid_argument);
  other = first;
  other["rules"]["looks"] = {3};
  EXPECT_THROW(gate_from_json(other), std::invalid_argument);
  other = first;
  other["rules"]["short_looks"] = {6};  // would never end
  EXPECT_THROW(gate_from_json(other), std::invalid_argument);
  for (const char* pointer : {"/rules/sub_blocks", "/rules/looks/0", "/rules/shorten", "/seed",
                              "/cases/1/trials/0/runs", "/cases/1/trials/0/seed"}) {
    for (const nlohmann::json& number : {nlohmann::json(6.5), nlohmann::json(1e300)}) {
      other = first;
      other.at(nlohmann::json::json_pointer(pointer)) = number;
      EXPECT_THROW(gate_from_json(other), std::invalid_argument) << pointer;
    }
  }
}

TEST(GateReport, JsonHoldsWhatItCameToAndFilesWithoutItAreStillRead) {
  using nlohmann::json;
  GateCase wide = kGood;
  wide.name = "split/cut";
  wide.trials[0].replies.resize(3);
  const GateResult result = result_of({kRed, kGood, missing("split/m"), kFault, wide});
  const GateReport report = judge(result);
  const std::string text = to_json_text(result, report);
  const json value = json::parse(text);
  EXPECT_EQ(value.at("exit"), kExitDeviceFault);
  EXPECT_EQ(value.at("verdict"), "FAULT");
  EXPECT_EQ(value.at("summary"), report.summary);
  EXPECT_EQ(value.at("sentinels").at(0).at("verdict"), "PASS");
  const json& cases = value.at("cases");
  EXPECT_EQ(cases.at(0).at("verdict"), "REGRESSED");
  EXPECT_NEAR(cases.at(0).at("ratio").get<double>(), 1.1, 1e-3);
  EXPECT_LE(cases.at(0).at("ratio_interval").at(0), cases.at(0).at("ratio"));
  EXPECT_GE(cases.at(0).at("ratio_interval").at(1), cases.at(0).at("ratio"));
  EXPECT_GT(cases.at(0).at("detectable"), 0.0);
  EXPECT_GT(cases.at(0).at("rounds"), 0);
  EXPECT_GT(cases.at(0).at("base_ns"), 0.0);
  EXPECT_EQ(cases.at(1).at("verdict"), "PASS");
  EXPECT_EQ(cases.at(2).at("verdict"), "MISSING");
  EXPECT_FALSE(cases.at(2).contains("ratio")) << "nothing was timed";
  EXPECT_EQ(cases.at(3).at("verdict"), "FAULT");
  EXPECT_EQ(cases.at(3).at("note"), report.rows[0].note);
  EXPECT_TRUE(cases.at(4).at("detectable").is_null()) << "three rounds detect nothing";

  const GateResult read = gate_from_json(value);
  EXPECT_EQ(to_json_text(read, judge(read)), text);
  // A file says what was measured; what it came to is judged anew, whatever stands there or not.
  json forged = value;
  forged["exit"] = 0;
  forged["cases"][0]["verdict"] = "PASS";
  for (const json& other : {to_json(result), forged}) {
    const GateResult again = gate_from_json(other);
    EXPECT_EQ(to_json_text(again, judge(again)), text);
  }
  json older = to_json(result);
  for (const char* name : {"short_ns", "short_looks"}) older["rules"].erase(name);
  const GateResult as_before = gate_from_json(older);
  EXPECT_EQ(as_before.rules.short_ns, 0);
  EXPECT_EQ(as_before.rules.short_looks, as_before.rules.looks);
}

TEST(GateReport, TextIsPrintableWhateverAFileHolds) {
  const std::string escape = "\x1b[31m\n";
  GateCase bad = with(timed_case("split/" + escape, {}), Outcome::correct, Outcome::timeout);
  bad.candidate.detail = escape;
  GateResult result = result_of({bad});
  result.base_path = result.base_tool.commit = result.device.name = escape;
  const std::string text = to_text(result, judge(result));
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  EXPECT_NE(text.find("split/\\x1b[31m "), std::string::npos) << text;
}

TEST(GateReport, MarkdownIsShortWorstFirstAndEscaped) {
  std::vector<GateCase> cases(80, kGood);
  for (std::size_t i = 0; i < cases.size(); ++i) cases[i].name = "split/" + std::to_string(i);
  cases.push_back(kRed);
  cases.push_back(kWrong);
  cases.back().name = "split/`x`|<script>\n[a](b)";
  const GateResult result = result_of(cases);
  const std::string text = to_markdown(result, judge(result));
  EXPECT_EQ(text.rfind("## WRONG", 0), 0U);
  EXPECT_LT(text.find("| WRONG"), text.find("| REGRESSED"));
  EXPECT_LT(text.find("| REGRESSED"), text.find("| PASS"));
  const auto rows = [&] {
    int count = 0;
    for (std::size_t at = text.find("\n| "); at != std::string::npos;
         at = text.find("\n| ", at + 1))
      ++count;
    return count;
  }();
  EXPECT_EQ(rows, 52) << "50, and the table's head of two";
  EXPECT_EQ(text.find("<script>"), std::string::npos);
  EXPECT_EQ(text.find("|<"), std::string::npos);
  EXPECT_NE(text.find("\\`x\\`\\|&lt;script&gt; \\[a\\]\\(b\\)"), std::string::npos) << text;
}

TEST(GateReport, JUnitCountsAndEscapes) {
  GateResult result = result_of({kGood, kRed, kWrong, kFault, missing("split/m")});
  const std::string text = to_junit(result, judge(result));
  EXPECT_NE(text.find("tests=\"6\" failures=\"3\" errors=\"1\" skipped=\"0\""), std::string::npos)
      << text;
  EXPECT_EQ(text.find("<b>"), std::string::npos);
}

}  // namespace
}  // namespace loratune
