#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "dispatch/internal/bounded_json.h"
#include "dispatch/internal/json_node.h"
#include "dispatch/internal/printable.h"
#include "dispatch/internal/problem_key.h"
#include "dispatch/internal/tuned_limits.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {
namespace {

using bounded_json::Cursor;
using bounded_json::Fault;
using bounded_json::is_word;
using bounded_json::kLower;
using bounded_json::kUpper;
using bounded_json::Node;
using bounded_json::Path;
using bounded_json::Tree;

TunedDevice read_device(const Node& node) {
  node.expect_members({"platform", "vendor", "vendor_id", "name", "driver", "compute_units",
                       "max_work_group_size", "local_mem_bytes", "extensions"},
                      {"device_version", "architecture", "sub_group_size", "usable_cpus"});
  TunedDevice device;
  device.platform = node["platform"].text();
  device.vendor = node["vendor"].text();
  device.vendor_id = node["vendor_id"].integer<std::uint32_t>(0, UINT32_MAX);
  device.name = node["name"].text();
  device.driver = node["driver"].text();
  device.compute_units = node["compute_units"].integer<int>(1, INT32_MAX);
  device.max_work_group_size = node["max_work_group_size"].integer(1, limits::kBytes);
  device.local_mem_bytes = node["local_mem_bytes"].integer(0, limits::kBytes);
  node["extensions"].for_each_element(0, limits::kExtensions, [&](const Node& extension) {
    device.extensions.emplace_back(extension.text(1));
  });
  if (node.has("device_version")) device.device_version = node["device_version"].text(1);
  if (node.has("architecture")) device.architecture = node["architecture"].text(1);
  if (node.has("sub_group_size")) {
    device.sub_group_size = node["sub_group_size"].integer<int>(1, INT32_MAX);
  }
  if (node.has("usable_cpus")) device.usable_cpus = node["usable_cpus"].number(0.01, INT32_MAX);
  return device;
}

KernelInfo read_kernel(const Node& node) {
  node.expect_members({"source_sha256", "revision"});
  const Node hash = node["source_sha256"];
  const std::string_view text = hash.text();
  if (text.size() != 64 || text.find_first_not_of("0123456789abcdef") != std::string::npos) {
    hash.fail("must be 64 lower-case hexadecimal digits");
  }
  return {std::string(text), node["revision"].integer<int>(0, INT32_MAX)};
}

NamedConfig read_config(const Node& node) {
  NamedConfig config;
  node.for_each_member(
      [&](std::string_view name, const Node& value) {
        if (!is_word(name, kUpper)) value.fail("no parameter name like TILE_M");
        config.emplace_back(name, value.integer<std::int32_t>(INT32_MIN, INT32_MAX));
      },
      limits::kParameters);
  std::sort(config.begin(), config.end());
  return config;
}

// Problems of version 1 are of one type of elements, and of one module and adapter.
constexpr std::int64_t kPlainVersion = 1;
constexpr std::int64_t kVersion = 2;

Dtype read_dtype(const Node& node, std::int64_t version) {
  if (version == kPlainVersion) return *parse_dtype(node.one_of({"f32", "f16"}));
  return *parse_dtype(node.one_of({"f32", "f16", "bf16"}));
}

Slices read_slices(const Node& node) {
  Slices slices;
  node.for_each_element(2, kMaxSlices, [&](const Node& columns) {
    slices.columns[static_cast<unsigned>(slices.count++)] =
        columns.integer<std::int32_t>(1, kMaxExtent);
  });
  return slices;
}

// An object with the members of a kind, all of `own`, perhaps some of `optional`, and nothing else.
Kind read_kind(const Node& node, std::int64_t version, std::initializer_list<std::string_view> own,
               std::initializer_list<std::string_view> optional = {}) {
  std::vector<std::string_view> required = {"op", "dtype", "accumulate"};
  std::vector<std::string_view> allowed = optional;
  required.insert(required.end(), own);
  if (version != kPlainVersion) {
    allowed.insert(allowed.end(), {"weights", "slices", "adapters", "dora"});
  }
  node.expect_members(required, allowed);
  node["op"].one_of({"fwd"});
  Kind kind;
  kind.types = read_dtype(node["dtype"], version);
  kind.accumulate = node["accumulate"].boolean();
  if (node.has("weights")) kind.types.weights = read_dtype(node["weights"], version);
  if (node.has("slices")) kind.slices = read_slices(node["slices"]);
  if (node.has("adapters")) kind.adapters = node["adapters"].integer<int>(1, kMaxAdapters);
  if (node.has("dora")) kind.dora = node["dora"].boolean();
  return kind;
}

Problem read_problem(const Node& node, std::int64_t version) {
  const Kind kind = read_kind(node, version, {"m", "k", "n", "rank"}, {"align"});
  Problem problem =
      make_problem(kind, node["m"].integer(0, kMaxExtent), node["k"].integer(1, kMaxExtent),
                   node["n"].integer(1, kMaxExtent), node["rank"].integer<int>(1, kMaxRank));
  if (node.has("align")) problem.align = node["align"].integer<int>(2, 4096);
  const std::string reason = invalid_reason(problem);
  if (!reason.empty()) node.fail(reason);
  set_align(problem, problem.align);
  return problem;
}

Range read_range(const Node& node, std::int64_t low, std::int64_t high) {
  std::array<std::int64_t, 2> ends{};
  std::size_t i = 0;
  node.for_each_element(2, 2, [&](const Node& end) { ends[i++] = end.integer(low, high); });
  if (ends[0] > ends[1]) node.fail("is empty: its low end is above its high end");
  return {ends[0], ends[1]};
}

Mode read_mode(const Node& node) {
  return *parse_mode(node.one_of({"fast", "deterministic", "batch_invariant"}));
}

template <class T>
std::string read_key(const Node& node, const std::map<std::string, T>& known,
                     std::string_view what) {
  std::string key(node.word());
  if (!known.contains(key)) node.fail("'" + key + "' is not in " + std::string(what));
  return key;
}

Record read_record(const Node& node, const TunedFile& file, std::int64_t version) {
  node.expect_members({"device", "mode", "problem", "variant", "config", "time_ns", "default_ns",
                       "speedup", "speedup_ci", "level", "rounds", "clock", "error_over_bound",
                       "seen", "reason"});
  Record record;
  record.device = read_key(node["device"], file.devices, "devices");
  record.mode = read_mode(node["mode"]);
  record.problem = read_problem(node["problem"], version);
  record.variant = read_key(node["variant"], file.kernels, "kernels");
  record.config = read_config(node["config"]);
  record.time_ns = node["time_ns"].integer(1, limits::kTimeNs);
  record.default_ns = node["default_ns"].integer(1, limits::kTimeNs);
  const auto ratio = [](const Node& value) {
    return value.number(limits::kSpeedupLow, limits::kSpeedupHigh);
  };
  record.speedup = ratio(node["speedup"]);
  const Node interval = node["speedup_ci"];
  std::array<double, 2> ends{};
  std::size_t i = 0;
  interval.for_each_element(2, 2, [&](const Node& end) { ends[i++] = ratio(end); });
  record.speedup_lo = ends[0];
  record.speedup_hi = ends[1];
  if (record.speedup_lo > record.speedup_hi) interval.fail("low end above the high end");
  record.level = node["level"].number(0, 1);
  record.rounds = node["rounds"].integer<int>(0, limits::kRounds);
  record.clock = node["clock"].one_of({"wall", "event"});
  record.error_over_bound = node["error_over_bound"].number(0, 1);
  record.seen = node["seen"].number(0, 1);
  record.reason = node["reason"].word();
  return record;
}

Rule read_rule(const Node& node, const TunedFile& file, std::int64_t version) {
  Rule rule;
  rule.kind =
      read_kind(node, version,
                {"device", "mode", "rank", "m", "k", "n", "variant", "config", "regret_bound"});
  rule.device = read_key(node["device"], file.devices, "devices");
  rule.mode = read_mode(node["mode"]);
  rule.rank = read_range(node["rank"], 1, kMaxRank);
  rule.m = read_range(node["m"], 0, kMaxExtent);
  rule.k = read_range(node["k"], 1, kMaxExtent);
  rule.n = read_range(node["n"], 1, kMaxExtent);
  const Problem least =
      make_problem(rule.kind, rule.m.lo, rule.k.lo, rule.n.lo, static_cast<int>(rule.rank.lo));
  const std::string reason = invalid_reason(least);
  if (!reason.empty()) node.fail(reason);
  if (rule.kind.slices.count != 0 && rule.n.lo != rule.n.hi) {
    node["n"].fail("a rule for slices is for the sum of their columns");
  }
  rule.variant = read_key(node["variant"], file.kernels, "kernels");
  rule.config = read_config(node["config"]);
  rule.regret_bound = node["regret_bound"].number(0, limits::kRegret);
  return rule;
}

// The members of the document, each with its bytes, of which only the brackets have been read.
using Members = std::map<std::string, std::string_view, std::less<>>;

Members members_of(std::string_view bytes) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (bytes.size() > static_cast<std::size_t>(kMaxTunedFileBytes)) {
    bounded_json::fail("", "too large");
  }
  const std::size_t begin = bytes.starts_with(kMark) ? kMark.size() : 0;
  const Path root;
  Members members;
  Cursor cursor(bytes, begin);
  // What is nested too deeply says so.
  if (bytes.substr(begin).starts_with('[')) Cursor(bytes, begin).skip(root);
  for_each_member(cursor, root, limits::kMembers,
                  [&](std::string_view name, Cursor& value, const Path& path) {
                    if (!members.emplace(name, value.skip(path)).second) {
                      bounded_json::fail(pointer(path), "duplicate member");
                    }
                  });
  cursor.expect_end(root);
  return members;
}

// Reads the members one by one, each entry of one by itself, so that no more than an entry is held
// that has not been found good.
class FileReader {
 public:
  // The members are those of the document.
  FileReader(std::string_view document, const Members& members)
      : document_(document), members_(members) {}

  // First, so that a later version is told from a broken file.
  void check_version() {
    if (!members_.contains("schema") || !members_.contains("version")) {
      bounded_json::fail("", "lacks schema or version");
    }
    read("schema", [](const Node& schema) { schema.one_of({"loratune/tuned"}); });
    read("version", [&](const Node& version) {
      version_ = version.integer(0, INT32_MAX);
      if (version_ < kPlainVersion || version_ > kVersion) {
        version.fail("is another version; this build reads versions 1 and 2");
      }
    });
  }

  void check_members() const {
    constexpr std::array<std::string_view, 7> kKnown = {"schema",  "version", "tool", "devices",
                                                        "kernels", "records", "rules"};
    for (const auto& [name, bytes] : members_) {
      if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
        bounded_json::fail(pointer(root_.member(name)), "unknown member");
      }
    }
    for (const std::string_view name : kKnown) {
      if (!members_.contains(name)) {
        bounded_json::fail("", "lacks the member " + std::string(name));
      }
    }
  }

  // The whole file. Where the entries are not kept, they are checked, and what is returned has the
  // names of devices and kernels and the rules alone.
  TunedFile read_all(bool keep) {
    TunedFile file;
    read("tool", [&](const Node& tool) {
      tool.expect_members({"name", "version", "commit"});
      file.tool = {std::string(tool["name"].text()), std::string(tool["version"].text()),
                   std::string(tool["commit"].text())};
    });
    read_members("devices", [&](const std::string& id, const Node& node) {
      if (!is_word(id, kLower)) node.fail("no device id like d0");
      TunedDevice device = read_device(node);
      const bool added = file.devices.emplace(id, keep ? std::move(device) : TunedDevice{}).second;
      if (!added) node.fail("duplicate member");
    });
    read_members("kernels", [&](const std::string& name, const Node& node) {
      if (!is_word(name, kLower)) node.fail("no variant name like tiled");
      if (!file.kernels.emplace(name, read_kernel(node)).second) node.fail("duplicate member");
    });
    if (keep) file.records.reserve(records_);
    read_elements("records", limits::kRecords, [&](const Node& node) {
      Record record = read_record(node, file, version_);
      if (keep) {
        file.records.push_back(std::move(record));
        return;
      }
      const auto device = file.devices.find(record.device);
      if (!keys_.emplace(device->first, make_key(record.problem, record.mode)).second) {
        node.fail("a second record for " + to_string(record.problem));
      }
    });
    records_ = keys_.size();
    read_elements("rules", limits::kRules, [&](const Node& node) {
      Rule rule = read_rule(node, file, version_);
      for (std::size_t i = 0; !keep && i < file.rules.size(); ++i) {
        if (overlap(rule, file.rules[i])) node.fail("overlaps rule " + std::to_string(i));
      }
      file.rules.push_back(std::move(rule));
    });
    keys_.clear();
    return file;
  }

 private:
  // Reads the bytes of the member and nothing else.
  Cursor cursor_of(std::string_view member) const {
    const std::string_view bytes = members_.find(member)->second;
    const auto begin = static_cast<std::size_t>(bytes.data() - document_.data());
    return Cursor(document_.substr(0, begin + bytes.size()), begin);
  }
  template <class Read>
  void read(std::string_view member, Read read) {
    const Path path = root_.member(member);
    Cursor cursor = cursor_of(member);
    cursor.read(tree_, path);
    cursor.expect_end(path);
    read(Node(tree_, path));
  }
  template <class Read>
  void read_members(std::string_view member, Read read) {
    const Path path = root_.member(member);
    Cursor cursor = cursor_of(member);
    for_each_member(cursor, path, limits::kMembers,
                    [&](std::string_view name, Cursor& value, const Path& place) {
                      value.read(tree_, place);
                      read(std::string(name), Node(tree_, place));
                    });
    cursor.expect_end(path);
  }
  template <class Read>
  void read_elements(std::string_view member, std::size_t most, Read read) {
    const Path path = root_.member(member);
    Cursor cursor = cursor_of(member);
    for_each_element(cursor, path, most, [&](Cursor& value, const Path& place) {
      value.read(tree_, place);
      read(Node(tree_, place));
    });
    cursor.expect_end(path);
  }

  std::string_view document_;
  const Members& members_;
  Path root_;
  Tree tree_;  // of the entry that is being read
  std::set<std::pair<std::string_view, ProblemKey>> keys_;
  std::size_t records_ = 0;
  std::int64_t version_ = kVersion;
};

}  // namespace

ParsedTunedFile parse_tuned_file(std::string_view bytes) {
  try {
    const Members members = members_of(bytes);
    FileReader reader(bytes, members);
    reader.check_version();
    reader.check_members();
    // The first time only to check: a file that is refused at its end costs no memory for what came
    // before.
    reader.read_all(false);
    return {reader.read_all(true), {}};
  } catch (const Fault& fault) {
    return {{}, fault.text};
  }
}

}  // namespace loratune
