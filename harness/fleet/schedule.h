// Who of a fleet sweeps what. Told what happens, it says what to hand out next: no clock, no
// message, so that a test can play a whole fleet.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace loratune {

// Problems that are handed out together.
struct Portion {
  std::string group;  // portions of one group share programs
  std::size_t problems = 0;
};

class FleetSchedule {
 public:
  FleetSchedule(std::vector<Portion> portions, int ranks);

  // A portion for a rank that is idle; nothing where none waits for it now.
  std::optional<std::size_t> next(int rank);
  // The share of `left_s` seconds that the portion just handed out may take, so that all ranks
  // together are done by then.
  double share_s(std::size_t portion, double left_s) const;

  // Decided, without being handed out: an earlier run did it.
  void known(std::size_t portion);
  void decided(int rank);
  // The rank's sweep failed: the portion goes to another rank, three times in all. A rank that
  // fails twice in a row gets no more: its device is not to be trusted.
  void failed(int rank);
  // The rank itself is gone, and its portion waits again.
  void lost(int rank);

  // Whether nothing runs, and nothing waits that some rank would still get.
  bool over() const;
  std::size_t undecided() const;

 private:
  enum class State : unsigned char { waiting, running, decided, given_up };
  struct Rank {
    std::optional<std::size_t> running;
    std::string group;  // of its last portion
    int failures = 0;   // in a row
    bool retired = false;
  };
  void take_back(int rank);
  std::size_t waiting_problems() const;
  std::size_t active_ranks() const;

  std::vector<Portion> portions_;
  std::vector<State> states_;
  std::vector<int> attempts_;
  std::vector<Rank> ranks_;
};

}  // namespace loratune
