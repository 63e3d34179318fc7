#include "harness/report/input.h"

#include <unistd.h>
#include <zlib.h>

#include <array>
#include <memory>
#include <stdexcept>

#include "dispatch/internal/printable.h"
#include "dispatch/internal/regular_file.h"
#include "harness/base/failure.h"
#include "harness/base/read_file.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr std::size_t kMostBytes = std::size_t{256} << 20;  // after decompression

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Failure(kExitUsage, "'" + printable(path, 200) + "' " + why);
}

// The bytes of a file; zlib reads what is not compressed as it is.
std::string read_bytes(const std::string& path) {
  std::string why;
  const int fd = open_regular_file(path, why);
  if (fd < 0) refuse(path, why);
  const std::unique_ptr<gzFile_s, decltype(&gzclose)> file(gzdopen(fd, "rb"), gzclose);
  if (file == nullptr) {
    close(fd);
    throw std::bad_alloc();
  }
  std::string bytes;
  std::array<char, 1 << 16> block{};
  for (;;) {
    const int got = gzread(file.get(), block.data(), static_cast<unsigned>(block.size()));
    int code = Z_OK;
    gzerror(file.get(), &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) refuse(path, "is damaged");
    if (got == 0) return bytes;
    bytes.append(block.data(), static_cast<std::size_t>(got));
    if (bytes.size() > kMostBytes) {
      refuse(path, "holds more than " + std::to_string(kMostBytes >> 20U) + " MiB");
    }
  }
}

// What a JSON document holds, by its schema.
Input from_json(const std::string& path, const std::string& bytes) {
  const json value = parse_json(bytes);
  const json schema = value.is_object() ? value.value("schema", json()) : json();
  if (schema == "loratune/gate") return {path, gate_from_json(value)};
  if (schema.is_null() && is_bench_file(value)) return {path, bench_file_from_json(value)};
  if (schema != "loratune/tuned") {
    throw std::invalid_argument(
        "is no tuned file, journal, recording, result of --bench --json or gate.json");
  }
  ParsedTunedFile parsed = parse_tuned_file(bytes);
  if (!parsed.file) throw std::invalid_argument("is no sound tuned file: " + parsed.error);
  return {path, std::move(*parsed.file)};
}

}  // namespace

Input read_input(const std::string& path) {
  if (is_recording(path)) return {path, read_recording(path)};
  if (is_journal(path)) return {path, read_journal(path)};
  const std::string bytes = read_bytes(path);
  if (bytes.empty()) refuse(path, "is empty");
  try {
    return from_json(path, bytes);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    refuse(path, printable(error.what(), 400));
  }
}

}  // namespace loratune
