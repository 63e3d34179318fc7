#include "harness/fleet/schedule.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace loratune {
namespace {

constexpr int kAttempts = 3;  // of a portion
constexpr int kFailures = 2;  // of a rank, in a row

}  // namespace

FleetSchedule::FleetSchedule(std::vector<Portion> portions, int ranks)
    : portions_(std::move(portions)),
      states_(portions_.size(), State::waiting),
      attempts_(portions_.size(), 0),
      ranks_(static_cast<std::size_t>(ranks)) {}

std::optional<std::size_t> FleetSchedule::next(int rank) {
  Rank& idle = ranks_.at(static_cast<std::size_t>(rank));
  if (idle.retired || idle.running) return std::nullopt;
  std::map<std::string, std::size_t> waiting;
  for (std::size_t i = 0; i < portions_.size(); ++i) {
    if (states_[i] == State::waiting) ++waiting[portions_[i].group];
  }
  // What has failed comes last. Then one whose programs the rank has built; else of the group that
  // is the furthest from its end.
  std::optional<std::size_t> best;
  const auto worth = [&](std::size_t i) {
    return std::tuple(-attempts_[i], portions_[i].group == idle.group, waiting[portions_[i].group]);
  };
  for (std::size_t i = 0; i < portions_.size(); ++i) {
    if (states_[i] == State::waiting && (!best || worth(i) > worth(*best))) best = i;
  }
  if (!best) return std::nullopt;
  states_[*best] = State::running;
  ++attempts_[*best];
  idle.running = best;
  idle.group = portions_[*best].group;
  return best;
}

double FleetSchedule::share_s(std::size_t portion, double left_s) const {
  const auto mine = static_cast<double>(portions_.at(portion).problems);
  const double all = mine + static_cast<double>(waiting_problems());
  return std::min(left_s * static_cast<double>(active_ranks()) * mine / all, left_s);
}

void FleetSchedule::known(std::size_t portion) { states_.at(portion) = State::decided; }

void FleetSchedule::decided(int rank) {
  Rank& done = ranks_.at(static_cast<std::size_t>(rank));
  if (!done.running) return;
  states_[*done.running] = State::decided;
  done.running.reset();
  done.failures = 0;
}

void FleetSchedule::failed(int rank) {
  take_back(rank);
  Rank& failing = ranks_.at(static_cast<std::size_t>(rank));
  if (++failing.failures >= kFailures) failing.retired = true;
}

void FleetSchedule::lost(int rank) {
  take_back(rank);
  ranks_.at(static_cast<std::size_t>(rank)).retired = true;
}

void FleetSchedule::take_back(int rank) {
  Rank& from = ranks_.at(static_cast<std::size_t>(rank));
  if (!from.running) return;
  const std::size_t portion = *from.running;
  states_[portion] = attempts_[portion] < kAttempts ? State::waiting : State::given_up;
  from.running.reset();
}

bool FleetSchedule::over() const {
  const auto is = [&](State wanted) {
    return std::find(states_.begin(), states_.end(), wanted) != states_.end();
  };
  return !is(State::running) && (!is(State::waiting) || active_ranks() == 0);
}

std::size_t FleetSchedule::undecided() const {
  std::size_t problems = 0;
  for (std::size_t i = 0; i < portions_.size(); ++i) {
    if (states_[i] != State::decided) problems += portions_[i].problems;
  }
  return problems;
}

std::size_t FleetSchedule::waiting_problems() const {
  std::size_t problems = 0;
  for (std::size_t i = 0; i < portions_.size(); ++i) {
    if (states_[i] == State::waiting) problems += portions_[i].problems;
  }
  return problems;
}

std::size_t FleetSchedule::active_ranks() const {
  return static_cast<std::size_t>(
      std::count_if(ranks_.begin(), ranks_.end(), [](const Rank& rank) { return !rank.retired; }));
}

}  // namespace loratune
