// Files and JSON that come from outside, read within bounds.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/internal/regular_file.h"

namespace loratune {

inline constexpr std::size_t kMostFileBytes = std::size_t{1} << 30;

// All of a regular file of at most `most` bytes. `what` names the file in the line of the Failure
// (kExitUsage) that is thrown otherwise: "journal 'a.journal' cannot be read".
std::string read_file(const std::string& path, const std::string& what,
                      std::size_t most = kMostFileBytes);

// The same of a file that gzip may have compressed; `most` counts what comes out of it.
std::string read_unpacked(const std::string& path, const std::string& what,
                          std::size_t most = kMostFileBytes);

// The first bytes of such a file, `count` where it has as many; nothing where it cannot be read.
std::string unpacked_head(const std::string& path, std::size_t count);

// A text as lines, for messages by number from 1: without the mark of UTF-8 in front of the first,
// and without blanks and a carriage return around each.
std::vector<std::string> lines_of(std::string_view text);

// The JSON of a text, nested no deeper than what this project writes, with no member twice. Throws
// std::invalid_argument with the reason in a printable line.
nlohmann::json parse_json(std::string_view text);

}  // namespace loratune
