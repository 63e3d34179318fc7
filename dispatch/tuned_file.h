// A TunedFile is what a sweep leaves behind and a runtime ships: for each device and problem the
// variant and config that ran fastest, with the evidence. It is data only: no string of it reaches
// a compiler. Its format is results/schema/tuned-v2.schema.json; files of
// version 1, which knows f32 and f16 alone, are read too.
//
// Threads: plain data, of which each thread may have copies, and functions that any number of
// threads may call at a time.
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loratune/dispatch/choice.h"

namespace loratune {

std::string_view to_string(Mode mode);
std::optional<Mode> parse_mode(std::string_view text);

struct ToolInfo {
  std::string name, version, commit;
  bool operator==(const ToolInfo&) const = default;
};

struct TunedDevice {
  std::string platform, vendor;
  std::uint32_t vendor_id = 0;
  std::string name, driver;
  int compute_units = 1;
  std::int64_t max_work_group_size = 1;
  std::int64_t local_mem_bytes = 0;
  std::vector<std::string> extensions;  // sorted
  // What earlier builds did not write, and drivers need not say: empty or 0 where unknown.
  std::string device_version, architecture;  // the latter as architecture_of() has it
  int sub_group_size = 0;
  // How many CPUs could be used where it was measured; 0 where as many as there are units.
  double usable_cpus = 0;
  auto operator<=>(const TunedDevice&) const = default;
};

// The part of a device that a tuned file records, its strings made fit for one: bytes that are no
// UTF-8 replaced, overlong text cut. Devices are compared in this form.
TunedDevice tuned_device(const DeviceInfo& device);

struct KernelInfo {
  std::string source_sha256;
  int revision = 0;
  bool operator==(const KernelInfo&) const = default;
};

// A config by parameter names, which need not be ones that this build knows. Sorted by name.
using NamedConfig = std::vector<std::pair<std::string, std::int32_t>>;

NamedConfig named_config(const SearchSpace& space, const Config& config);

// Inclusive.
struct Range {
  std::int64_t lo = 0, hi = 0;
  bool operator==(const Range&) const = default;
};

// What was found for one problem. speedup is exp(median of paired ln(default / this)), with its
// interval at `level`; the times are medians of their own and need not divide to it.
struct Record {
  std::string device;  // a key of TunedFile::devices
  Mode mode = Mode::fast;
  Problem problem;
  std::string variant;  // a key of TunedFile::kernels
  NamedConfig config;
  std::int64_t time_ns = 0, default_ns = 0;
  double speedup = 1, speedup_lo = 1, speedup_hi = 1, level = 0;
  int rounds = 0;
  std::string clock = "wall";   // or "event"
  double error_over_bound = 0;  // worst error against the reference, a fraction of the bound
  double seen = 0;              // share of the configs that satisfy the constraint
  std::string reason;           // a word: measured, no_significant_gain, ...
  bool operator==(const Record&) const = default;
};

// A choice for all problems within the ranges, those between the measured ones included.
struct Rule {
  std::string device;
  Mode mode = Mode::fast;
  Kind kind;
  Range rank, m, k, n;  // of a kind with slices n is their sum alone
  std::string variant;
  NamedConfig config;
  double regret_bound = 0;  // share of time lost at the left-out points of the grid, at worst
  bool operator==(const Rule&) const = default;
};

// Whether some problem of some device falls under both.
bool overlap(const Rule& a, const Rule& b);

struct TunedFile {
  ToolInfo tool;
  std::map<std::string, TunedDevice> devices;  // by id: [a-z0-9_], a letter first
  std::map<std::string, KernelInfo> kernels;   // by variant name
  std::vector<Record> records;
  std::vector<Rule> rules;
  bool operator==(const TunedFile&) const = default;
};

// The order of records in a file: device, mode, kind, k, n, rank, m, align.
bool file_order(const Record& a, const Record& b);

// The bytes of the file: sorted keys, one record and one rule a line, fractions to six significant
// digits. Equal files, whatever the order of their records, give equal bytes, and
// serialize(*parse_tuned_file(bytes).file) == bytes for any bytes that serialize gave and the
// parser accepts.
std::string serialize(const TunedFile& file);

struct ParsedTunedFile {
  std::optional<TunedFile> file;
  std::string error;  // one printable line with a JSON pointer to the fault; empty with a file
};

inline constexpr std::int64_t kMaxTunedFileBytes = std::int64_t{64} << 20;

// Never throws but std::bad_alloc, whatever the bytes are.
ParsedTunedFile parse_tuned_file(std::string_view bytes);

// A file above kMaxTunedFileBytes is refused before it is read, as is what is no regular file.
ParsedTunedFile load_tuned_file(const std::filesystem::path& path);

// Empty, or the error in one line. Atomic: the path holds the old bytes whole or the new ones
// whole, whatever happens. Refuses to write what parse_tuned_file() would refuse to read.
std::string write_tuned_file(const std::filesystem::path& path, const TunedFile& file);

}  // namespace loratune
