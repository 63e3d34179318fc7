#include <sys/stat.h>

#include <algorithm>
#include <cmath>

#include "dispatch/internal/printable.h"
#include "harness/base/clock.h"
#include "harness/base/device_json.h"
#include "harness/base/device_lock.h"
#include "harness/base/differing.h"
#include "harness/base/failure.h"
#include "harness/base/interrupt.h"
#include "harness/base/options.h"
#include "harness/base/output_files.h"
#include "harness/base/problem_size.h"
#include "harness/base/selection.h"
#include "harness/record/modes.h"
#include "harness/record/recorder.h"
#include "harness/record/recording.h"
#include "loratune/dispatch/default_choice.h"
#include "tuner/enumerate.h"

namespace loratune {
namespace {

constexpr int kConfigsPerVariant = 150;

// Each variant's axes, thinned alike for all problems that share programs.
class Spaces {
 public:
  Spaces(const std::vector<const Variant*>& variants, const std::vector<Problem>& problems,
         const DeviceInfo& device, int most)
      : variants_(variants), device_(device) {
    for (const Variant* variant : variants) {
      axes_.push_back(thinned_axes(*variant, problems, device, most));
    }
  }

  // The default first.
  std::vector<Candidate> candidates(const Problem& problem, const Candidate& anchor) const {
    std::vector<Candidate> all;
    for (std::size_t i = 0; i < variants_.size(); ++i) {
      const Variant& variant = *variants_[i];
      for (const Config& config : distinct_configs(
               variant, allowed_configs(variant, axes_[i], problem, device_), problem, device_)) {
        all.push_back({variants_[i], config});
      }
    }
    return candidates_for(problem, device_, all, anchor);
  }

 private:
  std::vector<const Variant*> variants_;
  DeviceInfo device_;
  std::vector<AxisValues> axes_;
};

Recording start_recording(const std::vector<const Variant*>& variants, const DeviceInfo& device) {
  Recording recording;
  recording.device = device;
  for (const Variant* variant : variants) {
    RecordedVariant one{std::string(variant->name), {}};
    for (const Parameter& parameter : variant->space.parameters) {
      one.parameters.emplace_back(parameter.name);
    }
    recording.variants.push_back(std::move(one));
    recording.kernels[std::string(variant->name)] = {{"sha256", variant->source_sha256},
                                                     {"revision", variant->revision}};
  }
  return recording;
}

// The variants, and those of the problems' defaults, with which each problem begins.
std::vector<const Variant*> with_defaults(std::vector<const Variant*> variants,
                                          const std::vector<Problem>& problems,
                                          const DeviceInfo& device) {
  for (const Problem& problem : problems) {
    const Variant* variant = default_choice(problem, device).variant;
    if (std::find(variants.begin(), variants.end(), variant) == variants.end()) {
      variants.push_back(variant);
    }
  }
  return variants;
}

// What the file holds already, if it was made of the same things. An empty one holds nothing.
Recording go_on(const std::string& path, Recording fresh) {
  struct stat there {};
  if (stat(path.c_str(), &there) != 0 || there.st_size == 0) return fresh;
  Recording earlier = read_recording(path);
  if (same_device(earlier.device, fresh.device)) earlier.device = fresh.device;
  const std::string differing = differing_members(header_of(earlier), header_of(fresh));
  if (!differing.empty()) {
    throw Failure(kExitUsage,
                  "recording '" + path +
                      "' was made of something else; name another file; differing: " + differing);
  }
  return earlier;
}

}  // namespace

namespace {

bool holds(const Recording& recording, const Problem& problem) {
  return std::any_of(recording.problems.begin(), recording.problems.end(),
                     [&](const RecordedProblem& one) { return one.problem == problem; });
}

// Records a problem and writes the recording with it.
void add_problem(Recording& recording, const Problem& problem, Recorder& recorder,
                 const Spaces& spaces, const std::vector<const Variant*>& listed,
                 const std::string& path) {
  const double begin = seconds_now();
  const Candidate anchor = recorder.anchor(problem);
  if (std::find(listed.begin(), listed.end(), anchor.variant) == listed.end()) {
    throw Failure(kExitDeviceFault, "the default of " + to_string(problem) + " does not run");
  }
  const std::vector<Candidate> candidates = spaces.candidates(problem, anchor);
  RecordedProblem one{problem, recorder.record(problem, candidates)};
  int timed = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto variant = std::find(listed.begin(), listed.end(), candidates[i].variant);
    one.configs[i].variant = static_cast<int>(variant - listed.begin());
    if (!one.configs[i].ns.empty()) ++timed;
  }
  recording.problems.push_back(std::move(one));
  const std::string error = write_recording(path, recording);
  if (!error.empty()) throw Failure(kExitUsage, error);
  std::fprintf(stderr, "%s: %zu configs, %d timed, %.0f s\n", to_string(problem).c_str(),
               candidates.size(), timed, seconds_now() - begin);
}

}  // namespace

int record_mode(const Options& options) {
  const std::vector<Problem> problems = select_problems(options);
  std::vector<const Variant*> variants = select_variants(options);
  const DeviceInfo device = select_device(options.device).info;
  require_timeable(problems, device);
  std::erase_if(variants, [&](const Variant* variant) {
    return std::none_of(problems.begin(), problems.end(),
                        [&](const Problem& problem) { return variant->supports(problem, device); });
  });
  const std::vector<const Variant*> listed = with_defaults(variants, problems, device);
  Recording fresh = start_recording(listed, device);
  fresh.cache = options.cache;
  require_writable({{"--record", options.record}}, {});
  go_on(options.record, fresh);  // so that a file of something else is told before the wait
  const Spaces spaces(variants, problems, device,
                      options.most_configs > 0 ? options.most_configs : kConfigsPerVariant);
  tell_limit(device);
  const DeviceLock lock(device_place(select_device(options.device)), options.lock_wait_s);
  // Whoever had the device until now may have added to the file.
  Recording recording = go_on(options.record, std::move(fresh));
  note_interrupts();
  Worker worker(options.device);
  worker.interrupt_when(interrupted);
  BuildAhead ahead(options.device, options.builders);
  ahead.interrupt_when(interrupted);
  Recorder recorder(worker, ahead, device, options.seed, options.cache);
  if (options.budget_s > 0) {
    std::fprintf(stderr, "a problem that was begun in the budget of %g s is recorded whole\n",
                 options.budget_s);
  }
  // The wait for the device is no part of the budget, so at least one problem is recorded.
  const double end = options.budget_s > 0 ? seconds_now() + options.budget_s : HUGE_VAL;
  try {
    for (const Problem& problem : problems) {
      if (holds(recording, problem) || seconds_now() > end) continue;
      add_problem(recording, problem, recorder, spaces, listed, options.record);
    }
  } catch (const Interrupted&) {  // whole problems are written already
  }
  const auto missing = std::count_if(problems.begin(), problems.end(),
                                     [&](const Problem& one) { return !holds(recording, one); });
  std::fprintf(stderr, "%s: %zu problems", printable_line(options.record).c_str(),
               recording.problems.size());
  if (missing > 0) {
    std::fprintf(stderr, "; %lld are missing: run it again", static_cast<long long>(missing));
  }
  std::fprintf(stderr, "\n");
  return interrupted() ? kExitInterrupted : kExitGood;
}

}  // namespace loratune
