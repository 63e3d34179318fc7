// A Round is a set of short timed blocks of a few arms, close together in time so that what
// disturbs one arm disturbs them all. Races and gates ask for rounds; a worker runs them.
#pragma once

#include <cstdint>
#include <vector>

#include "loratune/dispatch/outcome.h"
#include "tuner/random.h"

namespace loratune {

inline constexpr int kCanary = -1;  // the fixed kernel that tells a disturbed round

// The blocks to run.
struct Round {
  int index = 0;
  bool doubled = false;    // each block is wanted a second time, at twice its length
  std::vector<int> order;  // of the blocks; an entry is an arm or kCanary
  int runs = 0;            // of every block; 0: as many as suit each arm
  bool operator==(const Round&) const = default;
};

// What came of a round. Times are parallel to Round::order: wall time of a block divided by its
// runs. A time that is not positive and finite is void.
struct RoundReply {
  std::vector<double> ns, doubled_ns;  // doubled_ns: of the blocks of twice the length, or empty
  bool stolen = false;                 // another tenant took processor time during the round
  int failed = kCanary - 1;  // an arm that could not go on voids the round; below kCanary: none
  Outcome failure = Outcome::correct;  // why that arm could not go on
  bool operator==(const RoundReply&) const = default;
};

// Round number `index`: the canary and each arm `sub_blocks` times, shuffled anew within each pass,
// so that an arm's blocks are spread over the round.
Round shuffled_round(std::uint64_t seed, int index, std::vector<int> arms, int sub_blocks);

// Positive and finite.
bool is_time(double ns);

// The least valid time of the arm's blocks, NaN without one.
double least_time(const std::vector<int>& order, const std::vector<double>& ns, int arm);

// A CanaryWatch tells whether something outside disturbed a round: processor time was stolen, or
// the canary took more than `limit` times the 10th percentile of its own times so far.
class CanaryWatch {
 public:
  explicit CanaryWatch(double limit) : limit_(limit) {}
  // Is asked once for each round. Throws std::invalid_argument if times are not parallel to the
  // order.
  bool undisturbed(const Round& round, const RoundReply& reply);

 private:
  double limit_;
  std::vector<double> sorted_ns_;  // the canary's, of every round, disturbed or not
};

}  // namespace loratune
