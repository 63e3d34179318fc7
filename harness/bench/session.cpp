#include "harness/bench/session.h"

#include <algorithm>

#include "harness/base/interrupt.h"
#include "harness/base/problem_size.h"
#include "harness/bench/bench_service.h"
#include "harness/bench/rivals.h"
#include "loratune/dispatch/default_choice.h"

namespace loratune {
namespace {

using nlohmann::json;

// What the longest step, some runs of one arm, takes on the slowest of devices.
double step_s(const Problem& problem) {
  constexpr double kRuns = 20;
  constexpr double kSlowest = 1e8;  // flop/s
  return kRuns * useful_flops(problem) / kSlowest;
}

ArmsReport failed_report(Outcome outcome, const std::string& detail) {
  ArmsReport report;
  report.outcome = outcome;
  report.detail = detail;
  return report;
}

}  // namespace

BenchSession::BenchSession(const std::string& selector, DeviceInfo device, BenchOptions options,
                           const Dispatcher* tuned, std::string executable)
    : device_(std::move(device)),
      options_(std::move(options)),
      tuned_(tuned),
      service_(std::move(executable),
               {{"do", "open"}, {"service", kBenchService}, {"device", selector}},
               kServiceOpenSeconds + options_.patience_s) {
  service_.interrupt_when(interrupted);
  service_.make_ready();
  ceilings_ = ceilings_from_json(service_.opened().at("ceilings"));
}

std::vector<std::string> BenchSession::rivals(const Problem& problem) const {
  std::vector<std::string> names;
  for (const Rival& rival : list_rivals(problem, device_, options_, tuned_)) {
    names.push_back(rival.name);
  }
  return names;
}

const ProblemResult& BenchSession::result(const Problem& problem, double share_s) {
  const std::string key = to_string(problem);
  const auto found = results_.find(key);
  if (found != results_.end()) return found->second;
  return results_.emplace(key, measure(problem, share_s)).first->second;
}

ProblemResult BenchSession::all_rivals(const Problem& problem, Outcome outcome,
                                       const std::string& why) const {
  ProblemResult result;
  result.fault = why;
  for (const std::string& name : rivals(problem)) {
    result.rivals[name].outcome = outcome;
    result.rivals[name].detail = why;
  }
  return result;
}

ProblemResult BenchSession::measure(const Problem& problem, double share_s) {
  if (problem.m == 0) return all_rivals(problem, Outcome::skipped, kNoRows);
  const std::string too_large = too_large_reason(problem, device_, memory_bytes());
  if (!too_large.empty()) return all_rivals(problem, Outcome::skipped, too_large);
  Lineup lineup = make_lineup(problem, device_, list_rivals(problem, device_, options_, tuned_));
  ArmsOrder order{problem,        std::move(lineup.arms), options_.seed,
                  options_.cache, options_.rounds,        share_s};
  const ArmsReport report = measure_arms(order);
  if (report.outcome != Outcome::correct) return all_rivals(problem, report.outcome, report.detail);
  ceilings_ = highest(ceilings_, report.ceilings);
  ProblemResult result;
  result.arm = std::move(lineup.arm_of_rival);
  result.void_rounds = report.void_rounds;
  result.samples = PairedSamples(static_cast<int>(order.arms.size()));
  for (const TimedRound& timed : report.rounds) result.samples.add(timed.round, timed.reply);
  if (const Variant* general = general_variant(problem, device_)) result.general = general->name;
  for (const auto& [name, number] : result.arm) {
    RivalResult& rival = result.rivals[name];
    rival = report.arms[static_cast<std::size_t>(number)];
    rival.times_ns = result.samples.times_ns(number);
    if (lineup.labels.contains(name)) rival.label = lineup.labels[name];
  }
  return result;
}

// Without an arm to blame, the loss of the process is the problem's failure.
ArmsReport BenchSession::measure_arms(ArmsOrder& order) {
  for (;;) {
    const Exchange exchange = service_.ask({{"do", "measure"}, {"order", to_json(order)}},
                                           options_.patience_s + step_s(order.problem));
    if (exchange.status == Exchange::Status::ok) {
      try {
        ArmsReport report = arms_report_from_json(exchange.reply, order.arms.size());
        // A context that has failed once is not to be trusted with the next problem.
        const auto failed = [](const RivalResult& arm) { return arm.outcome == Outcome::runtime; };
        if (std::ranges::any_of(report.arms, failed)) service_.process().end();
        return report;
      } catch (const std::exception& error) {
        service_.process().end();
        return failed_report(Outcome::runtime, exchange.reply.value("fatal", error.what()));
      }
    }
    const Outcome outcome = outcome_of_loss(exchange.status);
    const int at = service_.process().shared().current_arm;
    const bool known = at >= 0 && at < static_cast<int>(order.arms.size());
    ArmSpec* arm = known ? &order.arms[static_cast<std::size_t>(at)] : nullptr;
    if (exchange.status == Exchange::Status::idle || !known || arm->outcome != Outcome::correct) {
      return failed_report(outcome, exchange.detail);
    }
    arm->outcome = outcome;
    arm->detail = exchange.detail;
  }
}

}  // namespace loratune
