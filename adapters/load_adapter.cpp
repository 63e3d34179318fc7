#include "loratune/adapters/load_adapter.h"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "adapters/internal/fault.h"
#include "adapters/internal/gguf.h"
#include "adapters/internal/model_names.h"
#include "adapters/internal/pairing.h"
#include "adapters/internal/rules.h"
#include "adapters/internal/safetensors.h"
#include "adapters/internal/source.h"
#include "adapters/internal/tell_format.h"
#include "loratune/adapters/tensor_file.h"

namespace loratune {
namespace {

void open_all(const std::vector<std::string>& paths, HeaderRoom& room, Files& files) {
  for (const std::string& path : paths) {
    const auto file = std::make_shared<MappedFile>(path);
    files.push_back({path, read_safetensors(file, room), file->state()});
  }
}

// What the modules need of their files: names and shapes are let go of, but for names with escapes.
void keep_mappings(std::shared_ptr<Files> files, Adapter& adapter) {
  for (OpenFile& file : *files) {
    file.tensors.tensors = {};
    adapter.files.push_back(std::move(file.state));
  }
  adapter.storage = std::move(files);
}

Adapter load_gguf(const Source& source, const LoadOptions& options) {
  const std::string& path = source.files.front();
  const auto mapped = std::make_shared<MappedFile>(path);
  GgufFile gguf = read_gguf(mapped);
  const auto expect = [&](const char* key, std::string_view is, std::string_view expected) {
    if (is == expected) return;
    refuse(path, key, "is " + in_quotes(is) + ", expected " + in_quotes(expected));
  };
  expect("general.type", gguf.type, "adapter");
  expect("adapter.type", gguf.adapter_type, "lora");
  if (!gguf.alora.empty()) refuse(path, gguf.alora, "is of activated LoRA, expected plain LoRA");
  if (options.alpha || options.rank) {
    refuse(path, "says its own rank and alpha: leave out those that were given");
  }
  Adapter adapter;
  adapter.format = Format::gguf;
  adapter.architecture = gguf.architecture;
  auto files = std::make_shared<Files>();
  files->push_back({path, std::move(gguf.file), mapped->state()});
  Pairing(Format::gguf, options.lenient, false, *files, adapter)
      .finish(path, gguf_rules(gguf.alpha));
  keep_mappings(std::move(files), adapter);
  if (std::any_of(adapter.modules.begin(), adapter.modules.end(),
                  [&](const LoraModule& module) { return is_reordered(adapter, module); })) {
    adapter.notes.push_back(
        path +
        ": the outputs of attn_q and attn_k are in llama.cpp's order of rows, not the model's");
  }
  return adapter;
}

Adapter load(const std::string& path, const LoadOptions& options) {
  Source source = find_source(path, options.format);
  if (source.format == Format::gguf) return load_gguf(source, options);
  AdapterConfig config = source.config.empty() || source.format == Format::metal_candle
                             ? AdapterConfig(path)
                             : AdapterConfig::read(source.config);
  Adapter adapter;
  ModuleRules rules;
  // The config may be large, and is let go of: as early as the format is known.
  const auto take_rules = [&](Format format) {
    adapter.format = format;
    rules = rules_of(format, source, config, options);
    config = AdapterConfig(path);
  };
  if (source.format) take_rules(*source.format);
  HeaderRoom room;
  auto files = std::make_shared<Files>();
  open_all(source.files, room, *files);
  if (!source.format) take_rules(tell_format(source, *files, config, options));
  // mlx-lm reads one file, go-mlx all of the folder.
  if (adapter.format == Format::go_mlx) open_all(source.others, room, *files);
  adapter.notes = rules.notes;
  adapter.changes_base = rules.changes_base;
  Pairing(adapter.format, options.lenient, rules.dora, *files, adapter).finish(path, rules);
  keep_mappings(std::move(files), adapter);
  return adapter;
}

}  // namespace

LoadedAdapter load_adapter(const std::string& path, const LoadOptions& options) {
  try {
    return {load(path, options), {}};
  } catch (const AdapterFault& fault) {
    return {{}, fault.what()};
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::invalid_argument& error) {
    return {{}, printable(path, 300) + ": a pattern of its config " + error.what()};
  } catch (const std::exception& error) {
    return {{}, printable(path, 300) + ": cannot be read: " + printable(error.what(), 200)};
  }
}

}  // namespace loratune
