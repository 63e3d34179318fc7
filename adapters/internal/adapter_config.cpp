#include "adapters/internal/adapter_config.h"

#include <stdexcept>
#include <utility>

#include "adapters/internal/fault.h"
#include "adapters/internal/mapped_file.h"

namespace loratune {
namespace {

// A value as a message shows it.
std::string shown(const AdapterConfig::Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return printable(value.dump(-1, ' ', false, AdapterConfig::Json::error_handler_t::replace), 60);
}

}  // namespace

AdapterConfig AdapterConfig::parse(std::string path, std::string_view text) {
  if (text.size() > kConfigBounds.bytes) refuse(path, "is larger than 4 MiB, which no config is");
  Json root;
  try {
    root = read_json_tree(text, kConfigBounds);
  } catch (const std::invalid_argument& error) {
    refuse(path, error.what());
  }
  if (!root.is_object()) refuse(path, "is " + shown(root) + ", expected a JSON object");
  return {std::move(path), std::make_shared<const Json>(std::move(root)), {}};
}

AdapterConfig AdapterConfig::read(const std::string& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  return parse(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

const AdapterConfig::Json* AdapterConfig::find(std::string_view name) const {
  const auto at = root_->find(std::string(name));
  return at == root_->end() || at->is_null() ? nullptr : &*at;
}

bool AdapterConfig::is_null(std::string_view name) const {
  const auto at = root_->find(std::string(name));
  return at != root_->end() && at->is_null();
}

bool AdapterConfig::says(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  if (value->is_number()) return value->get<double>() != 0;
  if (value->is_string()) return !value->get_ref<const std::string&>().empty();
  return value->is_object() || !value->empty();
}

std::optional<std::int64_t> AdapterConfig::whole(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return {};
  const bool large = value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX;
  if (!value->is_number_integer() || large) expect(name, "a whole number");
  return value->get<std::int64_t>();
}

std::optional<double> AdapterConfig::number(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return {};
  if (!value->is_number()) expect(name, "a number");
  return value->get<double>();
}

std::optional<bool> AdapterConfig::flag(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return {};
  if (!value->is_boolean()) expect(name, "true or false");
  return value->get<bool>();
}

std::optional<std::string> AdapterConfig::text(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return {};
  if (!value->is_string()) expect(name, "a text");
  return value->get<std::string>();
}

std::optional<std::vector<std::string>> AdapterConfig::texts(std::string_view name) const {
  const auto views = text_views(name);
  if (!views) return {};
  return std::vector<std::string>(views->begin(), views->end());
}

std::optional<std::vector<std::string_view>> AdapterConfig::text_views(
    std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return {};
  std::vector<std::string_view> texts;
  if (!value->is_array()) expect(name, "a list of texts");
  texts.reserve(value->size());
  for (const Json& one : *value) {
    if (!one.is_string()) expect(name, "a list of texts");
    texts.emplace_back(one.get_ref<const std::string&>());
  }
  return texts;
}

std::optional<AdapterConfig> AdapterConfig::object(std::string_view name) const {
  const Json* value = find(name);
  if (value == nullptr) return {};
  if (!value->is_object()) expect(name, "an object");
  return AdapterConfig(path_, {root_, value}, inside_ + std::string(name) + ".");
}

void AdapterConfig::expect(std::string_view name, const std::string& expected) const {
  const Json* value = find(name);
  refuse(path_, inside_ + std::string(name),
         (value != nullptr ? "is " + shown(*value)
          : is_null(name)  ? "is null"
                           : "is missing") +
             ", expected " + expected);
}

void AdapterConfig::fail(const std::string& what) const { refuse(path_, what); }

}  // namespace loratune
