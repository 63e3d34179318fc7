#include "adapters/internal/llama_names.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "adapters/internal/fault.h"

namespace loratune {
namespace {

// Architectures whose models name their modules so.
constexpr std::string_view kArchitectures[] = {"llama", "qwen2", "qwen3", "gemma", "gemma2"};
constexpr std::pair<std::string_view, std::string_view> kNames[] = {
    {"attn_q", "self_attn.q_proj"}, {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"}, {"attn_output", "self_attn.o_proj"},
    {"ffn_gate", "mlp.gate_proj"},  {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"}};

// `model.layers.3.self_attn.q_proj` for `blk.3.attn_q`.
std::optional<std::string> model_name(std::string_view path) {
  if (path == "output") return "lm_head";
  constexpr std::string_view kBlock = "blk.";
  if (!path.starts_with(kBlock)) return {};
  path.remove_prefix(kBlock.size());
  const std::size_t dot = path.find('.');
  const std::string_view layer = path.substr(0, dot);
  const bool number = !layer.empty() && dot != std::string_view::npos &&
                      layer.find_first_not_of("0123456789") == std::string_view::npos;
  for (const auto& [theirs, ours] : kNames) {
    if (number && path.substr(dot + 1) == theirs) {
      return "model.layers." + std::string(layer) + "." + std::string(ours);
    }
  }
  return {};
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

// What ModelModules::storage keeps of a GGUF adapter.
struct Renamed {
  std::shared_ptr<const void> adapter;
  std::vector<LoraModule> modules;
  std::vector<std::vector<std::byte>> reordered;
};

}  // namespace

ModelModules model_modules(const Adapter& adapter, int heads, int heads_kv) {
  ModelModules result{adapter.modules, adapter.storage, {}};
  if (adapter.format != Format::gguf) return result;
  if (std::find(std::begin(kArchitectures), std::end(kArchitectures), adapter.architecture) ==
      std::end(kArchitectures)) {
    result.error = "the model's names of modules are not known for the architecture " +
                   in_quotes(adapter.architecture);
    return result;
  }
  auto renamed = std::make_shared<Renamed>();
  renamed->adapter = adapter.storage;
  renamed->modules = adapter.modules;
  for (LoraModule& module : renamed->modules) {
    const auto name = model_name(module.path);
    if (!name) {
      result.error = "the model's name of module " + in_quotes(module.path) + " is not known";
      return result;
    }
    const bool is_q = module.path.ends_with(".attn_q");
    if (adapter.architecture == "llama" && (is_q || module.path.ends_with(".attn_k"))) {
      const int of_module = is_q ? heads : heads_kv;
      if (of_module < 1) {
        result.error = "llama.cpp has reordered the rows of module " + in_quotes(module.path) +
                       ": say with --heads how many heads the model's queries and keys have";
        return result;
      }
      if (module.out() % (2 * std::int64_t{of_module}) != 0) {
        result.error = "module " + in_quotes(module.path) + " has " + std::to_string(module.out()) +
                       " outputs, which are no " + std::to_string(of_module) +
                       " heads of two halves";
        return result;
      }
      const Element element = is_plain(module.b.element) ? module.b.element : Element::f32;
      renamed->reordered.push_back(in_model_order(module.b, element, of_module));
      module.b = {element, module.b.rows, module.b.cols, false, renamed->reordered.back()};
    }
    module.path = *name;
  }
  std::sort(renamed->modules.begin(), renamed->modules.end(),
            [](const LoraModule& one, const LoraModule& other) { return one.path < other.path; });
  result.modules = renamed->modules;
  result.storage = std::move(renamed);
  return result;
}

}  // namespace loratune
