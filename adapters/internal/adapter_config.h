// An AdapterConfig is an adapter_config.json, whose members are read with their types checked. A
// member that is null counts as one that is not there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/internal/json_tree.h"

namespace loratune {

// How large a config may be. One of a large mixture of experts names 44,544 modules.
inline constexpr JsonBounds kConfigBounds = {.bytes = std::size_t{4} << 20,
                                             .depth = 16,
                                             .text = 4096,
                                             .members = 8192,
                                             .elements = 65536,
                                             .values = 131072};

class AdapterConfig {
 public:
  using Json = nlohmann::ordered_json;

  // An empty object, for an adapter without a config.
  explicit AdapterConfig(std::string path)
      : AdapterConfig(std::move(path), std::make_shared<const Json>(Json::object()), {}) {}
  // Throws AdapterFault for what is no JSON object within bounds.
  static AdapterConfig read(const std::string& path);
  // Of text at hand; `path` names it in messages.
  static AdapterConfig parse(std::string path, std::string_view text);

  const std::string& path() const { return path_; }
  // Null where the object has no such member.
  const Json* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  // Whether the member is there and null.
  bool is_null(std::string_view name) const;
  // Whether the member is there and says something: not false, 0, "" or []. An object does, even an
  // empty one: it stands for a method with its defaults.
  bool says(std::string_view name) const;

  // The member, or nothing where there is none. Each throws AdapterFault for another type.
  std::optional<std::int64_t> whole(std::string_view name) const;
  std::optional<double> number(std::string_view name) const;
  std::optional<bool> flag(std::string_view name) const;
  std::optional<std::string> text(std::string_view name) const;
  std::optional<std::vector<std::string>> texts(std::string_view name) const;
  // The same, within the config's own memory.
  std::optional<std::vector<std::string_view>> text_views(std::string_view name) const;
  // The object `name` as an AdapterConfig of its own, whose messages name it.
  std::optional<AdapterConfig> object(std::string_view name) const;

  // Throws AdapterFault that the member is not what was expected.
  [[noreturn]] void expect(std::string_view name, const std::string& expected) const;
  [[noreturn]] void fail(const std::string& what) const;

 private:
  AdapterConfig(std::string path, std::shared_ptr<const Json> root, std::string inside)
      : path_(std::move(path)), root_(std::move(root)), inside_(std::move(inside)) {}

  std::string path_;
  std::shared_ptr<const Json> root_;  // or an object in it
  std::string inside_;                // `lora_parameters.` of an object in the config
};

}  // namespace loratune
