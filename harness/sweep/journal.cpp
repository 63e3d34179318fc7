#include "harness/sweep/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "harness/base/clock.h"
#include "harness/base/failure.h"

namespace loratune {
namespace {

using nlohmann::json;

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw Failure(kExitUsage, "journal '" + path + "': " + why);
}

// The JSON of a whole line, or discarded: in parentheses, as braces would make an array of it.
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
  return json::parse(text, nullptr, false);
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

bool is_journal(const std::string& path) {
  std::string crc(8, '\0');
  return std::ifstream(path, std::ios::binary).read(crc.data(), 8) &&
         crc.find_first_not_of("0123456789abcdef") == std::string::npos;
}

JournalContent read_journal(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) fail(path, "cannot be read");
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  JournalContent content;
  while (content.whole_bytes < bytes.size()) {
    const std::size_t newline = bytes.find('\n', content.whole_bytes);
    if (newline == std::string::npos) break;
    json value =
        unframe(std::string_view(bytes).substr(content.whole_bytes, newline - content.whole_bytes));
    if (value.is_discarded()) break;
    if (content.header.is_null()) {
      if (!value.is_object() || value.value("schema", json()) != "loratune/journal") break;
      content.header = std::move(value);
    } else {
      content.replies.push_back(std::move(value));
    }
    content.whole_bytes = newline + 1;
  }
  if (content.header.is_null() && !bytes.empty()) fail(path, "is no journal of a sweep");
  return content;
}

Journal Journal::create(const std::string& path, const json& header, const FileCalls& calls) {
  if (access(path.c_str(), F_OK) == 0) {
    const int there = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (there >= 0) lock_or_fail(there, path);
    const int moved = std::rename(path.c_str(), (path + ".old").c_str());
    if (there >= 0) close(there);
    if (moved != 0) {
      fail(path, std::string("cannot be moved out of the way: ") + std::strerror(errno));
    }
  }
  Journal journal;
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

Journal Journal::resume(const std::string& path, const json& header, const FileCalls& calls) {
  Journal journal;
  journal.calls_ = calls;
  journal.fd_ = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (journal.fd_ >= 0) lock_or_fail(journal.fd_, path);  // before reading: it must not grow since
  JournalContent content = read_journal(path);
  if (content.header != header) {
    std::string differing;
    for (const auto& [key, value] : header.items()) {
      if (!content.header.contains(key) || content.header[key] != value) differing += " " + key;
    }
    fail(path, "was made by another sweep; differing:" + differing);
  }
  if (journal.fd_ < 0 || ftruncate(journal.fd_, static_cast<off_t>(content.whole_bytes)) != 0) {
    fail(path, std::string("cannot be written: ") + std::strerror(errno));
  }
  journal.started_ = seconds_now();
  if (!content.replies.empty()) journal.before_ = content.replies.back().value("t", 0.0);
  journal.replies_ = std::move(content.replies);
  return journal;
}

Journal Journal::replay(JournalContent content) {
  Journal journal;
  journal.replies_ = std::move(content.replies);
  return journal;
}

Journal::Journal(Journal&& other) noexcept
    : replies_(std::move(other.replies_)),
      next_(other.next_),
      fd_(std::exchange(other.fd_, -1)),
      calls_(other.calls_),
      before_(other.before_),
      started_(other.started_) {}

Journal::~Journal() {
  if (fd_ >= 0) close(fd_);
}

double Journal::elapsed() const { return before_ + (fd_ < 0 ? 0 : seconds_now() - started_); }

json Journal::ask(const std::string& tag, const std::function<json()>& live) {
  if (next_ < replies_.size()) {
    const json& line = replies_[next_++];
    if (line.value("ask", "") != tag) {
      throw Failure(kExitUsage, "the journal does not fit: it answers '" +
                                    line.value("ask", std::string("nothing")) + "' where '" + tag +
                                    "' is asked");
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
