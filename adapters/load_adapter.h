// Reads an adapter as its own tool would, or says in one line why not. It never guesses: what can
// be read in two ways is refused with both.
//
// Threads: any number of threads may load at a time.
#pragma once

#include <optional>
#include <string>

#include "loratune/adapters/adapter.h"

namespace loratune {

// What the caller knows beside the files. `format` none: the files say it. `rank` and `alpha` are
// for metal-candle, whose files hold neither. `lenient`: keys that are no pair of a plain LoRA
// module are left out and listed in Adapter::skipped; otherwise the first of them is the error.
// `dora`: PEFT's adapters with DoRA are read, and each module has its magnitudes; otherwise they
// are refused, since without these a module is something else.
struct LoadOptions {
  std::optional<Format> format = {};
  std::optional<std::int64_t> rank = {};
  std::optional<double> alpha = {};
  bool lenient = false;
  bool dora = false;
};

// An adapter, or the error in one line that names the file, the key and what was expected.
struct LoadedAdapter {
  std::optional<Adapter> adapter;
  std::string error;
};

// `path` is a folder as the tools write it, or one safetensors or GGUF file. Throws std::bad_alloc.
LoadedAdapter load_adapter(const std::string& path, const LoadOptions& options = {});

}  // namespace loratune
