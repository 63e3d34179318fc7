// ModuleRules are what an adapter's config says of a module by its path: its scale, and whether the
// adapter is for it. Each format makes them from its own config.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/internal/adapter_config.h"
#include "adapters/internal/source.h"
#include "loratune/adapters/load_adapter.h"

namespace loratune {

struct Scaling {
  double alpha = 0, scale = 0;
};

// `scaling` throws std::invalid_argument where the config asks for another rank than the tensors
// have, or where the tool that wrote the adapter would not take the module. `foresee`, where there
// is one, is told the path of every module before that; the paths outlive the rules.
struct ModuleRules {
  std::function<void(std::string_view path)> foresee;
  std::function<Scaling(const std::string& path, std::int64_t rank)> scaling;
  std::function<bool(const std::string& path)> targets;
  std::vector<std::string> notes;
  bool changes_base = false;
  bool dora = false;  // each module has magnitudes
};

// The rules of the format, by its config or by what the caller says. Throws AdapterFault where both
// or neither say the scale, and as the functions below.
ModuleRules rules_of(Format format, const Source& source, const AdapterConfig& config,
                     const LoadOptions& options);

// Throw AdapterFault for a config of another method than plain LoRA, and for members that the
// tool's own loader would not take or would take for something else. `lenient` lets go of what only
// adds tensors of its own, and `dora` takes DoRA too.
ModuleRules peft_rules(const AdapterConfig& config, bool lenient, bool dora);
ModuleRules mlx_lm_rules(const AdapterConfig& config);
ModuleRules go_mlx_rules(const AdapterConfig& config);

// One alpha for all modules; `rank` none: any.
ModuleRules stated_rules(double alpha, std::optional<std::int64_t> rank);
// GGUF's adapter.lora.alpha, where 0 stands for scale 1.
ModuleRules gguf_rules(double alpha);

}  // namespace loratune
