#include "harness/bench/session.h"

#include <new>

#include "engine/internal/opencl.h"
#include "harness/base/problem_size.h"
#include "harness/bench/arm_rounds.h"
#include "harness/bench/lineup.h"
#include "harness/bench/rivals.h"
#include "loratune/dispatch/default_choice.h"
#include "tuner/random.h"

namespace loratune {
namespace {

bool is_out_of_memory(cl_int error) {
  return error == CL_MEM_OBJECT_ALLOCATION_FAILURE || error == CL_OUT_OF_HOST_MEMORY ||
         error == CL_OUT_OF_RESOURCES || error == CL_INVALID_BUFFER_SIZE;
}

}  // namespace

BenchSession::BenchSession(const Device& device, BenchOptions options, const Dispatcher* tuned)
    : options_(std::move(options)),
      tuned_(tuned),
      engine_(device),
      probes_(engine_),
      judge_(engine_, probes_) {}

std::vector<std::string> BenchSession::rivals(const Problem& problem) const {
  std::vector<std::string> names;
  for (const Rival& rival : list_rivals(problem, engine_.info(), options_, tuned_)) {
    names.push_back(rival.name);
  }
  return names;
}

const ProblemResult& BenchSession::result(const Problem& problem, double share_s) {
  const std::string key = to_string(problem);
  const auto found = results_.find(key);
  if (found != results_.end()) return found->second;
  return results_.emplace(key, measure_if_it_fits(problem, share_s)).first->second;
}

ProblemResult BenchSession::measure_if_it_fits(const Problem& problem, double share_s) {
  std::string why = too_large_reason(problem, engine_.info(), memory_bytes());
  if (why.empty()) {
    try {
      return measure(problem, share_s);
    } catch (const std::bad_alloc&) {
      why = "there is too little memory for it";
    } catch (const OpenclError& error) {
      if (!is_out_of_memory(error.code())) throw;
      why = "the device has too little memory for it: " + std::string(error.what());
    }
  }
  ProblemResult result;
  result.fault = why;
  for (const std::string& name : rivals(problem)) {
    result.rivals[name].outcome = Outcome::skipped;
    result.rivals[name].detail = why;
  }
  return result;
}

ProblemResult BenchSession::measure(const Problem& problem, double share_s) {
  Lineup lineup(engine_, probes_, problem, options_,
                list_rivals(problem, engine_.info(), options_, tuned_));
  lineup.check();
  lineup.probe();
  const std::uint64_t seed = seed_of(to_string(problem), options_.seed);
  ArmRounds timed = time_arms(lineup.arms(), probes_,
                              {options_.rounds, share_s, judge_.ceilings().floor_ns, seed});
  lineup.check();  // again after the timing: a kernel may be wrong only now and then
  ProblemResult result;
  result.arm = lineup.arm_of_rival();
  result.samples = std::move(timed.samples);
  result.void_rounds = timed.void_rounds;
  if (const Variant* general = general_variant(problem, engine_.info())) {
    result.general = general->name;
  }
  for (const auto& [name, number] : result.arm) {
    RivalResult& rival = result.rivals[name];
    rival.label = lineup.label(name);
    judge_.judge(problem, lineup.arms()[static_cast<std::size_t>(number)], number, result.samples,
                 rival);
  }
  return result;
}

}  // namespace loratune
