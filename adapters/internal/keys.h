// What the name of a tensor says: the half of a LoRA pair of a module, or why it is none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "loratune/adapters/adapter.h"

namespace loratune {

// `why` is empty where the key is a half of a pair. `module` is the path as the file spells it, and
// `same` is equal for two spellings of one module. `prefix` and `adapter` are what PEFT's keys have
// before and behind the module, empty for none. All are parts of the name that was read. `apart`: a
// key with a `why` that changes nothing of what the pair beside it computes.
struct Key {
  std::string_view module, same, prefix, adapter;
  bool is_b = false;
  std::string why;
  bool apart = false;
};

Key read_key(Format format, std::string_view name);

// The name without the beginning that a tool may leave out: two spellings of one name become equal.
std::string_view without_prefix(Format format, std::string_view name);

// The key of a module's magnitudes of DoRA, as PEFT has it; without a module for another name.
Key read_magnitude_key(std::string_view name);

// The start of an adapter's key style: PEFT's lora_A and lora_B.
bool is_peft_key(std::string_view name);

// Whether the path has the form `layers.N.<module>`, or with `model.` before it, that go-mlx reads;
// metal-candle's <module> is one word.
bool is_layer_path(std::string_view path, Format format);

// The layer that a path is of: the first number behind another part. `list` is what stands before
// the number, as `model.layers.`, and `name` what stands behind it. A path of no layer is all name.
struct LayerPath {
  std::int64_t layer = -1;
  std::string_view list, name;
};
LayerPath in_layer(std::string_view path);

}  // namespace loratune
