// llama.cpp has its own names for a model's modules, and for llama models its own order of the rows
// of queries and keys. Other tools have the model's names and the model's order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "loratune/adapters/adapter.h"

namespace loratune {

// The adapter's modules under the model's names and in its order of rows, or why that is not known.
// Modules of other formats are as they are. `storage` keeps reordered factors valid.
struct ModelModules {
  std::vector<LoraModule> modules;
  std::shared_ptr<const void> storage;
  std::string error;
};
ModelModules model_modules(const Adapter& adapter, int heads, int heads_kv);

}  // namespace loratune
