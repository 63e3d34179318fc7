#include "harness/sweep/conversation.h"

#include <algorithm>

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
  json reply = journal_ != nullptr ? journal_->ask(tag, live) : live();
  progress_({decided_, problems_, elapsed_s(), left_s(), doing_});
  return reply;
}

double Conversation::elapsed_s() const {
  return journal_ != nullptr ? journal_->elapsed() : seconds_now() - begun_s_;
}

double Conversation::left_s() const { return std::max(budget_s_ - elapsed_s(), 0.0); }

}  // namespace loratune
