#include "loratune/variants/search_space.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace loratune {

bool has_extension(const DeviceInfo& device, std::string_view name) {
  return std::binary_search(device.extensions.begin(), device.extensions.end(), name);
}

std::int64_t product_size(const SearchSpace& space) {
  std::int64_t size = 1;
  for (const Parameter& parameter : space.parameters) {
    size *= static_cast<std::int64_t>(parameter.values.size());
  }
  return size;
}

Config config_at(const SearchSpace& space, std::int64_t index) {
  if (index < 0 || index >= product_size(space)) throw std::out_of_range("config_at");
  Config config;
  for (std::size_t i = 0; i < space.parameters.size(); ++i) config.push_back(0);
  for (int i = config.size() - 1; i >= 0; --i) {
    const auto& values = space.parameters[static_cast<std::size_t>(i)].values;
    const auto radix = static_cast<std::int64_t>(values.size());
    config[i] = values[static_cast<std::size_t>(index % radix)];
    index /= radix;
  }
  return config;
}

bool contains(const SearchSpace& space, const Config& config) {
  if (config.size() != static_cast<int>(space.parameters.size())) return false;
  for (int i = 0; i < config.size(); ++i) {
    const auto& values = space.parameters[static_cast<std::size_t>(i)].values;
    if (std::find(values.begin(), values.end(), config[i]) == values.end()) return false;
  }
  return true;
}

std::string to_string(const SearchSpace& space, const Config& config) {
  std::string text;
  for (int i = 0; i < config.size(); ++i) {
    if (i > 0) text += ' ';
    text += space.parameters[static_cast<std::size_t>(i)].name;
    text += '=' + std::to_string(config[i]);
  }
  return text;
}

std::optional<Config> parse_config(const SearchSpace& space, std::string_view text) {
  Config config;
  for (std::size_t i = 0; i < space.parameters.size(); ++i) config.push_back(0);
  unsigned seen = 0;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    std::int32_t value = 0;
    const auto [end, error] =
        std::from_chars(item.data() + equals + 1, item.data() + item.size(), value);
    if (error != std::errc() || end != item.data() + item.size()) return std::nullopt;
    const auto parameter = std::find_if(
        space.parameters.begin(), space.parameters.end(),
        [&](const Parameter& candidate) { return candidate.name == item.substr(0, equals); });
    if (parameter == space.parameters.end()) return std::nullopt;
    const auto i = static_cast<int>(parameter - space.parameters.begin());
    if ((seen & (1U << i)) != 0) return std::nullopt;
    seen |= 1U << i;
    config[i] = value;
  }
  if (seen != (1U << space.parameters.size()) - 1U || !contains(space, config)) return std::nullopt;
  return config;
}

std::int32_t at_most(const Parameter& parameter, std::int64_t bound) {
  std::int32_t best = parameter.values.front();
  for (const std::int32_t value : parameter.values) {
    if (value <= bound) best = std::max(best, value);
  }
  return best;
}

}  // namespace loratune
