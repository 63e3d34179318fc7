#include "tuner/stopping.h"

#include <algorithm>

namespace loratune {

bool Looks::valid() const {
  return !rounds.empty() && std::is_sorted(rounds.begin(), rounds.end());
}

bool Looks::reads_after(int valid_rounds) const {
  return std::find(rounds.begin(), rounds.end(), valid_rounds) != rounds.end();
}

void VoidRounds::add(bool void_round) {
  ++counted;
  if (void_round) ++disturbed;
}

bool RoundQuota::wants_more(int valid, int tried) const {
  return valid < wanted && tried < tries * wanted;
}

bool RoundQuota::wants_more(int valid, int tried, double elapsed_s, double share_s) const {
  const bool late = elapsed_s > share_s;
  const bool far_too_late = elapsed_s > 3 * share_s + 1;
  const bool given_up = late && valid > 0 && (valid >= fewest || far_too_late);
  return wants_more(valid, tried) && !given_up;
}

bool SearchStop::may_try(std::size_t tried, bool late) const { return !late || tried < at_least; }

bool SearchStop::satisfied(std::size_t tried, const std::function<double()>& expected_gain) const {
  return tried >= enough && expected_gain() < worth_trying;
}

}  // namespace loratune
