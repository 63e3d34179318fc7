// The machine that pattern.cpp makes of an expression, run over a name.
#include <stdexcept>
#include <utility>

#include "adapters/internal/pattern.h"

namespace loratune {

bool Pattern::matches_start(std::string_view name, Steps& steps) const {
  return run(name, Want::start, steps).has_value();
}

bool Pattern::matches_all(std::string_view name, Steps& steps) const {
  return run(name, Want::all, steps).has_value();
}

std::optional<Pattern::Match> Pattern::find_group(std::string_view name, Steps& steps) const {
  return run(name, Want::group, steps);
}

std::optional<Pattern::Match> Pattern::run(std::string_view name, Want want, Steps& steps) const {
  // A way to a state that is reached before a character. The ways stand in the order in which
  // Python tries them, and of two that reach one state the first counts.
  constexpr auto kNowhere = static_cast<std::uint32_t>(-1);
  struct Way {
    std::uint32_t state, group;  // where the group begins
  };
  std::vector<Way> now, then, open;
  std::vector<std::size_t> reached(states_.size(), static_cast<std::size_t>(-1));  // last
  std::optional<Match> accepted;
  bool cut = false;  // the ways behind an accepted one are not tried
  const auto reach = [&](Way first, std::size_t position, std::vector<Way>& states) {
    open.push_back(first);
    while (!open.empty()) {
      const auto [at, group] = open.back();
      open.pop_back();
      if (reached[at] == position) continue;
      if (--steps < 0) throw std::invalid_argument("takes too long to match");
      reached[at] = position;
      const State& state = states_[at];
      switch (state.kind) {
        case Kind::character:
          states.push_back({at, group});
          break;
        case Kind::split:
          open.push_back({state.other, group});
          open.push_back({state.next, group});
          break;
        case Kind::begin:
          if (position == 0) open.push_back({state.next, group});
          break;
        case Kind::end:
          if (position == name.size()) open.push_back({state.next, group});
          break;
        case Kind::group:
          open.push_back({state.next, static_cast<std::uint32_t>(position)});
          break;
        case Kind::accept:
          if (want == Want::all && position != name.size()) break;
          accepted.emplace();
          if (group != kNowhere) accepted->begin = group;
          cut = true;
          open.clear();
          break;
      }
    }
  };
  steps -= static_cast<Steps>(states_.size());
  reach({start_, kNowhere}, 0, now);
  for (std::size_t i = 0; i < name.size() && !now.empty();) {
    if (accepted && want != Want::group) break;
    const auto c = static_cast<unsigned char>(name[i]);
    // The first byte of a character beyond ASCII stands for all of it.
    for (++i; i < name.size() && continues_character(name[i]);) ++i;
    then.clear();
    cut = false;
    for (const auto& [at, group] : now) {
      const State& state = states_[at];
      if (sets_[state.set][c]) reach({state.next, group}, i, then);
      if (cut) break;
    }
    now.swap(then);
  }
  return accepted;
}

}  // namespace loratune
