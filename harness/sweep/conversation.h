// A Conversation is how a sweep learns anything: every question goes to the journal, which answers
// from what it holds, or has the device asked and keeps the answer. So what a sweep decides is a
// function of its options and of the journal.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/base/interrupt.h"
#include "harness/sweep/journal.h"
#include "harness/sweep/progress.h"

namespace loratune {

class Conversation {
 public:
  // `interrupted` is looked at and `progress` told before each question. Without a journal nothing
  // is kept. What is given outlives it.
  Conversation(Journal* journal, double budget_s, std::size_t problems,
               std::function<bool()> interrupted,
               std::function<void(const SweepProgress&)> progress);

  // The answer to what `tag` asks: the journal's, or what `live` returns. Throws Interrupted, and
  // Journal::ReplayEnd where a journal that only replays has no more answers.
  nlohmann::json ask(const std::string& tag, const std::function<nlohmann::json()>& live);

  // Seconds since the sweep began, those before a resume included, and until its budget is spent.
  double elapsed_s() const;
  double left_s() const;

  // What the progress says of the work: the problem, what is done with it, that a config of it was
  // tried, and by how much that config beat the default (0: it has no time), how many problems were
  // decided.
  void now_on(const std::string& problem);
  void now_doing(const std::string& what) { doing_ = what; }
  void tried(double times_faster);
  void decided(std::size_t problems);
  // Says so once where finals that take so long at least will end well behind the budget; nothing
  // of finals that the journal has.
  void finals_take(double seconds);

 private:
  void tell_progress(const std::string& note = "") const;

  Journal* journal_;
  double budget_s_, begun_s_;
  std::size_t problems_, decided_ = 0, tried_ = 0;
  std::function<bool()> interrupted_;
  std::function<void(const SweepProgress&)> progress_;
  std::string problem_, doing_;
  double best_ = 0;
  bool told_of_finals_ = false;
};

// A share of a sweep's time, for one part of its work. `late` is set by the first answer that came
// after it was spent: by the journal's word, so that a replay knows it too.
struct TimeShare {
  double until_s;
  bool late = false;
};

}  // namespace loratune
