#include "harness/report/input.h"

#include <new>
#include <stdexcept>

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/read_file.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr std::size_t kMostBytes = std::size_t{256} << 20;  // after decompression

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Failure(kExitUsage, "file '" + printable(path, 200) + "' " + why);
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
  if (is_journal(path)) {
    JournalContent journal = read_journal(path);
    if (journal.header.is_null()) refuse(path, "is a journal that was cut off within its header");
    return {path, std::move(journal)};
  }
  const std::string bytes = read_unpacked(path, "file", kMostBytes);
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
