// A Round is a set of short timed blocks of a few arms, close together in time so that what
// disturbs one arm disturbs them all. Races and gates ask for rounds; a worker runs them.
#pragma once

#include <cstdint>
#include <vector>

#include "loratune/dispatch/outcome.h"
#include "tuner/random.h"

namespace loratune {

inline constexpr int kCanary = -1;  // the fixed kernel that tells a disturbed round

// The blocks to run, in this order; an entry is an arm or kCanary. `doubled` asks for each block a
// second time at twice its length. `runs`: of every block; 0: as many as suit each arm.
struct Round {
  int index = 0;
  bool doubled = false;
  std::vector<int> order;
  int runs = 0;
  bool operator==(const Round&) const = default;
};

// What came of a round. `ns` is parallel to Round::order: wall time of a block divided by its runs.
// `doubled_ns` likewise for the blocks of twice the length, or empty. A value that is not positive
// and finite is void. `stolen`: another tenant took processor time during the round. `failed`: an
// arm that could not go on, and why; the round is void then.
struct RoundReply {
  std::vector<double> ns, doubled_ns;
  bool stolen = false;
  int failed = kCanary - 1;  // none
  Outcome failure = Outcome::correct;
  bool operator==(const RoundReply&) const = default;
};

// Round number `index`: the canary and each arm `sub_blocks` times, shuffled anew within each pass,
// so that an arm's blocks are spread over the round.
Round shuffled_round(std::uint64_t seed, int index, std::vector<int> arms, int sub_blocks);

// Positive and finite.
bool is_time(double ns);

// The least valid time of the arm's blocks, NaN without one.
double least_time(const std::vector<int>& order, const std::vector<double>& ns, int arm);

// Knows a round that something outside disturbed: by steal, or by a canary above `limit` times its
// own 10th percentile so far.
class CanaryWatch {
 public:
  explicit CanaryWatch(double limit) : limit_(limit) {}
  // To be asked once a round. Throws std::invalid_argument if times are not parallel to the order.
  bool undisturbed(const Round& round, const RoundReply& reply);

 private:
  double limit_;
  std::vector<double> canary_ns_;  // of every round, disturbed or not
};

}  // namespace loratune
