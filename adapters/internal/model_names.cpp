#include "adapters/internal/model_names.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "adapters/internal/fault.h"

namespace loratune {
namespace {

// Architectures of llama.cpp whose models name their modules so: its name, and the model's.
constexpr std::string_view kArchitectures[] = {"llama", "qwen2", "qwen3", "gemma", "gemma2"};
constexpr std::pair<std::string_view, std::string_view> kNames[] = {
    {"attn_q", "self_attn.q_proj"}, {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"}, {"attn_output", "self_attn.o_proj"},
    {"ffn_gate", "mlp.gate_proj"},  {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"}};

// The model's name of a module `<begin>3.attn_q`, by an entry of kNames that `is` it.
template <class Is>
std::optional<std::string> model_name(std::string_view path, std::string_view begin, Is is) {
  if (!path.starts_with(begin)) return {};
  path.remove_prefix(begin.size());
  const std::size_t dot = path.find('.');
  const std::string_view layer = path.substr(0, dot);
  const bool number = !layer.empty() && dot != std::string_view::npos &&
                      layer.find_first_not_of("0123456789") == std::string_view::npos;
  for (const auto& [theirs, ours] : kNames) {
    if (number && is(path.substr(dot + 1), theirs, ours)) {
      return "model.layers." + std::string(layer) + "." + std::string(ours);
    }
  }
  return {};
}

// `model.layers.3.self_attn.q_proj` for `blk.3.attn_q`.
std::optional<std::string> name_of_llama_cpp(std::string_view path) {
  if (path == "output") return "lm_head";
  return model_name(path, "blk.", [](auto name, auto theirs, auto) { return name == theirs; });
}

// `model.layers.3.self_attn.q_proj` for `layers.3.q_proj`.
std::optional<std::string> name_of_metal_candle(std::string_view path) {
  return model_name(path, "layers.", [](auto name, auto, auto ours) {
    return name == ours.substr(ours.find('.') + 1);
  });
}

// B with the rows of each head as the model has them: its first half, then its second. llama.cpp
// takes the two by turns. A row is moved as bytes, so that a NaN keeps its bits; a quantised one
// becomes `element` before.
std::vector<std::byte> in_model_order(const Factor& b, Element element, std::int64_t heads) {
  const std::vector<std::byte> rows =
      is_plain(b.element) ? rows_of(b) : from_floats(element, values_of(b));
  std::vector<std::byte> ordered(rows.size());
  const auto size = static_cast<std::int64_t>(rows.size()) / b.rows;
  const std::int64_t half = b.rows / heads / 2;
  for (std::int64_t row = 0; row < b.rows; ++row) {
    const std::int64_t head = row / (2 * half);
    const std::int64_t in_head = row % (2 * half);
    const std::int64_t from = head * 2 * half + in_head % half * 2 + in_head / half;
    std::copy_n(rows.begin() + from * size, size, ordered.begin() + row * size);
  }
  return ordered;
}

// The outputs of another module of the same layer; 0 where the adapter has no such module.
std::int64_t outputs_beside(const Adapter& adapter, const std::string& path,
                            std::string_view name) {
  const std::string other = path.substr(0, path.rfind('.') + 1) + std::string(name);
  const auto at = std::lower_bound(
      adapter.modules.begin(), adapter.modules.end(), other,
      [](const LoraModule& module, const std::string& wanted) { return module.path < wanted; });
  return at != adapter.modules.end() && at->path == other ? at->out() : 0;
}

// How many heads the rows of a module of queries or of keys belong to; 0, with the reason in `why`,
// where that is not known. A model's heads are all of one size.
std::int64_t heads_of(const Adapter& adapter, const LoraModule& module, int heads, int heads_kv,
                      std::string& why) {
  const bool is_q = module.path.ends_with(".attn_q");
  const std::int64_t beside = outputs_beside(adapter, module.path, is_q ? "attn_k" : "attn_q");
  if (beside == module.out() && heads_kv < 1) heads_kv = heads;
  const std::int64_t own = is_q ? heads : heads_kv;
  const std::int64_t other = is_q ? heads_kv : heads;
  const std::string name = "module " + in_quotes(module.path);
  if (own < 1) {
    why = "llama.cpp has reordered the rows of " + name +
          ": say the heads of the model's queries and of its keys, like 32,8";
  } else if (module.out() % (2 * own) != 0) {
    why = name + " has " + std::to_string(module.out()) + " outputs, which are no " +
          std::to_string(own) + " heads of two halves";
  } else if (beside > 0 && other > 0 && module.out() * other != beside * own) {
    why = name + " has " + std::to_string(module.out()) + " outputs in " + std::to_string(own) +
          " heads, and the " + (is_q ? "keys" : "queries") + " beside it " +
          std::to_string(beside) + " in " + std::to_string(other) +
          ", expected heads of one size: say those of queries and of keys, like 32,8";
  }
  return why.empty() ? own : 0;
}

// What ModelModules::storage keeps of an adapter whose modules are not its own.
struct Renamed {
  std::shared_ptr<const void> adapter;
  std::vector<LoraModule> modules;
  std::vector<std::vector<std::byte>> reordered;
};

// Empty, or why the modules of llama.cpp are not known under the model's names.
std::string rename_llama_cpp(const Adapter& adapter, int heads, int heads_kv, Renamed& renamed) {
  if (std::find(std::begin(kArchitectures), std::end(kArchitectures), adapter.architecture) ==
      std::end(kArchitectures)) {
    return "the model's names of modules are not known for the architecture " +
           in_quotes(adapter.architecture);
  }
  for (LoraModule& module : renamed.modules) {
    const auto name = name_of_llama_cpp(module.path);
    if (!name) return "the model's name of module " + in_quotes(module.path) + " is not known";
    if (is_reordered(adapter, module)) {
      std::string why;
      const std::int64_t of_module = heads_of(adapter, module, heads, heads_kv, why);
      if (!why.empty()) return why;
      const Element element = is_plain(module.b.element) ? module.b.element : Element::f32;
      renamed.reordered.push_back(in_model_order(module.b, element, of_module));
      module.b = {element, module.b.rows, module.b.cols, false, renamed.reordered.back()};
    }
    module.path = *name;
  }
  return {};
}

// metal-candle leaves out the block of a layer that a module is in.
std::string rename_metal_candle(Renamed& renamed) {
  for (LoraModule& module : renamed.modules) {
    const auto name = name_of_metal_candle(module.path);
    if (!name) {
      return "the model's name of module " + in_quotes(module.path) +
             " is not known: metal-candle leaves out the block of the layer, as self_attn of "
             "model.layers.0.self_attn.q_proj";
    }
    module.path = *name;
  }
  return {};
}

}  // namespace

bool is_reordered(const Adapter& adapter, const LoraModule& module) {
  return adapter.format == Format::gguf && adapter.architecture == "llama" &&
         (module.path.ends_with(".attn_q") || module.path.ends_with(".attn_k"));
}

ModelModules model_modules(const Adapter& adapter, Format to, int heads, int heads_kv) {
  ModelModules result{adapter.modules, adapter.storage, {}};
  if (adapter.format == to) return result;
  const bool bare = adapter.format == Format::go_mlx && to != Format::metal_candle;
  if (adapter.format != Format::gguf && adapter.format != Format::metal_candle && !bare) {
    return result;
  }
  auto renamed = std::make_shared<Renamed>();
  renamed->adapter = adapter.storage;
  renamed->modules = adapter.modules;
  if (adapter.format == Format::gguf) {
    result.error = rename_llama_cpp(adapter, heads, heads_kv, *renamed);
  } else if (adapter.format == Format::metal_candle) {
    result.error = rename_metal_candle(*renamed);
  } else {
    for (LoraModule& module : renamed->modules) {
      if (module.path.starts_with("layers.")) module.path.insert(0, "model.");
    }
  }
  if (!result.error.empty()) return result;
  std::sort(renamed->modules.begin(), renamed->modules.end(),
            [](const LoraModule& one, const LoraModule& other) { return one.path < other.path; });
  result.modules = renamed->modules;
  result.storage = std::move(renamed);
  return result;
}

}  // namespace loratune
