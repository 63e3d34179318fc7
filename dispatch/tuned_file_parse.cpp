#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "dispatch/internal/bounded_json.h"
#include "dispatch/internal/printable.h"
#include "dispatch/internal/problem_key.h"
#include "dispatch/internal/tuned_limits.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {
namespace {

using bounded_json::Fault;
using bounded_json::pointer_token;
using nlohmann::json;

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

// A letter first, then letters, digits and `_`.
bool is_word(std::string_view text, std::string_view letters) {
  return !text.empty() && text.size() <= limits::kWord &&
         letters.find(text[0]) != std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return c == '_' || (c >= '0' && c <= '9') || letters.find(c) != std::string_view::npos;
         });
}
constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

// A value of the tree and where it stands.
class Node {
 public:
  explicit Node(const json& value) : value_(value) {}
  Node(const json& value, const Node& parent, std::string token)
      : value_(value), parent_(&parent), token_(std::move(token)) {}

  [[noreturn]] void fail(std::string_view what) const { bounded_json::fail(pointer(), what); }

  // An object with all of `required`, perhaps `optional`, and nothing else.
  void expect_members(std::initializer_list<const char*> required,
                      std::string_view optional = {}) const {
    for (const auto& [key, value] : object().items()) {
      if (key != optional && std::find(required.begin(), required.end(), key) == required.end()) {
        Node(value, *this, pointer_token(key)).fail("unknown member");
      }
    }
    for (const char* key : required) {
      if (!value_.contains(key)) fail(std::string("lacks the member ") + key);
    }
  }
  const json& object(std::size_t most = limits::kMembers) const {
    if (!value_.is_object()) fail("must be an object");
    if (value_.size() > most) fail("too many members");
    return value_;
  }
  bool has(const char* key) const { return value_.contains(key); }
  Node operator[](const char* key) const { return {value_.at(key), *this, pointer_token(key)}; }

  std::size_t elements(std::size_t least, std::size_t most) const {
    if (!value_.is_array()) fail("must be an array");
    if (value_.size() < least || value_.size() > most) {
      fail("must have " + std::to_string(least) + ".." + std::to_string(most) + " elements");
    }
    return value_.size();
  }
  Node operator[](std::size_t i) const { return {value_.at(i), *this, "/" + std::to_string(i)}; }

  template <class T = std::int64_t>
  T integer(std::int64_t low, std::int64_t high) const {
    std::int64_t value = 0;
    bool good = false;
    if (value_.is_number_unsigned()) {
      good = value_.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX);
      if (good) value = value_.get<std::int64_t>();
    } else if (value_.is_number_integer()) {
      good = true;
      value = value_.get<std::int64_t>();
    } else if (value_.is_number_float()) {  // 3.0 is an integer in JSON, 3.9 is none
      const auto real = value_.get<double>();
      good = real == std::floor(real) && std::abs(real) <= static_cast<double>(limits::kBytes);
      if (good) value = static_cast<std::int64_t>(real);
    }
    if (!good || value < low || value > high) {
      fail("must be an integer in " + std::to_string(low) + ".." + std::to_string(high));
    }
    return static_cast<T>(value);
  }
  double number(double low, double high) const {
    if (!value_.is_number()) fail("must be a number");
    const auto value = value_.get<double>();
    if (!(value >= low && value <= high)) fail("number out of range");
    return value;
  }
  bool boolean() const {
    if (!value_.is_boolean()) fail("must be true or false");
    return value_.get<bool>();
  }
  const std::string& text(std::size_t least = 0) const {
    if (!value_.is_string()) fail("must be a string");
    const auto& text = value_.get_ref<const std::string&>();
    if (characters(text) < least) fail("must not be empty");
    if (characters(text) > limits::kText) fail("string too long");
    return text;
  }
  const std::string& word() const {
    if (!is_word(text(), kLower)) fail("'" + printable(text()) + "' is no word like tiled_2");
    return text();
  }
  const std::string& one_of(std::initializer_list<std::string_view> words) const {
    if (std::find(words.begin(), words.end(), text()) == words.end()) {
      fail("'" + printable(text()) + "' is none of the known words");
    }
    return text();
  }

 private:
  std::string pointer() const { return parent_ == nullptr ? "" : parent_->pointer() + token_; }

  const json& value_;
  const Node* parent_ = nullptr;
  std::string token_;
};

// The members of an object that names are free in.
template <class Read>
void for_each_member(const Node& node, std::size_t most, Read read) {
  for (const auto& [key, value] : node.object(most).items()) {
    read(key, Node(value, node, pointer_token(key)));
  }
}

TunedDevice read_device(const Node& node) {
  node.expect_members({"platform", "vendor", "vendor_id", "name", "driver", "compute_units",
                       "max_work_group_size", "local_mem_bytes", "extensions"});
  TunedDevice device;
  device.platform = node["platform"].text();
  device.vendor = node["vendor"].text();
  device.vendor_id = node["vendor_id"].integer<std::uint32_t>(0, UINT32_MAX);
  device.name = node["name"].text();
  device.driver = node["driver"].text();
  device.compute_units = node["compute_units"].integer<int>(1, INT32_MAX);
  device.max_work_group_size = node["max_work_group_size"].integer(1, limits::kBytes);
  device.local_mem_bytes = node["local_mem_bytes"].integer(0, limits::kBytes);
  const Node extensions = node["extensions"];
  const std::size_t count = extensions.elements(0, limits::kExtensions);
  for (std::size_t i = 0; i < count; ++i) device.extensions.push_back(extensions[i].text(1));
  return device;
}

KernelInfo read_kernel(const Node& node) {
  node.expect_members({"source_sha256", "revision"});
  const Node hash = node["source_sha256"];
  const std::string& text = hash.text();
  if (text.size() != 64 || text.find_first_not_of("0123456789abcdef") != std::string::npos) {
    hash.fail("must be 64 lower-case hexadecimal digits");
  }
  return {text, node["revision"].integer<int>(0, INT32_MAX)};
}

NamedConfig read_config(const Node& node) {
  NamedConfig config;
  for_each_member(node, limits::kParameters, [&](const std::string& name, const Node& value) {
    if (!is_word(name, kUpper)) value.fail("no parameter name like TILE_M");
    config.emplace_back(name, value.integer<std::int32_t>(INT32_MIN, INT32_MAX));
  });
  return config;
}

Problem read_problem(const Node& node) {
  node.expect_members({"op", "m", "k", "n", "rank", "dtype", "accumulate"}, "align");
  Problem problem;
  node["op"].one_of({"fwd"});
  problem.m = node["m"].integer(0, kMaxExtent);
  problem.k = node["k"].integer(1, kMaxExtent);
  problem.n = node["n"].integer(1, kMaxExtent);
  problem.rank = node["rank"].integer<int>(1, kMaxRank);
  problem.dtype = *parse_dtype(node["dtype"].one_of({"f32", "f16"}));
  problem.accumulate = node["accumulate"].boolean();
  if (node.has("align")) problem.align = node["align"].integer<int>(2, 4096);
  const std::string reason = invalid_reason(problem);
  if (!reason.empty()) node.fail(reason);
  return problem;
}

Range read_range(const Node& node, std::int64_t low, std::int64_t high) {
  node.elements(2, 2);
  const Range range = {node[std::size_t{0}].integer(low, high), node[1].integer(low, high)};
  if (range.lo > range.hi) node.fail("is empty: its low end is above its high end");
  return range;
}

Mode read_mode(const Node& node) {
  return *parse_mode(node.one_of({"fast", "deterministic", "batch_invariant"}));
}

template <class T>
const std::string& read_key(const Node& node, const std::map<std::string, T>& known,
                            std::string_view what) {
  const std::string& key = node.word();
  if (!known.contains(key)) node.fail("'" + key + "' is not in " + std::string(what));
  return key;
}

Record read_record(const Node& node, const TunedFile& file) {
  node.expect_members({"device", "mode", "problem", "variant", "config", "time_ns", "default_ns",
                       "speedup", "speedup_ci", "level", "rounds", "clock", "error_over_bound",
                       "seen", "reason"});
  Record record;
  record.device = read_key(node["device"], file.devices, "devices");
  record.mode = read_mode(node["mode"]);
  record.problem = read_problem(node["problem"]);
  record.variant = read_key(node["variant"], file.kernels, "kernels");
  record.config = read_config(node["config"]);
  record.time_ns = node["time_ns"].integer(1, limits::kTimeNs);
  record.default_ns = node["default_ns"].integer(1, limits::kTimeNs);
  const auto ratio = [](const Node& value) {
    return value.number(limits::kSpeedupLow, limits::kSpeedupHigh);
  };
  record.speedup = ratio(node["speedup"]);
  const Node interval = node["speedup_ci"];
  interval.elements(2, 2);
  record.speedup_lo = ratio(interval[std::size_t{0}]);
  record.speedup_hi = ratio(interval[1]);
  if (record.speedup_lo > record.speedup_hi) interval.fail("low end above the high end");
  record.level = node["level"].number(0, 1);
  record.rounds = node["rounds"].integer<int>(0, limits::kRounds);
  record.clock = node["clock"].one_of({"wall", "event"});
  record.error_over_bound = node["error_over_bound"].number(0, 1);
  record.seen = node["seen"].number(0, 1);
  record.reason = node["reason"].word();
  return record;
}

Rule read_rule(const Node& node, const TunedFile& file) {
  node.expect_members({"device", "mode", "op", "dtype", "accumulate", "rank", "m", "k", "n",
                       "variant", "config", "regret_bound"});
  Rule rule;
  rule.device = read_key(node["device"], file.devices, "devices");
  rule.mode = read_mode(node["mode"]);
  node["op"].one_of({"fwd"});
  rule.dtype = *parse_dtype(node["dtype"].one_of({"f32", "f16"}));
  rule.accumulate = node["accumulate"].boolean();
  rule.rank = read_range(node["rank"], 1, kMaxRank);
  rule.m = read_range(node["m"], 0, kMaxExtent);
  rule.k = read_range(node["k"], 1, kMaxExtent);
  rule.n = read_range(node["n"], 1, kMaxExtent);
  rule.variant = read_key(node["variant"], file.kernels, "kernels");
  rule.config = read_config(node["config"]);
  rule.regret_bound = node["regret_bound"].number(0, limits::kRegret);
  return rule;
}

TunedFile read_file(const Node& root) {
  // First, so that a later version is told from a broken file.
  root.object();
  if (!root.has("schema") || !root.has("version")) root.fail("lacks schema or version");
  root["schema"].one_of({"loratune/tuned"});
  if (root["version"].integer(0, INT32_MAX) != 1) {
    root["version"].fail("is another version; this build reads version 1");
  }
  root.expect_members({"schema", "version", "tool", "devices", "kernels", "records", "rules"});

  TunedFile file;
  const Node tool = root["tool"];
  tool.expect_members({"name", "version", "commit"});
  file.tool = {tool["name"].text(), tool["version"].text(), tool["commit"].text()};
  for_each_member(root["devices"], limits::kMembers, [&](const std::string& id, const Node& node) {
    if (!is_word(id, kLower)) node.fail("no device id like d0");
    file.devices.emplace(id, read_device(node));
  });
  for_each_member(root["kernels"], limits::kMembers,
                  [&](const std::string& name, const Node& node) {
                    if (!is_word(name, kLower)) node.fail("no variant name like tiled");
                    file.kernels.emplace(name, read_kernel(node));
                  });

  const Node records = root["records"];
  const std::size_t record_count = records.elements(0, limits::kRecords);
  std::set<std::pair<std::string_view, ProblemKey>> keys;
  file.records.reserve(record_count);  // keys views the device ids
  for (std::size_t i = 0; i < record_count; ++i) {
    const Record& record = file.records.emplace_back(read_record(records[i], file));
    if (!keys.emplace(record.device, make_key(record.problem, record.mode)).second) {
      records[i].fail("a second record for " + to_string(record.problem));
    }
  }
  const Node rules = root["rules"];
  const std::size_t rule_count = rules.elements(0, limits::kRules);
  for (std::size_t i = 0; i < rule_count; ++i) {
    const Rule rule = read_rule(rules[i], file);
    for (std::size_t j = 0; j < i; ++j) {
      if (overlap(rule, file.rules[j])) {
        rules[i].fail("overlaps rule " + std::to_string(j));
      }
    }
    file.rules.push_back(rule);
  }
  return file;
}

}  // namespace

ParsedTunedFile parse_tuned_file(std::string_view bytes) {
  try {
    const json root = bounded_json::parse(bytes);
    return {read_file(Node(root)), {}};
  } catch (const Fault& fault) {
    return {{}, fault.text};
  }
}

}  // namespace loratune
