#include "adapters/internal/written_config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <utility>

#include "adapters/internal/adapter_config.h"
#include "adapters/internal/fault.h"
#include "adapters/internal/keys.h"
#include "adapters/internal/rules.h"

namespace loratune {
namespace {

using Json = nlohmann::ordered_json;

// A number as a config has it: 16 rather than 16.0.
Json plain(double value) {
  constexpr double kExact = 9007199254740992;
  if (value == std::floor(value) && std::fabs(value) < kExact) {
    return static_cast<std::int64_t>(value);
  }
  return value;
}

// The number that divided by `divisor` gives the scale: `first` where it does, else the nearest to
// scale * divisor. None where the quotient of every one is another float.
std::optional<double> alpha_for(double scale, double divisor, double first) {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  const double product = scale * divisor;
  const double candidates[] = {first, product, std::nextafter(product, -kFar),
                               std::nextafter(product, kFar)};
  for (const double alpha : candidates) {
    if (alpha / divisor == scale) return alpha;
  }
  for (const double alpha : candidates) {
    if (static_cast<float>(alpha / divisor) == static_cast<float>(scale)) return alpha;
  }
  return {};
}

[[noreturn]] void cannot_say(const std::string& folder, const LoraModule& module,
                             const std::string& what) {
  refuse(folder, "cannot be written: module " + in_quotes(module.path) + " " + what);
}

template <class T>
T most_frequent(const std::vector<T>& values) {
  std::map<T, int> counts;
  for (const T& value : values) ++counts[value];
  return std::max_element(
             counts.begin(), counts.end(),
             [](const auto& one, const auto& other) { return one.second < other.second; })
      ->first;
}

// An expression that matches this path alone.
std::string exactly(const std::string& path) {
  std::string pattern = "^";
  for (const char c : path) {
    const bool plain = c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                       (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
    pattern += plain ? std::string(1, c) : std::string("\\") + c;
  }
  return pattern;
}

// Adds a member that the object lacks; the object itself would look for it among all others.
void add_pattern(Json& patterns, const std::string& path, Json value, const std::string& folder) {
  if (patterns.size() == kConfigBounds.members) {
    refuse(folder, "cannot be written: its config would hold more than " +
                       std::to_string(kConfigBounds.members) + " patterns of one member");
  }
  patterns.get_ref<Json::object_t&>().emplace_back(exactly(path), std::move(value));
}

Json peft_config(std::span<const LoraModule> modules, const std::string& folder) {
  // alpha / sqrt(rank) where that is how all the modules came by their scales.
  const auto divisor = [](const LoraModule& module, bool root) {
    const auto rank = static_cast<double>(module.rank());
    return root ? std::sqrt(rank) : rank;
  };
  const auto all = [&](bool root) {
    return std::all_of(modules.begin(), modules.end(), [&](const LoraModule& module) {
      return module.alpha / divisor(module, root) == module.scale;
    });
  };
  const bool root = !all(false) && all(true);
  std::vector<std::int64_t> ranks;
  std::vector<double> alphas;
  Json targets = Json::array();
  for (const LoraModule& module : modules) {
    const auto alpha = alpha_for(module.scale, divisor(module, root), module.alpha);
    if (!alpha) cannot_say(folder, module, "has a scale that is no alpha / rank");
    ranks.push_back(module.rank());
    alphas.push_back(*alpha);
    targets.push_back(module.path);
  }
  const std::int64_t rank = most_frequent(ranks);
  const double alpha = most_frequent(alphas);
  Json rank_pattern = Json::object();
  Json alpha_pattern = Json::object();
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const std::string& path = modules[i].path;
    if (ranks[i] != rank) add_pattern(rank_pattern, path, ranks[i], folder);
    if (alphas[i] != alpha) add_pattern(alpha_pattern, path, plain(alphas[i]), folder);
  }
  return {{"peft_type", "LORA"},
          {"task_type", nullptr},
          {"base_model_name_or_path", nullptr},
          {"inference_mode", true},
          {"r", rank},
          {"lora_alpha", plain(alpha)},
          {"lora_dropout", 0.0},
          {"use_rslora", root},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"target_modules", targets},
          {"rank_pattern", rank_pattern},
          {"alpha_pattern", alpha_pattern}};
}

// One rank and one scale for all, as mlx-lm, go-mlx and metal-candle have them.
void require_one(std::span<const LoraModule> modules, Format format, const std::string& folder) {
  const LoraModule& first = modules.front();
  const std::string has = std::string(to_string(format)) + " has one for all modules";
  for (const LoraModule& module : modules) {
    if (module.rank() != first.rank()) {
      cannot_say(folder, module,
                 "has rank " + std::to_string(module.rank()) + " and " + in_quotes(first.path) +
                     " " + std::to_string(first.rank()) + "; " + has);
    }
    if (module.scale != first.scale) {
      cannot_say(folder, module,
                 "has scale " + std::to_string(module.scale) + " and " + in_quotes(first.path) +
                     " " + std::to_string(first.scale) + "; " + has);
    }
  }
}

Json mlx_lm_config(std::span<const LoraModule> modules, const std::string& folder) {
  require_one(modules, Format::mlx_lm, folder);
  std::set<std::string> keys;
  for (const LoraModule& module : modules) keys.emplace(in_layer(module.path).name);
  return {{"fine_tune_type", "lora"},
          {"num_layers", -1},
          {"lora_parameters",
           {{"rank", modules.front().rank()},
            {"scale", modules.front().scale},
            {"dropout", 0.0},
            {"keys", keys}}}};
}

void require_layer_paths(std::span<const LoraModule> modules, Format format,
                         const std::string& folder) {
  for (const LoraModule& module : modules) {
    if (!is_layer_path(module.path, format)) {
      cannot_say(folder, module,
                 "is not layers.N.<module>, all that " + std::string(to_string(format)) + " knows");
    }
  }
}

Json go_mlx_config(std::span<const LoraModule> modules, const std::string& folder) {
  require_one(modules, Format::go_mlx, folder);
  require_layer_paths(modules, Format::go_mlx, folder);
  const LoraModule& first = modules.front();
  const auto alpha = alpha_for(first.scale, static_cast<double>(first.rank()), first.alpha);
  if (!alpha) cannot_say(folder, first, "has a scale that is no alpha / rank");
  if (*alpha == 0) cannot_say(folder, first, "has scale 0, which go-mlx takes for a scale of 2");
  std::set<std::string> keys;
  std::int64_t layers = 0;
  for (const LoraModule& module : modules) {
    const LayerPath at = in_layer(module.path);
    layers = std::max(layers, at.layer + 1);
    keys.emplace(at.name);
  }
  return {{"rank", first.rank()},
          {"alpha", plain(*alpha)},
          {"num_layers", layers},
          {"lora_layers", keys}};
}

Json config_of(std::span<const LoraModule> modules, Format format, const std::string& folder) {
  if (format == Format::peft) return peft_config(modules, folder);
  return format == Format::mlx_lm ? mlx_lm_config(modules, folder) : go_mlx_config(modules, folder);
}

// PEFT's config names every module, so its size is known before there is a tree of JSON.
void require_short_paths(std::span<const LoraModule> modules, const std::string& folder) {
  std::size_t bytes = 0;
  for (const LoraModule& module : modules) bytes += module.path.size();
  if (bytes <= kConfigBounds.bytes) return;
  refuse(folder, "cannot be written: its config would be larger than 4 MiB, which no config is");
}

// What cannot be read again is known before the tensors are gathered.
void require_readable(const std::string& text, std::span<const LoraModule> modules, Format format,
                      const std::string& folder) {
  try {
    const AdapterConfig config = AdapterConfig::parse("its config", text);
    if (format != Format::peft) return;
    const ModuleRules rules = peft_rules(config, false, false);
    for (const LoraModule& module : modules) rules.scaling(module.path, module.rank());
  } catch (const AdapterFault& fault) {
    refuse(folder, std::string("cannot be written: ") + fault.what());
  } catch (const std::invalid_argument& error) {
    refuse(folder, std::string("cannot be written: a pattern of its config ") + error.what());
  }
}

}  // namespace

std::string written_config(std::span<const LoraModule> modules, Format format,
                           const std::string& folder) {
  if (format == Format::gguf) refuse(folder, "cannot be written: GGUF is read only");
  if (format == Format::metal_candle) {
    require_one(modules, format, folder);
    require_layer_paths(modules, format, folder);
    return {};
  }
  if (format == Format::peft) require_short_paths(modules, folder);
  std::string text = config_of(modules, format, folder).dump(2) + "\n";
  require_readable(text, modules, format, folder);
  return text;
}

}  // namespace loratune
