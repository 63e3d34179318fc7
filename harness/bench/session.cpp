#include "harness/bench/session.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "harness/base/clock.h"
#include "loratune/dispatch/default_choice.h"

namespace loratune {
namespace {

constexpr int kMostArms = 12;
constexpr int kFewestRounds = 7;    // enough for an interval
constexpr int kMostAttempts = 3;    // rounds tried, void ones included, a round wanted
constexpr int kRoundsToSeeFar = 3;  // after which an arm that is far behind is let go
constexpr double kFarBehind = 8;
constexpr double kCanaryLimit = 2;
constexpr double kRepeatedWork = 20;  // multiples of the useful operations ...
constexpr double kMuchWork = 1e9;     // ... that are too many beyond this number

// A rival that fails is a result; only the session's own failure ends the run.
template <class F>
void guarded(BenchArm& arm, F&& work) {
  try {
    work();
  } catch (const cl::Error& error) {
    arm.outcome = Outcome::runtime;
    arm.detail = describe(error);
  } catch (const std::exception& error) {
    arm.outcome = Outcome::runtime;
    arm.detail = error.what();
  }
}

void check(BenchArm& arm, double& error) {
  if (!arm.check) return;
  guarded(arm, [&] {
    const CheckResult checked = arm.check();
    arm.outcome = checked.outcome;
    arm.detail = checked.detail;
    error = checked.error_over_bound;
  });
}

}  // namespace

std::optional<MedianInterval> ProblemResult::log_ratio(const std::string& rival,
                                                       const std::string& other) const {
  const auto timed = [&](const std::string& name) {
    const auto found = rivals.find(name);
    return found != rivals.end() && found->second.outcome == Outcome::correct;
  };
  if (!timed(rival) || !timed(other)) return std::nullopt;
  const MedianInterval interval = samples.log_ratio(arm.at(rival), arm.at(other));
  if (interval.count == 0) return std::nullopt;
  return interval;
}

BenchSession::BenchSession(const Device& device, BenchOptions options, const Dispatcher* tuned)
    : options_(std::move(options)), tuned_(tuned), engine_(device), probes_(engine_) {
  ceilings_ = measure_ceilings(engine_, probes_);
}

std::vector<BenchSession::Entry> BenchSession::entries(const Problem& problem) const {
  const DeviceInfo& device = engine_.info();
  std::vector<Entry> all;
  if (tuned_ != nullptr) all.push_back({"tuned", tuned_->pick(problem, options_.mode)});
  all.push_back({"default", default_choice(problem, device, options_.mode)});
  std::vector<const Variant*> listed = options_.variants;
  const Variant* general = general_variant(problem, device);
  if (std::find(listed.begin(), listed.end(), general) == listed.end()) listed.push_back(general);
  for (const Variant* variant : listed) {
    if (variant == nullptr || !variant->supports(problem, device)) continue;
    Choice choice;
    choice.variant = variant;
    choice.config = variant->default_config(problem, device);
    const double flops = variant->flops(problem, choice.config);
    if (flops > kMuchWork && flops > kRepeatedWork * useful_flops(problem)) continue;
    all.push_back({std::string(variant->name), choice});
  }
  all.push_back({"launch", std::nullopt});
  if (problem.m > 0) {
    all.push_back({"openblas", std::nullopt});
    if (have_clblast()) all.push_back({"clblast", std::nullopt});
  }
  if (all.size() > kMostArms) {
    throw std::invalid_argument("--variants: too many to be timed in one round");
  }
  return all;
}

std::vector<std::string> BenchSession::rivals(const Problem& problem) const {
  std::vector<std::string> names;
  for (const Entry& entry : entries(problem)) names.push_back(entry.name);
  return names;
}

const ProblemResult& BenchSession::result(const Problem& problem, double share_s) {
  const auto [found, fresh] = results_.try_emplace(to_string(problem));
  if (fresh) measure(problem, share_s, found->second);
  return found->second;
}

void BenchSession::measure(const Problem& problem, double share_s, ProblemResult& result) {
  Case operands;
  operands.problem = problem;
  operands.seed = options_.seed;
  Checker checker(engine_, operands);
  WeightRing ring(engine_, checker, options_.cache);
  const std::int64_t cache =
      options_.cache == Cache::rotate ? last_level_cache_bytes(engine_.device()) : 0;
  std::vector<BenchArm> arms;
  std::vector<LaunchPlan> plans;  // of the first arms
  const std::vector<Entry> wanted = entries(problem);
  for (const Entry& entry : wanted) {
    RivalResult& rival = result.rivals[entry.name];
    if (entry.choice) {
      const Choice& choice = *entry.choice;
      LaunchPlan plan = choice.variant->plan(problem, choice.config, engine_.info());
      rival.label =
          std::string(choice.variant->name) + " " + to_string(choice.variant->space, choice.config);
      const auto same = std::find(plans.begin(), plans.end(), plan);
      result.arm[entry.name] = static_cast<int>(same - plans.begin());
      if (same != plans.end()) continue;
      arms.push_back(plan_arm(engine_, checker, ring, plan));
      plans.push_back(std::move(plan));
    } else {
      result.arm[entry.name] = static_cast<int>(arms.size());
      arms.emplace_back();
      guarded(arms.back(), [&] {
        arms.back() = entry.name == "launch"     ? launch_arm(probes_)
                      : entry.name == "openblas" ? openblas_arm(checker, cache)
                                                 : clblast_arm(engine_, checker, cache);
      });
      rival.label = arms.back().label;
    }
  }
  std::vector<double> errors(arms.size());
  for (std::size_t i = 0; i < arms.size(); ++i) {
    if (arms[i].outcome != Outcome::correct) continue;
    check(arms[i], errors[i]);
    if (arms[i].outcome != Outcome::correct) continue;
    guarded(arms[i], [&] { arms[i].timed.probe_ns = time_run_ns(arms[i].timed); });
  }
  run_rounds(problem, arms, share_s, result);
  for (std::size_t i = 0; i < arms.size(); ++i) {  // after the timing, once more
    if (arms[i].outcome == Outcome::correct) check(arms[i], errors[i]);
  }
  for (auto& [name, rival] : result.rivals) {
    const int number = result.arm.at(name);
    const auto i = static_cast<std::size_t>(number);
    rival.error_over_bound = std::isfinite(errors[i]) ? errors[i] : 0;
    finish(problem, arms[i], number, rival, result.samples);
  }
}

void BenchSession::run_rounds(const Problem& problem, std::vector<BenchArm>& arms, double share_s,
                              ProblemResult& result) {
  result.samples = PairedSamples(static_cast<int>(arms.size()));
  std::vector<int> running;
  std::vector<double> block_ns;
  for (std::size_t i = 0; i < arms.size(); ++i) {
    if (arms[i].outcome != Outcome::correct) continue;
    running.push_back(static_cast<int>(i));
    const double probe = arms[i].timed.probe_ns;
    block_ns.push_back(probe * block_runs(probe));
  }
  const RoundShape shape = shape_rounds(block_ns, share_s * 1e9, options_.rounds);
  const std::uint64_t seed = mix_seed(options_.seed, std::hash<std::string>{}(to_string(problem)));
  CanaryWatch watch(kCanaryLimit);
  const double begin = seconds_now();
  int valid = 0;
  for (int tried = 0; valid < options_.rounds && tried < kMostAttempts * options_.rounds; ++tried) {
    const double elapsed = seconds_now() - begin;
    const bool late = elapsed > share_s && (valid >= kFewestRounds || elapsed > 3 * share_s + 1);
    if (running.empty() || (late && valid > 0)) break;
    Round round = shuffled_round(seed, tried, running, shape.sub_blocks);
    round.doubled = shape.doubled;
    int at = kCanary;
    RoundReply reply;
    try {
      reply = time_round(
          round, [&](int id) -> TimedArm& { return arms[static_cast<std::size_t>(id)].timed; },
          probes_, at);
    } catch (const cl::Error& error) {
      if (at == kCanary) throw;
      arms[static_cast<std::size_t>(at)].outcome = Outcome::runtime;
      arms[static_cast<std::size_t>(at)].detail = describe(error);
      std::erase(running, at);
      continue;
    }
    if (!watch.undisturbed(round, reply)) {
      ++result.void_rounds;
      continue;
    }
    result.samples.add(round, reply);
    if (++valid != kRoundsToSeeFar) continue;
    double best = HUGE_VAL;
    for (const int arm : running) {
      if (arms[static_cast<std::size_t>(arm)].check) {
        best = std::min(best, result.samples.median_ns(arm));
      }
    }
    std::erase_if(running, [&](int arm) {
      return result.samples.median_ns(arm) > kFarBehind * best &&
             result.samples.median_ns(arm) > kFarBehind * ceilings_.floor_ns;
    });
  }
}

void BenchSession::finish(const Problem& problem, BenchArm& arm, int number, RivalResult& rival,
                          const PairedSamples& samples) {
  rival.outcome = arm.outcome;
  rival.detail = arm.detail;
  rival.launches = arm.launches;
  if (arm.outcome != Outcome::correct) return;
  rival.times_ns = samples.times_ns(number);
  if (rival.times_ns.empty()) {
    rival.outcome = Outcome::skipped;
    rival.detail = "every round was disturbed by other load on this machine";
    return;
  }
  rival.wall_ns = samples.median_ns(number);
  rival.slope_ns = samples.slope_ns(number);
  if (!arm.check) return;
  const bool known = arm.on_device || engine_.info().type == DeviceType::cpu;
  rival.throughput = throughput(problem, rival.wall_ns, known ? ceilings_ : Ceilings{});
  if (!rival.throughput.refused.empty() && rival.wall_ns > 0 && asks_left_ > 0) {
    --asks_left_;
    ceilings_ = highest(ceilings_, measure_ceilings(engine_, probes_));
    rival.throughput = throughput(problem, rival.wall_ns, ceilings_);
  }
  if (!rival.throughput.refused.empty()) {
    rival.outcome = Outcome::skipped;
    rival.detail = rival.throughput.refused;
    return;
  }
  if (!arm.read_events) return;
  guarded(arm, [&] {
    const EventReading reading = arm.read_events();
    rival.event_ns = reading.fault.empty() ? reading.ns : 0;
    rival.event_fault = reading.fault;
  });
}

}  // namespace loratune
