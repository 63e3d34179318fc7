// llama.cpp has its own names for a model's modules, and for llama models its own order of the rows
// of queries and keys. Other tools have the model's names and the model's order.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "loratune/adapters/adapter.h"

namespace loratune {

// The adapter's modules under the model's names and in its order of rows, or why that is not known.
// Modules of other formats are the adapter's own, which outlives them. `storage` keeps renamed
// modules and reordered factors valid.
struct ModelModules {
  std::span<const LoraModule> modules;
  std::shared_ptr<const void> storage;
  std::string error;
};
ModelModules model_modules(const Adapter& adapter, int heads, int heads_kv);

}  // namespace loratune
