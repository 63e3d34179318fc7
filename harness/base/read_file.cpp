#include "harness/base/read_file.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"

namespace loratune {

using nlohmann::json;

std::string read_file(const std::string& path, const std::string& what, std::size_t most) {
  const std::string name = what + " '" + printable(path, 200) + "' ";
  const auto refuse = [&](const std::string& why) { throw Failure(kExitUsage, name + why); };
  std::string why;
  const int fd = open_regular_file(path, why);
  if (fd < 0) refuse(why);
  const struct Closer {
    int fd;
    ~Closer() { close(fd); }
  } closer{fd};
  struct stat status {};
  if (fstat(fd, &status) != 0) refuse("cannot be read: " + std::string(std::strerror(errno)));
  if (static_cast<std::size_t>(status.st_size) > most) {
    refuse("is larger than " + std::to_string(most) + " bytes");
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = read(fd, bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse("cannot be read: " + std::string(std::strerror(errno)));
    if (got == 0) break;  // it became shorter meanwhile
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

namespace {

using GzFile = std::unique_ptr<gzFile_s, decltype(&gzclose)>;

// Null, with the reason, for what is no regular file. zlib reads what is not compressed as it is.
GzFile open_unpacked(const std::string& path, std::string& why) {
  const int fd = open_regular_file(path, why);
  GzFile file(fd < 0 ? nullptr : gzdopen(fd, "rb"), gzclose);
  if (fd >= 0 && file == nullptr) {
    close(fd);
    throw std::bad_alloc();
  }
  return file;
}

}  // namespace

std::string read_unpacked(const std::string& path, const std::string& what, std::size_t most) {
  const auto refuse = [&](const std::string& why) {
    throw Failure(kExitUsage, what + " '" + printable(path, 200) + "' " + why);
  };
  std::string why;
  const GzFile file = open_unpacked(path, why);
  if (file == nullptr) refuse(why);
  std::string bytes;
  std::array<char, 1 << 16> block{};
  for (;;) {
    const int got = gzread(file.get(), block.data(), static_cast<unsigned>(block.size()));
    int code = Z_OK;
    gzerror(file.get(), &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) refuse("is damaged");
    if (got == 0) return bytes;
    bytes.append(block.data(), static_cast<std::size_t>(got));
    if (bytes.size() > most) refuse("holds more than " + std::to_string(most >> 20U) + " MiB");
  }
}

std::string unpacked_head(const std::string& path, std::size_t count) {
  std::string why;
  const GzFile file = open_unpacked(path, why);
  std::string bytes(count, '\0');
  const int got =
      file == nullptr ? 0 : gzread(file.get(), bytes.data(), static_cast<unsigned>(count));
  bytes.resize(static_cast<std::size_t>(std::max(got, 0)));
  return bytes;
}

std::vector<std::string> lines_of(std::string_view text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  constexpr std::string_view kBlanks = " \t\r";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    line = line.substr(0, line.find_last_not_of(kBlanks) + 1);
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

json parse_json(std::string_view text) {
  constexpr int kDepth = 32;
  using Event = json::parse_event_t;
  std::vector<std::set<std::string>> members;  // of the objects that have begun and not ended
  const auto check = [&](int depth, Event event, json& value) {
    if (depth > kDepth) throw std::invalid_argument("JSON is nested too deeply");
    if (event == Event::object_start) members.emplace_back();
    if (event == Event::object_end) members.pop_back();
    if (event == Event::key && !members.back().insert(value.get<std::string>()).second) {
      throw std::invalid_argument("member '" + printable(value.get<std::string>(), 100) +
                                  "' stands twice");
    }
    return true;
  };
  // The parser takes a zero byte for the end of the text.
  if (text.find('\0') != std::string_view::npos) {
    throw std::invalid_argument("JSON holds a zero byte");
  }
  try {
    return json::parse(text.begin(), text.end(), check);
  } catch (const json::exception& error) {
    throw std::invalid_argument(printable(error.what(), 200));
  }
}

}  // namespace loratune
