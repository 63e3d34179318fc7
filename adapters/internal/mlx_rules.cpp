// The configs of mlx-lm and go-mlx, which have one rank and one scale for all modules, and what
// formats without a config say.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "adapters/internal/fault.h"
#include "adapters/internal/keys.h"
#include "adapters/internal/module_names.h"
#include "adapters/internal/rules.h"

namespace loratune {
namespace {

void require_rank(std::int64_t rank, std::int64_t stated) {
  if (rank == stated) return;
  throw std::invalid_argument("its rank is " + std::to_string(rank) + ", the config says " +
                              std::to_string(stated));
}

// mlx-lm gives factors to modules of a model's last layers, and its loader raises where a file has
// one of an earlier layer. How many layers the model has only the model says, but it has no fewer
// than the file.
class MlxLayers {
 public:
  // `most`: how many layers; 0 or less: all.
  explicit MlxLayers(std::int64_t most) : most_(most) {}

  // A model may have several lists of layers, and counts them as one.
  void foresee(std::string_view path) {
    const LayerPath at = in_layer(path);
    if (most_ <= 0 || at.layer < 0) return;
    std::int64_t& last = last_[at.list];
    last = std::max(last, at.layer);
  }

  // Throws std::invalid_argument for a path in an earlier layer.
  void require_last(std::string_view path) const {
    const LayerPath at = in_layer(path);
    const auto list = last_.find(at.list);
    if (at.layer < 0 || list == last_.end() || list->second - at.layer < most_) return;
    throw std::invalid_argument("is of layer " + std::to_string(at.layer) +
                                ", and mlx-lm has LoRA in the last " + std::to_string(most_) +
                                " layers alone (num_layers), of which the file has layer " +
                                std::to_string(list->second));
  }

 private:
  std::int64_t most_;
  std::map<std::string_view, std::int64_t> last_;  // layer of each list in the file
};

}  // namespace

ModuleRules mlx_lm_rules(const AdapterConfig& config) {
  const std::string type = config.text("fine_tune_type").value_or("lora");
  if (type == "dora") config.expect("fine_tune_type", "\"lora\": DoRA is not read yet");
  if (type == "full") {
    config.expect("fine_tune_type", "\"lora\": the file holds the model's whole weights");
  }
  if (type != "lora") config.expect("fine_tune_type", "\"lora\"");
  // The first versions called the number of layers lora_layers.
  auto layers = config.whole("num_layers");
  if (!layers) layers = config.whole("lora_layers");
  if (!layers) config.expect("num_layers", "a whole number");
  const auto parameters = config.object("lora_parameters");
  if (!parameters) config.expect("lora_parameters", "an object of rank, scale and dropout");
  const auto rank = parameters->whole("rank");
  const auto scale = parameters->number("scale");
  if (!rank || *rank < 1) parameters->expect("rank", "a rank of 1 or more");
  if (!scale) parameters->expect("scale", "a number");
  if (!parameters->number("dropout")) parameters->expect("dropout", "a number");
  const auto texts = parameters->text_views("keys");
  const auto keys =
      std::make_shared<const ModuleNames>(texts.value_or(std::vector<std::string_view>()));
  const auto last = std::make_shared<MlxLayers>(*layers);
  ModuleRules rules;
  // The same versions wrote an alpha. The very first of them used it, and the file does not say
  // which version wrote it.
  const auto alpha = parameters->number("alpha");
  if (!config.whole("num_layers") && alpha && *alpha != static_cast<double>(*rank)) {
    char note[160];
    std::snprintf(
        note, sizeof note,
        ": lora_parameters.alpha is not used: the scale is %g; the first mlx-lm that wrote "
        "such files took %g",
        *scale, *scale * *alpha / static_cast<double>(*rank));
    rules.notes.push_back(config.path() + note);
  }
  rules.foresee = [last](std::string_view path) { last->foresee(path); };
  rules.scaling = [=, rank = *rank, scale = *scale, all = !texts](const std::string& path,
                                                                  std::int64_t of_tensors) {
    require_rank(of_tensors, rank);
    if (!keys->contains(path)) last->require_last(path);
    if (all && in_layer(path).layer < 0) {
      throw std::invalid_argument(
          "is of no layer, and mlx-lm has LoRA there only where lora_parameters.keys name it");
    }
    return Scaling{scale * static_cast<double>(rank), scale};
  };
  rules.targets = [all = !texts, keys](const std::string& path) {
    return all || keys->contains(path) || keys->contains(in_layer(path).name);
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
