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
  std::string path;                     // of the file
  nlohmann::json header;                // null for an empty journal
  std::vector<nlohmann::json> replies;  // {"ask": tag, "t": seconds since the start, "reply": ...}
  std::size_t whole_bytes = 0;          // up to the end of the last whole line
  std::string damage;  // what is damaged, and what is lost with it; empty where only the last line
                       // is torn, as a kill leaves it
};

// Whether the file, which gzip may have compressed, begins as a journal does; a tuned file begins
// with a brace.
bool is_journal(const std::string& path);

// Whether the file is empty, or begins as a journal that a kill may have cut off within its first
// line: such a one may be moved away for another.
bool is_journal_or_torn(const std::string& path);

// Reads as far as lines are whole; the file may be compressed by gzip. One that was cut off within
// its header is empty. Throws Failure (kExitUsage) for a file that cannot be read or does not begin
// as a journal.
JournalContent read_journal(const std::string& path);

// How a journal's lines get to the disk: a line counts once it would outlast a power cut.
inline constexpr FileCalls kJournalCalls = {::write, ::fdatasync};

class Journal {
 public:
  // A new journal with this header. A journal that is there already takes the first free name of
  // <path>.old, <path>.old.2 and so on; what is there and is no journal stays. Throws Failure
  // (kExitUsage), also, like resume(), for a journal that another sweep is writing.
  static Journal create(const std::string& path, const nlohmann::json& header,
                        const FileCalls& calls = kJournalCalls);
  // An existing one, to be gone on with once its header is agreed on: begin() is next. It is not
  // compressed.
  static Journal resume(const std::string& path, const FileCalls& calls = kJournalCalls);
  // Replies only; nothing is written, and what the journal does not hold throws ReplayEnd.
  static Journal replay(JournalContent content);

  // What the journal to be gone on with begins with; null where it is empty, and for a new one.
  const nlohmann::json& header() const { return content_.header; }
  // What is lost of it, as JournalContent::damage.
  const std::string& damage() const { return content_.damage; }

  // Goes on with a journal that was begun with this header; one that is empty begins with it. Its
  // torn end is cut off; of a damaged one the whole is kept as <path>.damaged. Throws Failure
  // (kExitUsage) where it was begun with another header.
  void begin(const nlohmann::json& header);

  struct ReplayEnd {};

  // The reply to what `tag` asks: the journal's next one, or what `live` returns, which is then
  // written and synced. Throws Failure (kExitUsage) if the journal's next reply is to another tag.
  nlohmann::json ask(const std::string& tag, const std::function<nlohmann::json()>& live);

  // Whether the journal itself answers the next question.
  bool has_answer() const { return next_ < content_.replies.size(); }

  // Throws Failure (kExitUsage), with the journal's name before `why`.
  [[noreturn]] void refuse(const std::string& why) const;

  // Seconds that the sweep has run, those before a resume included.
  double elapsed() const;
  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;
  ~Journal();

 private:
  Journal() = default;
  void append(const nlohmann::json& value);

  std::string path_;
  JournalContent content_;
  std::size_t next_ = 0;  // of its replies
  int fd_ = -1;
  FileCalls calls_ = kJournalCalls;
  double before_ = 0;  // seconds of earlier runs
  double started_ = 0;
};

}  // namespace loratune
