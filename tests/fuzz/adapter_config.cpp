// An adapter_config.json: by each format's rules, and the rules applied to paths of modules. What a
// config refuses may be what another takes.
#include "adapters/internal/adapter_config.h"

#include <stdexcept>

#include "adapter_readers.h"
#include "adapters/internal/rules.h"
#include "unit/temporary_folder.h"

namespace loratune::fuzz {

bool read_and_use(std::string_view bytes) {
  bool taken = false;
  const auto use = [&](auto rules_of) {
    taken |= takes_adapter([&] {
      const ModuleRules rules = rules_of(AdapterConfig::parse("adapter_config.json", bytes));
      for (const std::string& note : rules.notes) expect_printable(note);
      const char* const paths[] = {"model.layers.0.self_attn.q_proj", "layers.11.v_proj", ""};
      for (const char* path : paths) {
        if (rules.foresee) rules.foresee(path);
      }
      for (const char* path : paths) {
        try {
          rules.targets(path);
          rules.scaling(path, 8);
        } catch (const std::invalid_argument& error) {
          expect_printable(error.what());
        }
      }
    });
  };
  use([](const AdapterConfig& config) { return peft_rules(config, false, false); });
  use([](const AdapterConfig& config) { return peft_rules(config, false, true); });
  use([](const AdapterConfig& config) { return peft_rules(config, true, false); });
  use([](const AdapterConfig& config) { return mlx_lm_rules(config); });
  use([](const AdapterConfig& config) { return go_mlx_rules(config); });
  return taken;
}

std::vector<std::string> sound_inputs() {
  std::vector<std::string> inputs;
  for (const char* name : {"peft_patterns", "peft_regex", "peft_one_layer", "mlx_keys"}) {
    inputs.push_back(read_bytes(std::string(LORATUNE_SOURCE_DIR "/tests/data/adapters/") + name +
                                "/adapter_config.json"));
  }
  return inputs;
}

}  // namespace loratune::fuzz
