#include "loratune/dispatch/tuned_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <system_error>
#include <tuple>

#include "dispatch/internal/atomic_write.h"
#include "dispatch/internal/printable.h"
#include "dispatch/internal/tuned_limits.h"
#include "loratune/dispatch/device_match.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 3> kModes = {"fast", "deterministic", "batch_invariant"};

std::string dump(const json& value) {
  return value.dump(-1, ' ', true, json::error_handler_t::replace);
}

// To six significant digits. Not a number for what no file may hold, so that reading refuses it.
json rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  std::array<char, 32> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 6);
  return json::parse(text.data(), end);
}

json to_json(const NamedConfig& config) {
  json object = json::object();
  for (const auto& [name, value] : config) object[name] = value;
  return object;
}

json to_json(const Range& range) { return json::array({range.lo, range.hi}); }

// The members of a kind, into the object of the problem or rule that has it. What is not there is
// what a plain problem has.
void add_kind(json& object, const Kind& kind) {
  object["op"] = to_string(kind.op);
  object["dtype"] = to_string(kind.types.data);
  object["accumulate"] = kind.accumulate;
  if (kind.types.weights != kind.types.data) object["weights"] = to_string(kind.types.weights);
  if (kind.slices.count != 0) {
    const auto* const first = kind.slices.columns.begin();
    object["slices"] = std::vector<int>(first, first + kind.slices.count);
  }
  if (kind.adapters != 0) object["adapters"] = kind.adapters;
  if (kind.dora) object["dora"] = true;
}

json to_json(const Problem& problem) {
  json object = {{"m", problem.m}, {"k", problem.k}, {"n", problem.n}, {"rank", problem.rank}};
  add_kind(object, kind_of(problem));
  if (problem.align != 0) object["align"] = problem.align;
  return object;
}

json to_json(const TunedDevice& device) {
  json object = {{"platform", device.platform},
                 {"vendor", device.vendor},
                 {"vendor_id", device.vendor_id},
                 {"name", device.name},
                 {"driver", device.driver},
                 {"compute_units", device.compute_units},
                 {"max_work_group_size", device.max_work_group_size},
                 {"local_mem_bytes", device.local_mem_bytes},
                 {"extensions", device.extensions}};
  if (!device.device_version.empty()) object["device_version"] = device.device_version;
  if (!device.architecture.empty()) object["architecture"] = device.architecture;
  if (device.sub_group_size != 0) object["sub_group_size"] = device.sub_group_size;
  if (device.usable_cpus != 0) object["usable_cpus"] = rounded(device.usable_cpus);
  return object;
}

json to_json(const KernelInfo& kernel) {
  return {{"source_sha256", kernel.source_sha256}, {"revision", kernel.revision}};
}

json to_json(const Record& r) {
  return {{"device", r.device},
          {"mode", to_string(r.mode)},
          {"problem", to_json(r.problem)},
          {"variant", r.variant},
          {"config", to_json(r.config)},
          {"time_ns", r.time_ns},
          {"default_ns", r.default_ns},
          {"speedup", rounded(r.speedup)},
          {"speedup_ci", json::array({rounded(r.speedup_lo), rounded(r.speedup_hi)})},
          {"level", rounded(r.level)},
          {"rounds", r.rounds},
          {"clock", r.clock},
          {"error_over_bound", rounded(r.error_over_bound)},
          {"seen", rounded(r.seen)},
          {"reason", r.reason}};
}

json to_json(const Rule& r) {
  json object = {{"device", r.device},
                 {"mode", to_string(r.mode)},
                 {"rank", to_json(r.rank)},
                 {"m", to_json(r.m)},
                 {"k", to_json(r.k)},
                 {"n", to_json(r.n)},
                 {"variant", r.variant},
                 {"config", to_json(r.config)},
                 {"regret_bound", rounded(r.regret_bound)}};
  add_kind(object, r.kind);
  return object;
}

template <class T>
std::string object_lines(const std::map<std::string, T>& values) {
  std::string out;
  for (const auto& [key, value] : values) {
    out += (out.empty() ? "\n" : ",\n") + dump(key) + ":" + dump(to_json(value));
  }
  return "{" + out + "\n}";
}

template <class T, class Less>
std::string array_lines(const std::vector<T>& values, Less less) {
  std::vector<const T*> sorted;
  for (const T& value : values) sorted.push_back(&value);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const T* a, const T* b) { return less(*a, *b); });
  std::string out;
  for (const T* value : sorted) out += (out.empty() ? "\n" : ",\n") + dump(to_json(*value));
  return "[" + out + "\n]";
}

bool rule_order(const Rule& a, const Rule& b) {
  const auto key = [](const Rule& r) {
    return std::tie(r.device, r.mode, r.kind, r.k.lo, r.n.lo, r.rank.lo, r.m.lo, r.k.hi, r.n.hi,
                    r.rank.hi, r.m.hi, r.variant, r.config);
  };
  return key(a) < key(b);
}

// Valid UTF-8 of at most `limit` characters.
std::string fit(std::string_view text, std::size_t limit) {
  std::string clean = json::parse(dump(std::string(text.substr(0, 4 * limit)))).get<std::string>();
  std::size_t characters = 0;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const bool first_byte = (static_cast<unsigned char>(clean[i]) & 0xc0U) != 0x80U;
    if (first_byte && characters++ == limit) clean.resize(i);
  }
  return clean;
}

struct ReadFile {
  std::optional<std::string> bytes;
  std::string error;
};

ReadFile read_file(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return {{}, std::generic_category().message(errno)};
  if (S_ISDIR(status.st_mode)) return {{}, "is a folder"};
  if (!S_ISREG(status.st_mode)) return {{}, "is no regular file"};
  const auto too_large = [] {
    return "is larger than the " + std::to_string(kMaxTunedFileBytes) +
           " bytes that a tuned file may have";
  };
  if (status.st_size > kMaxTunedFileBytes) return {{}, too_large()};
  std::string bytes;
  std::size_t size = 0;
  while (true) {  // to the end, not to st_size: the file may have grown
    // In one piece: to grow would hold the bytes twice.
    if (size == bytes.size()) {
      bytes.resize(std::max(size, static_cast<std::size_t>(status.st_size)) + 65536);
    }
    const ssize_t got = ::read(file, bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {{}, std::generic_category().message(errno)};
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size > static_cast<std::size_t>(kMaxTunedFileBytes)) return {{}, too_large()};
  }
  bytes.resize(size);
  return {std::move(bytes), {}};
}

}  // namespace

std::string_view to_string(Mode mode) { return kModes[static_cast<unsigned>(mode)]; }

std::optional<Mode> parse_mode(std::string_view text) {
  const auto* found = std::find(kModes.begin(), kModes.end(), text);
  if (found == kModes.end()) return std::nullopt;
  return static_cast<Mode>(found - kModes.begin());
}

TunedDevice tuned_device(const DeviceInfo& device) {
  TunedDevice tuned;
  tuned.platform = fit(device.platform, limits::kText);
  tuned.vendor = fit(device.vendor, limits::kText);
  tuned.vendor_id = device.vendor_id;
  tuned.name = fit(device.name, limits::kText);
  tuned.driver = fit(device.driver, limits::kText);
  tuned.compute_units = std::max(device.compute_units, 1);
  tuned.max_work_group_size =
      std::clamp<std::int64_t>(device.max_work_group_size, 1, limits::kBytes);
  tuned.local_mem_bytes = std::clamp<std::int64_t>(device.local_mem_bytes, 0, limits::kBytes);
  for (const std::string& extension : device.extensions) {
    if (!extension.empty()) tuned.extensions.push_back(fit(extension, limits::kText));
  }
  std::sort(tuned.extensions.begin(), tuned.extensions.end());
  if (tuned.extensions.size() > limits::kExtensions) tuned.extensions.resize(limits::kExtensions);
  tuned.device_version = fit(device.device_version, limits::kText);
  tuned.architecture = fit(architecture_of(device), limits::kText);
  if (device.preferred_multiple > 1) tuned.sub_group_size = device.preferred_multiple;
  tuned.usable_cpus = device.usable_cpus;
  return tuned;
}

NamedConfig named_config(const SearchSpace& space, const Config& config) {
  NamedConfig named;
  for (int i = 0; i < config.size(); ++i) {
    named.emplace_back(space.parameters[static_cast<std::size_t>(i)].name, config[i]);
  }
  std::sort(named.begin(), named.end());
  return named;
}

bool overlap(const Rule& a, const Rule& b) {
  const auto kind = [](const Rule& r) { return std::tie(r.device, r.mode, r.kind); };
  const auto meet = [](const Range& p, const Range& q) { return p.lo <= q.hi && q.lo <= p.hi; };
  return kind(a) == kind(b) && meet(a.m, b.m) && meet(a.rank, b.rank) && meet(a.k, b.k) &&
         meet(a.n, b.n);
}

bool file_order(const Record& a, const Record& b) {
  const auto key = [](const Record& r) {
    const Problem& p = r.problem;
    return std::tuple(std::string_view(r.device), r.mode, kind_of(p), p.k, p.n, p.rank, p.m,
                      p.align);
  };
  return key(a) < key(b);
}

std::string serialize(const TunedFile& file) {
  const json tool = {
      {"name", file.tool.name}, {"version", file.tool.version}, {"commit", file.tool.commit}};
  return "{\"devices\":" + object_lines(file.devices) +
         ",\n\"kernels\":" + object_lines(file.kernels) +
         ",\n\"records\":" + array_lines(file.records, file_order) +
         ",\n\"rules\":" + array_lines(file.rules, rule_order) +
         ",\n\"schema\":\"loratune/tuned\",\n\"tool\":" + dump(tool) + ",\n\"version\":2}\n";
}

ParsedTunedFile load_tuned_file(const std::filesystem::path& path) {
  // O_NONBLOCK: a FIFO without a writer must not hang the host.
  int file = -1;
  do {
    file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (file < 0 && errno == EINTR);
  const std::string name = printable(path.string(), 300) + ": ";
  if (file < 0) return {{}, name + std::generic_category().message(errno)};
  ReadFile read;
  try {
    read = read_file(file);
  } catch (...) {
    ::close(file);
    throw;
  }
  ::close(file);
  if (!read.bytes) return {{}, name + read.error};
  ParsedTunedFile parsed = parse_tuned_file(*read.bytes);
  if (!parsed.file) parsed.error = name + parsed.error;
  return parsed;
}

std::string write_tuned_file(const std::filesystem::path& path, const TunedFile& file) {
  const std::string bytes = serialize(file);
  const ParsedTunedFile check = parse_tuned_file(bytes);
  if (!check.file) return printable(path.string(), 300) + ": not written, " + check.error;
  return atomic_write(path, bytes);
}

}  // namespace loratune
