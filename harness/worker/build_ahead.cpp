#include "harness/worker/build_ahead.h"

#include <poll.h>
#include <sched.h>

#include <algorithm>

#include "harness/base/clock.h"
#include "harness/base/failure.h"
#include "harness/base/interrupt.h"

namespace loratune {

int usual_builders(int sweeps) {
  constexpr int kMost = 6;
  cpu_set_t allowed;
  const int cores = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
  const int builders = std::min(cores / std::max(sweeps, 1), kMost);
  return builders >= 2 ? builders : 0;
}

BuildAhead::BuildAhead(const std::string& device, int processes, double patience_s,
                       const std::string& executable)
    : patience_s_(patience_s) {
  Deadlines deadlines;
  deadlines.build = patience_s;
  if (processes < 0) processes = usual_builders();
  for (int i = 0; i < processes; ++i) {
    helpers_.push_back({std::make_unique<Worker>(device, deadlines, executable, false)});
  }
}

void BuildAhead::interrupt_when(const std::function<bool()>& interrupted) {
  interrupted_ = interrupted;
  for (Helper& helper : helpers_) helper.worker->interrupt_when(interrupted);
}

// A helper that builds and has replied; where no helper has, for as long as a build may take, the
// helper that began first. Null where no helper builds.
BuildAhead::Helper* BuildAhead::next_to_reply() {
  std::vector<Helper*> building;
  std::vector<pollfd> replies;
  for (Helper& helper : helpers_) {
    if (helper.program < 0) continue;
    building.push_back(&helper);
    replies.push_back({helper.worker->reply_fd(), POLLIN, 0});
  }
  if (building.empty()) return nullptr;
  constexpr double kSlice = 0.1;  // seconds that one wait lasts
  const double until = seconds_now() + patience_s_;
  for (double left = patience_s_; left > 0; left = until - seconds_now()) {
    if (interrupted_()) throw Interrupted{};
    poll(replies.data(), replies.size(), static_cast<int>(std::min(left, kSlice) * 1e3 + 1));
    for (std::size_t i = 0; i < replies.size(); ++i) {
      if (replies[i].revents != 0) return building[i];
    }
  }
  return *std::min_element(building.begin(), building.end(), [](const Helper* a, const Helper* b) {
    return a->begun_s < b->begun_s;
  });
}

std::vector<BuiltAhead> BuildAhead::build(std::span<const Program> programs) {
  std::vector<BuiltAhead> built(programs.size());
  std::size_t given = 0;
  const auto give = [&](Helper& helper) {
    if (given == programs.size()) return;
    helper.program = static_cast<int>(given);
    const Program& program = programs[given++];
    helper.worker->begin_build(program.problem, program.plan);
    helper.begun_s = seconds_now();
  };
  try {
    for (Helper& helper : helpers_) give(helper);
    while (Helper* helper = next_to_reply()) {
      BuiltAhead& one = built[static_cast<std::size_t>(helper->program)];
      one = {helper->worker->end_build().outcome, seconds_now() - helper->begun_s};
      helper->program = -1;
      give(*helper);
    }
  } catch (const Failure&) {  // the device is not to be had by more than the worker, say
    helpers_.clear();
  } catch (const Interrupted&) {
    for (Helper& helper : helpers_) {
      helper.worker->restart();
      helper.program = -1;
    }
    throw;
  }
  return built;
}

}  // namespace loratune
