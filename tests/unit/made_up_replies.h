// Replies of a worker that there is not, so that a sweep is made without a device.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace loratune::made_up {

// What the first word that stands so in the text is followed by, up to `end`; empty where there is
// none.
inline std::string after(const std::string& text, const std::string& word, const std::string& end) {
  const std::size_t at = text.find(word);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + word.size();
  return text.substr(begin, text.find(end, begin) - begin);
}

// A reply that answers whatever a sweep may ask, a round of `blocks` blocks among it; of every
// third round the arm `failed` could not go on, where there is one.
inline nlohmann::json reply_to_all(int blocks, int number, int failed) {
  nlohmann::json reply = {
      {"outcome", "correct"},
      {"probe_ns", 1000 + 10 * number},
      {"error", 0.25},
      {"detail", ""},
      {"seconds", 0.01},
      {"late", false},
      {"ns", std::vector<double>(static_cast<std::size_t>(blocks), 1000.0 + number)},
      {"stolen", false},
      {"stop", number > 20},
      {"built_s", {0.1}},
      {"event_ns", 900},
      {"event_fault", ""}};
  if (failed >= 0 && number % 3 == 0) {
    reply["failed"] = failed;
    reply["failure"] = "runtime";
  }
  return reply;
}

// The replies that a small sweep takes, each corrected by what it says of those so far, until it
// says "whole". Empty where `most` of them do not do.
template <class Say>
std::vector<nlohmann::json> replies(int most, Say say, int failed = -1) {
  std::vector<nlohmann::json> replies;
  for (int number = 0; number < most; ++number) {
    replies.push_back(
        {{"ask", "?"}, {"t", 0.01 * number}, {"reply", reply_to_all(1, number, failed)}});
    for (int tries = 0; tries < 3; ++tries) {
      const std::string said = say(replies);
      if (said == "whole") return replies;
      const std::string asked = after(said, "where '", "' is asked");
      const std::string blocks = after(said, "a round of ", " ");
      if (!asked.empty()) replies.back()["ask"] = asked;
      if (!blocks.empty()) {
        replies.back()["reply"] = reply_to_all(std::stoi(blocks), number, failed);
      }
    }
  }
  return {};
}

}  // namespace loratune::made_up
