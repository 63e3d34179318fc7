// The configs of mlx-lm and go-mlx, which have one rank and one scale for all modules, and what
// formats without a config say.
#include <stdexcept>
#include <utility>

#include "adapters/internal/fault.h"
#include "adapters/internal/module_names.h"
#include "adapters/internal/rules.h"

namespace loratune {
namespace {

// The part of a path behind `layers.N.`; the whole path where it has none.
std::string_view in_layer(std::string_view path) {
  constexpr std::string_view kLayers = "layers.";
  std::size_t at = path.starts_with(kLayers) ? 0 : path.find(".layers.");
  if (at == std::string_view::npos) return path;
  at += path[at] == '.' ? kLayers.size() + 1 : kLayers.size();
  const std::size_t dot = path.find('.', at);
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

void require_rank(std::int64_t rank, std::int64_t stated) {
  if (rank == stated) return;
  throw std::invalid_argument("its rank is " + std::to_string(rank) + ", the config says " +
                              std::to_string(stated));
}

}  // namespace

ModuleRules mlx_lm_rules(const AdapterConfig& config) {
  const std::string type = config.text("fine_tune_type").value_or("lora");
  if (type == "dora") config.expect("fine_tune_type", "\"lora\": DoRA is not read yet");
  if (type == "full") {
    config.expect("fine_tune_type", "\"lora\": the file holds the model's whole weights");
  }
  if (type != "lora") config.expect("fine_tune_type", "\"lora\"");
  // Before 2024 the number of layers was called lora_layers.
  if (!config.whole("num_layers") && !config.whole("lora_layers")) {
    config.expect("num_layers", "a whole number");
  }
  const auto parameters = config.object("lora_parameters");
  if (!parameters) config.expect("lora_parameters", "an object of rank, scale and dropout");
  const auto rank = parameters->whole("rank");
  const auto scale = parameters->number("scale");
  if (!rank || *rank < 1) parameters->expect("rank", "a rank of 1 or more");
  if (!scale) parameters->expect("scale", "a number");
  if (!parameters->number("dropout")) parameters->expect("dropout", "a number");
  const auto texts = parameters->text_views("keys");
  ModuleNames keys(texts.value_or(std::vector<std::string_view>()));
  ModuleRules rules;
  rules.scaling = [rank = *rank, scale = *scale](const std::string&, std::int64_t of_tensors) {
    require_rank(of_tensors, rank);
    return Scaling{scale * static_cast<double>(rank), scale};
  };
  rules.targets = [all = !texts, keys = std::move(keys)](const std::string& path) {
    return all || keys.contains(path) || keys.contains(in_layer(path));
  };
  return rules;
}

ModuleRules go_mlx_rules(const AdapterConfig& config) {
  std::int64_t rank = config.whole("rank").value_or(0);
  if (rank <= 0) rank = 8;
  double alpha = config.number("alpha").value_or(0);
  if (alpha == 0) alpha = 2 * static_cast<double>(rank);
  config.whole("num_layers");
  ModuleNames keys(config.text_views("lora_layers").value_or(std::vector<std::string_view>()));
  ModuleRules rules = stated_rules(alpha, rank);
  rules.targets = [keys = std::move(keys)](const std::string& path) {
    return keys.empty() || names_end_of(keys, path);
  };
  return rules;
}

ModuleRules stated_rules(double alpha, std::optional<std::int64_t> rank) {
  ModuleRules rules;
  rules.scaling = [=](const std::string&, std::int64_t of_tensors) {
    if (rank) require_rank(of_tensors, *rank);
    return Scaling{alpha, alpha / static_cast<double>(of_tensors)};
  };
  rules.targets = [](const std::string&) { return true; };
  return rules;
}

ModuleRules gguf_rules(double alpha) {
  ModuleRules rules = stated_rules(alpha, {});
  if (alpha == 0) {
    rules.scaling = [](const std::string&, std::int64_t rank) {
      return Scaling{static_cast<double>(rank), 1};
    };
  }
  return rules;
}

}  // namespace loratune
