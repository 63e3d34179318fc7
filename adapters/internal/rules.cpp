#include "adapters/internal/rules.h"

#include "adapters/internal/fault.h"

namespace loratune {

ModuleRules rules_of(Format format, const Source& source, const AdapterConfig& config,
                     const LoadOptions& options) {
  const bool stated = format == Format::metal_candle ||
                      (format == Format::go_mlx && source.config.empty() && options.alpha);
  if (stated) {
    if (!options.alpha) {
      refuse(source.path, "is of metal-candle, which stores no alpha: say its alpha");
    }
    return stated_rules(*options.alpha, options.rank);
  }
  if (options.alpha || options.rank) {
    refuse(source.path, "says its own rank and alpha: leave out those that were given");
  }
  if (source.config.empty()) {
    refuse(source.path,
           "has no adapter_config.json, expected one of " + std::string(to_string(format)));
  }
  if (format == Format::peft) return peft_rules(config, options.lenient, options.dora);
  return format == Format::mlx_lm ? mlx_lm_rules(config) : go_mlx_rules(config);
}

}  // namespace loratune
