#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <set>

#include "dispatch/internal/printable.h"
#include "harness/base/clock.h"
#include "harness/base/device_lock.h"
#include "harness/base/failure.h"
#include "harness/base/interrupt.h"
#include "harness/base/options.h"
#include "harness/base/problem_size.h"
#include "harness/base/selection.h"
#include "harness/base/shell_word.h"
#include "harness/gate/modes.h"
#include "harness/gate/stratify.h"
#include "harness/worker/prepared_arms.h"
#include "loratune/dispatch/default_choice.h"
#include "loratune/dispatch/dispatcher.h"

namespace loratune {
namespace {

constexpr std::size_t kDozen = 12;
constexpr double kDefaultBudget = 24;  // seconds
constexpr double kBuildSeconds = 8;
constexpr double kTie = 1.02;
constexpr double kFarSlower = 4;  // by one run: a few rounds are then proof enough

enum class Finding : std::uint8_t { good, slower, not_confirmed, undecided, noisy, wrong, fault };

std::string_view to_string(Finding finding) {
  constexpr std::string_view kNames[] = {"good",  "SLOWER", "not confirmed", "undecided",
                                         "noisy", "WRONG",  "FAULT"};
  return kNames[static_cast<unsigned>(finding)];
}

struct Checked {
  Record record;
  DeviceMatch device_match = DeviceMatch::exact;
  LaunchPlan plan, fallback;  // the record's and the default's
  double default_ns = 0;      // the default's probe; 0 before it was prepared
  Finding finding = Finding::undecided;
  MedianInterval log_ratio{};  // of ln(t_record / t_default)
  int rounds = 0;
  std::string detail;
};

// What the dispatcher answers with on this device: of the records those whose plan differs from the
// default's.
struct Selection {
  std::vector<Checked> differing;
  std::size_t usable = 0;
  std::size_t similar = 0;  // of them, measured on a device that is only similar
};

Selection select_records(const std::string& path, const DeviceInfo& device) {
  ParsedTunedFile parsed = load_tuned_file(path);
  if (!parsed.file) throw Failure(kExitUsage, "--verify '" + path + "': " + parsed.error);
  const Dispatcher dispatcher(*parsed.file, device);
  Selection selection;
  std::set<std::pair<Mode, std::string>> answered;  // by a record that was found
  for (const auto& [id, match] : ranked_devices(*parsed.file, tuned_device(device))) {
    for (const Record& record : parsed.file->records) {
      if (record.device != id) continue;
      const Choice pick = dispatcher.pick(record.problem, record.mode);
      const bool in_use = pick.shape_match == ShapeMatch::exact && pick.device_match == match &&
                          pick.variant->name == record.variant &&
                          named_config(pick.variant->space, pick.config) == record.config &&
                          answered.emplace(record.mode, to_string(record.problem)).second;
      if (!in_use) continue;
      ++selection.usable;
      if (match == DeviceMatch::similar) ++selection.similar;
      const Choice standard = default_choice(record.problem, device, record.mode);
      Checked checked;
      checked.record = record;
      checked.device_match = match;
      checked.plan = pick.variant->plan(record.problem, pick.config, device);
      checked.fallback = standard.variant->plan(record.problem, standard.config, device);
      if (checked.plan != checked.fallback) selection.differing.push_back(std::move(checked));
    }
  }
  if (selection.usable == 0) {
    throw Failure(kExitUsage, "--verify '" + path + "': no record that this device (" +
                                  display_name(device) + ") and this build can use; see --pick");
  }
  return selection;
}

Finding finding_of(Outcome outcome) {
  return outcome == Outcome::correctness ? Finding::wrong : Finding::fault;
}

constexpr int kDefaultArm = kAnchor;
constexpr int kRecordArm = 1;

// One race of the record against the default.
void time_record(PreparedArms& arms, Checked& checked, std::uint64_t seed, double until_s) {
  const auto failed = [&](const Prepared& prepared, const char* which) {
    checked.finding = finding_of(prepared.outcome);
    checked.detail = std::string(which) + ": " + printable_line(prepared.detail.substr(0, 300));
  };
  const Prepared standard = arms.prepare_or_retry(kDefaultArm);
  checked.default_ns = standard.probe_ns;
  if (standard.outcome != Outcome::correct) return failed(standard, "the default");
  const Prepared tuned = arms.prepare_or_retry(kRecordArm);
  if (tuned.outcome == Outcome::timeout) {
    failed(tuned, "the record");
    checked.finding = Finding::slower;
    return;
  }
  if (tuned.outcome != Outcome::correct) return failed(tuned, "the record");
  RaceRules rules;
  rules.looks = tuned.probe_ns > kFarSlower * standard.probe_ns
                    ? Looks::of_a_verification_far_behind()
                    : Looks::of_a_verification();
  rules.drop_after_3 = HUGE_VAL;
  Race race(2, seed, rules);
  while (const std::optional<Round> round = race.next()) {
    if (seconds_now() > until_s && race.valid_rounds() >= rules.looks.first()) break;
    const RoundReply reply = arms.run_round(*round);
    if (reply.failed >= 0) {
      checked.finding = Finding::fault;
      checked.detail = "failed while being timed: " + std::string(to_string(reply.failure));
      return;
    }
    race.report(reply);
  }
  const Standing& standing = race.standings()[kRecordArm];
  checked.log_ratio = standing.log_ratio;
  checked.rounds = race.valid_rounds();
  if (race.end() == RaceEnd::environment || standing.rounds == 0) {
    checked.finding = Finding::noisy;
  } else if (checked.log_ratio.low > std::log(kTie)) {
    checked.finding = Finding::slower;
  } else {
    checked.finding = checked.log_ratio.high < std::log(kTie) || checked.log_ratio.median <= 0
                          ? Finding::good
                          : Finding::undecided;
  }
  const Prepared again = arms.recheck(kRecordArm);
  if (again.outcome != Outcome::correct) failed(again, "the record, after it was timed");
}

void verify_one(PreparedArms& arms, Checked& checked, const Options& options, double until_s) {
  for (const std::uint64_t seed : {options.seed, options.seed + 1}) {
    const bool second = seed != options.seed;
    checked.default_ns = 0;
    arms.select(checked.record.problem, seed, options.cache, false, [&](Worker& worker, int arm) {
      return worker.prepare(arm, arm == kRecordArm ? checked.plan : checked.fallback,
                            checked.default_ns);
    });
    time_record(arms, checked, seed, until_s + (second ? 2 : 0));
    if (checked.finding != Finding::slower) {
      if (second && checked.finding != Finding::wrong && checked.finding != Finding::fault) {
        checked.finding = Finding::not_confirmed;
      }
      return;
    }
    if (checked.rounds == 0) return;  // it did not end at all
    // Once more in a fresh process, with other data and another order.
    if (!second) arms.worker().restart();
  }
}

nlohmann::json to_json(const Checked& checked) {
  nlohmann::json document = {{"problem", to_string(checked.record.problem)},
                             {"mode", to_string(checked.record.mode)},
                             {"device_match", to_string(checked.device_match)},
                             {"variant", checked.record.variant},
                             {"recorded_speedup", checked.record.speedup},
                             {"finding", to_string(checked.finding)},
                             {"rounds", checked.rounds}};
  if (checked.rounds > 0) document["speedup"] = std::exp(-checked.log_ratio.median);
  if (checked.rounds > 0 && std::isfinite(checked.log_ratio.low)) {
    document["speedup_ci"] = {std::exp(-checked.log_ratio.high), std::exp(-checked.log_ratio.low)};
  }
  if (!checked.detail.empty()) document["detail"] = checked.detail;
  return document;
}

void print_row(const Checked& checked) {
  const double now = std::exp(-checked.log_ratio.median);
  std::printf("%-36s %-17s ", to_string(checked.record.problem).c_str(),
              checked.record.variant.c_str());
  if (checked.rounds > 0) {
    std::printf("%8.2f %6.2f %6.2f..%-6.2f %+6.1f %% %6d  ", checked.record.speedup, now,
                std::exp(-checked.log_ratio.high), std::exp(-checked.log_ratio.low),
                100 * (now / checked.record.speedup - 1), checked.rounds);
  } else {
    std::printf("%8.2f %6s %6s  %-6s %8s %6d  ", checked.record.speedup, "-", "-", "-", "-", 0);
  }
  std::printf("%s%s%s\n", std::string(to_string(checked.finding)).c_str(),
              checked.detail.empty() ? "" : ": ", checked.detail.c_str());
}

// The command that times the record against the default again.
std::string again(const Options& options, const Record& record) {
  std::string line = "lora-bench --bench";
  if (!options.device.empty()) line += " --device " + shell_word(options.device);
  line += " --tuned " + shell_word(options.verify);
  if (record.mode != Mode::fast) line += " --mode " + std::string(to_string(record.mode));
  if (options.cache != Cache::warm) line += " --cache " + std::string(to_string(options.cache));
  return line + " --problem " + to_string(record.problem) + " --seed " +
         std::to_string(options.seed);
}

ExitCode exit_code(Finding finding) {
  switch (finding) {
    case Finding::fault:
      return kExitDeviceFault;
    case Finding::wrong:
      return kExitWrongResult;
    case Finding::slower:
      return kExitRegression;
    case Finding::noisy:
      return kExitInconclusive;
    default:
      return kExitGood;
  }
}

ExitCode exit_code(const std::vector<Checked>& all) {
  ExitCode worst = kExitGood;
  for (const Checked& checked : all) worst = worse(worst, exit_code(checked.finding));
  return worst;
}

}  // namespace

int verify_mode(const Options& options) {
  const Device device = select_device(options.device);
  Selection selection = select_records(options.verify, device.info);
  std::vector<Problem> problems;
  for (const Checked& checked : selection.differing) problems.push_back(checked.record.problem);
  require_timeable(problems, device.info);
  std::vector<Checked> dozen;
  for (const std::size_t i : stratified(problems, kDozen)) {
    dozen.push_back(selection.differing[i]);
  }
  std::fprintf(stderr, "%s: %zu records, %zu other than the default, %zu of them timed\n",
               printable_line(display_name(device.info)).c_str(), selection.usable,
               selection.differing.size(), dozen.size());
  if (selection.similar > 0) {
    std::fprintf(stderr, "%zu of the records were measured on a device that is only similar\n",
                 selection.similar);
  }
  if (!options.json) {
    std::printf("%-36s %-17s %8s %6s %-14s %8s %6s  %s\n", "problem", "variant", "recorded", "now",
                "interval", "drift", "rounds", "finding");
  }
  tell_limit(device.info);
  const DeviceLock lock(device_place(device), options.lock_wait_s);
  const double end = seconds_now() + (options.budget_s > 0 ? options.budget_s : kDefaultBudget);
  Deadlines deadlines;
  deadlines.build = kBuildSeconds;
  note_interrupts();
  Worker worker(options.device, deadlines);
  worker.interrupt_when(interrupted);
  PreparedArms arms(worker);
  const auto still_wanted = [] {
    if (interrupted()) throw Interrupted{};
  };
  std::size_t whole = 0;  // what was under way at an interrupt is not
  try {
    for (; whole < dozen.size(); ++whole) {
      const double now = seconds_now();
      verify_one(arms, dozen[whole], options,
                 now + std::max(end - now, 0.0) / static_cast<double>(dozen.size() - whole));
      still_wanted();  // its worker may have been ended by the same signal
      if (!options.json) print_row(dozen[whole]);
    }
    for (Checked& checked : dozen) {  // noise comes and goes
      if (checked.finding != Finding::noisy || seconds_now() > end) continue;
      Checked again = checked;
      verify_one(arms, again, options, end);
      still_wanted();
      checked = std::move(again);
      if (!options.json) print_row(checked);
    }
  } catch (const Interrupted&) {
    dozen.resize(whole);
  }
  if (options.json) {
    nlohmann::json records = nlohmann::json::array();
    for (const Checked& checked : dozen) records.push_back(to_json(checked));
    nlohmann::json out = {{"device", display_name(device.info)},
                          {"usable_records", selection.usable},
                          {"differing_records", selection.differing.size()},
                          {"cache", to_string(options.cache)},
                          {"records", records}};
    if (interrupted()) out["interrupted"] = true;
    std::printf("%s\n", out.dump(2).c_str());
  }
  for (const Checked& checked : dozen) {
    if (checked.finding == Finding::good) continue;
    std::fprintf(stderr, "%s: %s\n", std::string(to_string(checked.finding)).c_str(),
                 printable_line(again(options, checked.record)).c_str());
  }
  return interrupted() ? kExitInterrupted : exit_code(dozen);
}

}  // namespace loratune
