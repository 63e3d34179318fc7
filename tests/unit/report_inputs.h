// Inputs of a report that are made up: one of each kind, of one device.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "fictional.h"
#include "harness/base/device_json.h"
#include "harness/gate/report.h"
#include "harness/report/input.h"

namespace loratune::report_inputs {

inline Problem f16(std::int64_t m) { return fictional::problem(m); }

// What --bench --json writes, as far as a report reads it.
inline nlohmann::json bench() {
  const auto entry = [](std::int64_t m, const char* rival, double wall_ns) {
    return nlohmann::json{{"name", to_string(f16(m)) + "/" + rival + "/iterations:20/manual_time"},
                          {"run_type", "iteration"},
                          {"wall_ns", wall_ns},
                          {"rounds", 20.0},
                          {"gb_per_s", 50.0},
                          {"gflop_per_s", 20.0},
                          {"share_of_copy", 0.25},
                          {"label", "what runs"}};
  };
  nlohmann::json failed = entry(1, "clblast", 1);
  failed["error_occurred"] = true;
  nlohmann::json aggregate = entry(1, "tuned", 5);
  aggregate["run_type"] = "aggregate";
  return {{"context",
           {{"date", "2026-11-22T16:34:46+00:00"},
            {"device", "Fictional Platform: Fictional F100"},
            {"driver", "1.0"},
            {"launch_floor_ns", "3761.05"},
            {"copy_gb_per_s", "200"},
            {"cache_gb_per_s", "400.5"},
            {"peak_gflop_per_s", "1000"}}},
          {"benchmarks",
           {entry(1, "tuned", 9000), entry(1, "split", 18000), entry(16, "tuned", 12000.123456789),
            entry(16, "tuned", 1), failed, aggregate}}};
}

// Two parameters of one variant on one problem; the best is ROWS=2 COLUMNS=8.
inline Recording recording() {
  Recording recording;
  recording.device = fictional::device();
  recording.kernels = {{"square", {{"revision", 1}, {"sha256", "00"}}}};
  recording.variants = {{"square", {"ROWS", "COLUMNS"}}, {"never", {"A"}}};
  RecordedProblem one;
  one.problem = f16(16);
  one.configs = {{0, {1, 4}, Outcome::correct, {3100, 3000, 3000}},
                 {0, {2, 4}, Outcome::correct, {2600, 2500, 2400, 2600}},
                 {0, {2, 8}, Outcome::correct, {2100, 2000, 2000}},
                 {0, {1, 8}, Outcome::slow, {7000}},
                 {0, {4, 8}, Outcome::compile, {}},
                 {0, {4, 4}, Outcome::correct, {9000, 9000}},
                 {1, {1}, Outcome::compile, {}}};
  recording.problems = {one};
  return recording;
}

// Of a build that has other kernels, so that only the progress of its search can be read.
inline std::string journal() {
  const auto prepare = [](int candidate, double t, const char* outcome, double probe_ns) {
    return frame_line({{"ask", "prepare " + to_string(f16(1)) + " " + std::to_string(candidate)},
                       {"t", t},
                       {"reply", {{"outcome", outcome}, {"probe_ns", probe_ns}}}});
  };
  const nlohmann::json header = {
      {"schema", "loratune/journal"},
      {"version", 1},
      {"tool", {{"name", "lora-bench"}, {"version", "0.0.9"}, {"commit", "abc"}}},
      {"device", to_json(fictional::device())},
      {"problems", {to_string(f16(1))}},
      {"variants", {"imaginary"}},
      {"kernels", {{"imaginary", {{"sha256", "00"}, {"revision", 1}}}}}};
  return frame_line(header) + prepare(0, 2.0, "correct", 10000) +
         frame_line({{"ask", "build x"}, {"t", 2.5}, {"reply", nullptr}}) +
         prepare(1, 3.0, "compile", 1) + prepare(2, 4.0, "correct", 8000) +
         prepare(3, 5.0, "correct", 9000) + prepare(4, 6.5, "timeout", 0);
}

inline TrialRecord trial(double ratio, const GateRules& rules, bool sentinel) {
  TrialRecord record;
  record.seed = 7;
  record.runs = 8;
  PairedTrial running(record.seed, rules, sentinel);
  while (const auto round = running.next()) {
    RoundReply reply;
    for (const int arm : round->order) {
      const double base = 100000 + round->index;
      reply.ns.push_back(arm == kCandidateArm ? base * ratio : base);
    }
    running.report(reply);
    record.replies.push_back(reply);
  }
  return record;
}

inline GateResult gate() {
  GateResult result;
  result.tool = result.base_tool = result.candidate_tool = {"lora-bench", "0.1.0", "abc"};
  result.device = fictional::device();
  result.base_path = "base.json";
  const auto timed = [&](const std::string& name, const std::vector<double>& ratios,
                         bool sentinel) {
    GateCase one;
    one.name = name;
    one.base.outcome = one.candidate.outcome = Outcome::correct;
    for (const double ratio : ratios) one.trials.push_back(trial(ratio, result.rules, sentinel));
    return one;
  };
  result.sentinels = {timed("sentinel/small/before", {1.0}, true)};
  result.cases = {timed("pick/" + to_string(f16(1)), {1.1, 1.1}, false),
                  timed("split/" + to_string(f16(16)), {1.0}, false),
                  timed("split/" + to_string(f16(17)), {}, false)};
  result.cases[2].equal = true;
  result.cases[2].base.outcome = result.cases[2].candidate.outcome = Outcome::skipped;
  return result;
}

}  // namespace loratune::report_inputs
