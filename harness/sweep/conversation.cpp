#include "harness/sweep/conversation.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "harness/base/clock.h"

namespace loratune {

using nlohmann::json;

Conversation::Conversation(Journal* journal, double budget_s, std::size_t problems,
                           std::function<bool()> interrupted,
                           std::function<void(const SweepProgress&)> progress)
    : journal_(journal),
      budget_s_(budget_s),
      begun_s_(seconds_now()),
      problems_(problems),
      interrupted_(std::move(interrupted)),
      progress_(std::move(progress)) {}

json Conversation::ask(const std::string& tag, const std::function<json()>& live) {
  if (interrupted_()) throw Interrupted{};
  tell_progress();
  return journal_ != nullptr ? journal_->ask(tag, live) : live();
}

void Conversation::now_on(const std::string& problem) {
  if (problem != problem_) best_ = 0;
  problem_ = problem;
  doing_.clear();
}

void Conversation::tried(double times_faster) {
  ++tried_;
  best_ = std::max(best_, times_faster);
}

void Conversation::decided(std::size_t problems) {
  decided_ += problems;
  tell_progress();
}

void Conversation::finals_take(double seconds) {
  constexpr double kWorthTelling = 10;
  const bool over = journal_ != nullptr && journal_->has_answer();
  if (told_of_finals_ || over || seconds < left_s() + kWorthTelling) return;
  told_of_finals_ = true;
  std::array<char, 200> text{};
  std::snprintf(text.data(), text.size(),
                "%.0f s of the budget are left, and the finals that come now take %.0f s at least: "
                "each runs to its end",
                left_s(), seconds);
  tell_progress(text.data());
}

void Conversation::tell_progress(const std::string& note) const {
  progress_({decided_, problems_, elapsed_s(), left_s(), tried_, problem_, doing_, best_, note});
}

double Conversation::elapsed_s() const {
  return journal_ != nullptr ? journal_->elapsed() : seconds_now() - begun_s_;
}

double Conversation::left_s() const { return std::max(budget_s_ - elapsed_s(), 0.0); }

}  // namespace loratune
