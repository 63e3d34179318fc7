// The config that says an adapter's ranks and scales in another tool's words.
#pragma once

#include <span>
#include <string>

#include "loratune/adapters/adapter.h"

namespace loratune {

// The text of adapter_config.json; empty for metal-candle, which has none. Throws AdapterFault,
// with `folder` as the file, for what the format cannot say and for a text that is too large to be
// read again.
std::string written_config(std::span<const LoraModule> modules, Format format,
                           const std::string& folder);

}  // namespace loratune
