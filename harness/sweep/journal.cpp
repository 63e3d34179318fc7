#include "harness/sweep/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "dispatch/internal/printable.h"
#include "harness/base/clock.h"
#include "harness/base/differing.h"
#include "harness/base/failure.h"
#include "harness/base/read_file.h"

namespace loratune {
namespace {

using nlohmann::json;

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw Failure(kExitUsage, "journal '" + printable(path, 200) + "': " + why);
}

// The JSON of a whole line, else a discarded value. Parentheses: braces would make it an array.
json unframe(std::string_view line) {
  unsigned crc = 0;
  std::size_t length = 0;
  const char* end = line.data() + line.size();
  const auto first = std::from_chars(line.data(), end, crc, 16);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ')
    return json(json::value_t::discarded);
  const auto second = std::from_chars(first.ptr + 1, end, length);
  if (second.ec != std::errc() || second.ptr == end || *second.ptr != ' ')
    return json(json::value_t::discarded);
  const std::string_view text(second.ptr + 1, static_cast<std::size_t>(end - second.ptr - 1));
  if (text.size() != length) return json(json::value_t::discarded);
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (crc32(0, bytes, static_cast<unsigned>(length)) != crc) return json(json::value_t::discarded);
  try {
    return parse_json(text);
  } catch (const std::invalid_argument&) {
    return json(json::value_t::discarded);
  }
}

bool is_reply(const json& value) {
  return value.is_object() && value.contains("reply") && value.contains("ask") &&
         value["ask"].is_string() && value.contains("t") && value["t"].is_number();
}

// So that no two sweeps write one journal. Held until the descriptor is closed.
void lock_or_fail(int fd, const std::string& path) {
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    fail(path, "is being written by another sweep");
  }
}

}  // namespace

std::string frame_line(const json& value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  const auto crc = crc32(0, reinterpret_cast<const unsigned char*>(text.data()),
                         static_cast<unsigned>(text.size()));
  char frame[40];
  std::snprintf(frame, sizeof(frame), "%08lx %zu ", crc, text.size());
  return frame + text + '\n';
}

namespace {

constexpr std::size_t kChecksumDigits = 8;

bool are_digits(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Whether the bytes are the beginning of a line, as frame_line() makes it, whose end is missing.
bool is_torn_line(std::string_view bytes) {
  const std::string_view crc = bytes.substr(0, kChecksumDigits);
  if (!are_digits(crc) || bytes.find('\n') != std::string_view::npos) return false;
  bytes.remove_prefix(crc.size());
  if (bytes.empty()) return true;
  if (bytes.front() != ' ') return false;
  bytes.remove_prefix(1);
  if (bytes.empty()) return true;
  std::size_t length = 0;
  const char* last = bytes.data() + bytes.size();
  const auto [end, error] = std::from_chars(bytes.data(), last, length);
  if (error != std::errc()) return false;
  bytes.remove_prefix(static_cast<std::size_t>(end - bytes.data()));
  return bytes.empty() || bytes == " " || (bytes.starts_with(" {") && bytes.size() - 1 <= length);
}

// Whether a line begins as frame_line() makes one.
bool begins_framed(std::string_view line) {
  return line.size() > kChecksumDigits && are_digits(line.substr(0, kChecksumDigits)) &&
         line[kChecksumDigits] == ' ';
}

// The first bytes of the file itself, as many as a line's checksum has, as far as they are digits.
std::string leading_digits(const std::string& path) {
  std::string crc(kChecksumDigits, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(crc.data(), static_cast<std::streamsize>(crc.size()));
  crc.resize(static_cast<std::size_t>(file.gcount()));
  return are_digits(crc) ? crc : "";
}

JournalContent content_of(const std::string& bytes, const std::string& path) {
  JournalContent content;
  content.path = path;
  std::size_t lines = 0;
  while (content.whole_bytes < bytes.size()) {
    const std::size_t newline = bytes.find('\n', content.whole_bytes);
    if (newline == std::string::npos) {
      const std::string_view rest = std::string_view(bytes).substr(content.whole_bytes);
      if (lines > 0 && !is_torn_line(rest)) {
        content.damage = "what stands behind line " + std::to_string(lines) + " is no line (" +
                         std::to_string(rest.size()) + " bytes): it is lost";
      }
      break;
    }
    json value =
        unframe(std::string_view(bytes).substr(content.whole_bytes, newline - content.whole_bytes));
    if (value.is_discarded()) {
      const auto behind =
          std::count(bytes.begin() + static_cast<std::ptrdiff_t>(newline) + 1, bytes.end(), '\n');
      content.damage = "line " + std::to_string(lines + 1) +
                       " is damaged: it is lost, and so are " + std::to_string(behind) +
                       " lines behind it";
      break;
    }
    if (lines++ == 0) {
      if (!value.is_object() || value.value("schema", json()) != "loratune/journal") break;
      content.header = std::move(value);
    } else if (is_reply(value)) {
      content.replies.push_back(std::move(value));
    } else {
      fail(path, "line " + std::to_string(lines) + " is no reply to a sweep");
    }
    content.whole_bytes = newline + 1;
  }
  if (content.header.is_null() && !bytes.empty()) {
    if (!is_torn_line(bytes)) {
      fail(path, content.damage.empty() || !begins_framed(bytes) ? "is no journal of a sweep"
                                                                 : content.damage);
    }
    content.damage = "its header is cut off";  // or it is a few digits of somebody else's
  }
  return content;
}

}  // namespace

bool is_journal(const std::string& path) {
  const std::string crc = unpacked_head(path, kChecksumDigits);
  return crc.size() == kChecksumDigits && are_digits(crc);
}

bool is_journal_or_torn(const std::string& path) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return false;
  return std::filesystem::is_empty(path, none) || !leading_digits(path).empty();
}

JournalContent read_journal(const std::string& path) {
  return content_of(read_unpacked(path, "journal"), path);
}

namespace {

bool exists(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

// Gives a journal that is in the way another name; whatever else is in the way is not ours to move.
void make_way(const std::string& path) {
  if (!exists(path)) return;
  if (!is_journal_or_torn(path)) {
    fail(path, "is there and is no journal: name another, or move it away");
  }
  const int there = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (there >= 0) lock_or_fail(there, path);
  std::string old = path + ".old";
  for (int number = 2; exists(old); ++number) old = path + ".old." + std::to_string(number);
  const int moved = std::rename(path.c_str(), old.c_str());
  const int error = errno;
  if (there >= 0) close(there);
  if (moved != 0)
    fail(path, std::string("cannot be moved out of the way: ") + std::strerror(error));
}

}  // namespace

Journal Journal::create(const std::string& path, const json& header, const FileCalls& calls) {
  make_way(path);
  Journal journal;
  journal.path_ = path;
  journal.calls_ = calls;
  journal.fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (journal.fd_ < 0) fail(path, std::string("cannot be written: ") + std::strerror(errno));
  lock_or_fail(journal.fd_, path);
  journal.started_ = seconds_now();
  journal.append(header);
  if (const int error = sync_folder_of(path)) {
    fail(path, std::string("its folder cannot be synced: ") + std::strerror(error));
  }
  return journal;
}

Journal Journal::resume(const std::string& path, const FileCalls& calls) {
  Journal journal;
  journal.path_ = path;
  journal.calls_ = calls;
  journal.fd_ = open(path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC);
  const int error = errno;
  if (journal.fd_ >= 0) lock_or_fail(journal.fd_, path);  // before reading: it must not grow since
  journal.content_ = content_of(read_file(path, "journal"), path);
  if (journal.fd_ < 0) fail(path, std::string("cannot be written: ") + std::strerror(error));
  return journal;
}

void Journal::begin(const json& header) {
  if (!content_.header.is_null() && content_.header != header) {
    fail(path_,
         "was made by another sweep; differing: " + differing_members(content_.header, header));
  }
  if (!content_.damage.empty()) {
    std::string kept = path_ + ".damaged";
    for (int number = 2; exists(kept); ++number)
      kept = path_ + ".damaged." + std::to_string(number);
    const std::string why = atomic_write(kept, read_file(path_, "journal"));
    if (!why.empty()) throw Failure(kExitUsage, why);
  }
  if (ftruncate(fd_, static_cast<off_t>(content_.whole_bytes)) != 0) {
    fail(path_, std::string("cannot be written: ") + std::strerror(errno));
  }
  started_ = seconds_now();
  if (content_.header.is_null()) {
    append(header);
  } else if (!content_.replies.empty()) {
    before_ = content_.replies.back().value("t", 0.0);
  }
}

Journal Journal::replay(JournalContent content) {
  Journal journal;
  journal.path_ = content.path;
  journal.content_ = std::move(content);
  return journal;
}

Journal::Journal(Journal&& other) noexcept
    : path_(std::move(other.path_)),
      content_(std::move(other.content_)),
      next_(other.next_),
      fd_(std::exchange(other.fd_, -1)),
      calls_(other.calls_),
      before_(other.before_),
      started_(other.started_) {}

Journal::~Journal() {
  if (fd_ >= 0) close(fd_);
}

void Journal::refuse(const std::string& why) const { fail(path_, why); }

double Journal::elapsed() const { return before_ + (fd_ < 0 ? 0 : seconds_now() - started_); }

json Journal::ask(const std::string& tag, const std::function<json()>& live) {
  if (has_answer()) {
    const json& line = content_.replies[next_++];
    const auto& asked = line.at("ask").get_ref<const std::string&>();
    if (asked != tag) {
      fail(path_,
           "does not fit: it answers '" + printable(asked, 200) + "' where '" + tag + "' is asked");
    }
    return line.at("reply");
  }
  if (fd_ < 0) throw ReplayEnd{};
  json reply = live();
  append({{"ask", tag}, {"t", elapsed()}, {"reply", reply}});
  // What was just measured and what a replay reads back must be the same bits.
  return json::parse(reply.dump(-1, ' ', false, json::error_handler_t::replace));
}

void Journal::append(const json& value) {
  const auto lost = [] {
    throw Failure(kExitUsage,
                  std::string("the journal cannot be written: ") + std::strerror(errno));
  };
  const std::string line = frame_line(value);
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t wrote = calls_.write(fd_, line.data() + done, line.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) lost();
    done += static_cast<std::size_t>(wrote);
  }
  while (calls_.fsync(fd_) != 0) {
    if (errno != EINTR) lost();
  }
}

}  // namespace loratune
