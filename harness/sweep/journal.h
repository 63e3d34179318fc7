// The journal of a sweep: a header that says what is being done, then every reply that came from
// the device, in order. Since all else is a function of the replies, the same journal gives the
// same tuned file, and a sweep that was cut off goes on where the journal ends.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dispatch/internal/atomic_write.h"

namespace loratune {

// A line is `crc32 length json`, in hex and decimal, so that one cut off by a crash is seen.
std::string frame_line(const nlohmann::json& value);

struct JournalContent {
  nlohmann::json header;                // null for an empty journal
  std::vector<nlohmann::json> replies;  // {"ask": tag, "t": seconds since the start, "reply": ...}
  std::size_t whole_bytes = 0;          // up to the end of the last whole line
};

// Whether the file begins as a journal does; a tuned file begins with a brace.
bool is_journal(const std::string& path);

// Reads as far as lines are whole; what follows a torn one is not looked at. Throws Failure
// (kExitUsage) for a file that cannot be read or does not begin as a journal.
JournalContent read_journal(const std::string& path);

// How a journal's lines get to the disk: a line counts once it would outlast a power cut.
inline constexpr FileCalls kJournalCalls = {::write, ::fdatasync};

class Journal {
 public:
  // A new journal with this header; one that exists is renamed to <path>.old. Throws Failure
  // (kExitUsage), also, like resume(), for one that another sweep is writing.
  static Journal create(const std::string& path, const nlohmann::json& header,
                        const FileCalls& calls = kJournalCalls);
  // Goes on with an existing one, its torn end cut off. Throws Failure (kExitUsage) if its header
  // differs.
  static Journal resume(const std::string& path, const nlohmann::json& header,
                        const FileCalls& calls = kJournalCalls);
  // Replies only; nothing is written, and what the journal does not hold throws ReplayEnd.
  static Journal replay(JournalContent content);

  struct ReplayEnd {};

  // The reply to what `tag` asks: the journal's next one, or what `live` returns, which is then
  // written and synced. Throws Failure (kExitUsage) if the journal's next reply is to another tag.
  nlohmann::json ask(const std::string& tag, const std::function<nlohmann::json()>& live);

  // Seconds that the sweep has run, those before a resume included.
  double elapsed() const;
  bool replaying() const { return next_ < replies_.size(); }

  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;
  ~Journal();

 private:
  Journal() = default;
  void append(const nlohmann::json& value);

  std::vector<nlohmann::json> replies_;
  std::size_t next_ = 0;
  int fd_ = -1;
  FileCalls calls_ = kJournalCalls;
  double before_ = 0;  // seconds of earlier runs
  double started_ = 0;
};

}  // namespace loratune
