// llama.cpp has its own names for a model's modules, and for llama models its own order of the rows
// of queries and keys. go-mlx may leave out how a name begins, and metal-candle leaves out a part
// in its middle. PEFT and mlx-lm have the model's names and the model's order.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "loratune/adapters/adapter.h"

namespace loratune {

// Whether llama.cpp has reordered the module's rows of B, which only the model's heads put back.
bool is_reordered(const Adapter& adapter, const LoraModule& module);

// The adapter's modules under the names and in the order of rows that the format `to` has, or why
// these are not known. Modules that need no change are the adapter's own, which outlives them.
// `storage` keeps renamed modules and reordered factors valid. `heads` and `heads_kv` as in
// SaveOptions.
struct ModelModules {
  std::span<const LoraModule> modules;
  std::shared_ptr<const void> storage;
  std::string error;
};
ModelModules model_modules(const Adapter& adapter, Format to, int heads, int heads_kv);

}  // namespace loratune
