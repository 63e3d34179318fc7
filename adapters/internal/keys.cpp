#include "adapters/internal/keys.h"

#include <algorithm>
#include <charconv>
#include <cstddef>

#include "dispatch/internal/utf8.h"

namespace loratune {
namespace {

// Names of tensors that stand beside or in place of plain LoRA's, and what they belong to. PEFT
// saves the weights of a base by itself where LoRA is of lm_head.
struct LookAlike {
  std::string_view part, words;
  bool apart = false;
};
constexpr LookAlike kLookAlikes[] = {
    {"lora_embedding_", "LoRA of an embedding, which looks rows up instead of multiplying"},
    {"lora_magnitude_vector", "DoRA, which is read only where it is asked for"},
    {"lora_E", "AdaLoRA"},
    {"lora_A.bias", "LoRA with a bias of its own"},
    {"lora_B.bias", "LoRA with a bias of its own"},
    {"trainable_tokens", "embeddings of single tokens"},
    {"token_adapter", "embeddings of single tokens"},
    {"modules_to_save", "a whole module beside LoRA"},
    {"base_layer.weight", "the base model's own weights", true},
    {"base_layer", "the base model's own weights"},
    {"lora_velora", "VeLoRA, which only training uses", true},
    {"hada_", "LoHa"},
    {"lokr_", "LoKr"},
    {"ia3_", "IA3"},
    {"oft_", "OFT"},
    {"lora_diag", "KaSA"}};

// Embeddings have factors of a linear layer's shape; only the name tells. PEFT has other keys for
// them, so there a module may be called by a plain word.
constexpr std::string_view kPlainWords[] = {"embed", "embedding"};
constexpr std::string_view kEmbeddings[] = {"embed_tokens",
                                            "embed_tokens_per_layer",
                                            "embed_in",
                                            "embeddings",
                                            "wte",
                                            "wpe",
                                            "tok_embeddings",
                                            "token_embeddings",
                                            "word_embeddings",
                                            "position_embeddings",
                                            "position_embedding_table",
                                            "token_embd",
                                            "per_layer_token_embd",
                                            "position_embd"};

bool is_embedding(std::string_view name, Format format) {
  const auto among = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  return among(kEmbeddings) || (format != Format::peft && among(kPlainWords));
}

// Of a path. Each end of it is looked for among the names of a config.
constexpr std::ptrdiff_t kMostParts = 32;

// Whether the path is UTF-8 without control characters, so that a text of C, a line and JSON hold
// it.
bool is_name(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (length == 0 || first < 0x20 || first == 0x7f) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool take_end(std::string_view& text, std::string_view end) {
  if (!text.ends_with(end)) return false;
  text.remove_suffix(end.size());
  return true;
}

bool take_begin(std::string_view& text, std::string_view begin) {
  if (!text.starts_with(begin)) return false;
  text.remove_prefix(begin.size());
  return true;
}

void say_why_not(std::string_view name, Key& key) {
  for (const auto& [part, words, apart] : kLookAlikes) {
    if (name.find(part) == std::string_view::npos) continue;
    key.why = "belongs to " + std::string(words);
    key.apart = apart;
    return;
  }
  key.why =
      name.ends_with(".m") ? "belongs to DoRA, which is not read yet" : "is no key of a LoRA pair";
}

// `<module>.lora_A.weight`, or with the adapter's name in it: `<module>.lora_A.default.weight`.
bool take_peft_half(std::string_view& path, Key& key) {
  if (!take_end(path, ".weight")) return false;
  for (const bool b : {false, true}) {
    const std::string_view half = b ? ".lora_B" : ".lora_A";
    const std::size_t at = path.rfind(half);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = path.substr(at + half.size());
    const bool named =
        rest.starts_with(".") && rest.size() > 1 && rest.find('.', 1) == std::string_view::npos;
    if (!rest.empty() && !named) continue;
    path = path.substr(0, at);
    key.is_b = b;
    key.adapter = named ? rest.substr(1) : std::string_view();
    return true;
  }
  return false;
}

bool take_half(std::string_view& path, bool& is_b) {
  is_b = take_end(path, ".lora_b");
  return is_b || take_end(path, ".lora_a");
}

}  // namespace

Key read_key(Format format, std::string_view name) {
  Key key;
  std::string_view path = name;
  const bool whole = format == Format::peft ? take_peft_half(path, key) : take_half(path, key.is_b);
  if (!whole) {
    say_why_not(name, key);
    return key;
  }
  if (format == Format::gguf && !take_end(path, ".weight")) {
    key.why = "is no key of a LoRA pair: expected <tensor>.weight.lora_a or .lora_b";
    return key;
  }
  const std::string_view last = path.substr(path.rfind('.') + 1);
  if (path.empty() || last.empty()) {
    key.why = "names no module";
  } else if (!is_name(path)) {
    key.why = "is no name: it holds a control character, or is no UTF-8";
  } else if (std::count(path.begin(), path.end(), '.') >= kMostParts) {
    key.why = "has more than " + std::to_string(kMostParts) + " parts";
  } else if (is_embedding(last, format)) {
    key.why = "belongs to LoRA of an embedding, which looks rows up instead of multiplying";
  } else if ((format == Format::go_mlx || format == Format::metal_candle) &&
             !is_layer_path(path, format)) {
    key.why = "is no key of " + std::string(to_string(format)) + ": expected layers.N.<module>";
  }
  key.same = without_prefix(format, path);
  key.prefix = path.substr(0, path.size() - key.same.size());
  key.module = format == Format::peft ? key.same : path;
  return key;
}

std::string_view without_prefix(Format format, std::string_view name) {
  if (format == Format::peft) take_begin(name, "base_model.model.");
  if (format == Format::go_mlx) take_begin(name, "model.");
  return name;
}

Key read_magnitude_key(std::string_view name) {
  constexpr std::string_view kPart = ".lora_magnitude_vector";
  take_end(name, ".weight");
  const std::size_t at = name.rfind(kPart);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = name.substr(at + kPart.size());
  // Nothing, or the adapter's name.
  if (!rest.empty() && (!rest.starts_with(".") || rest.find('.', 1) != std::string_view::npos)) {
    return {};
  }
  Key key;
  const std::string_view path = name.substr(0, at);
  key.module = key.same = without_prefix(Format::peft, path);
  key.prefix = path.substr(0, path.size() - key.module.size());
  key.adapter = rest.empty() ? rest : rest.substr(1);
  return key;
}

bool is_peft_key(std::string_view name) {
  Key key;
  return take_peft_half(name, key);
}

bool is_layer_path(std::string_view path, Format format) {
  if (format == Format::go_mlx) take_begin(path, "model.");
  if (!take_begin(path, "layers.")) return false;
  const std::size_t digits = std::min(path.find_first_not_of("0123456789"), path.size());
  const std::string_view rest = path.substr(digits);
  if (digits == 0 || digits > 9 || rest.size() < 2 || rest.front() != '.') return false;
  return format == Format::go_mlx || rest.find('.', 1) == std::string_view::npos;
}

LayerPath in_layer(std::string_view path) {
  constexpr std::size_t kMostDigits = 9;
  std::size_t begin = path.find('.');
  while (begin != std::string_view::npos) {
    const std::size_t end = path.find('.', ++begin);
    if (end == std::string_view::npos) break;  // the last part is the module itself
    const std::string_view part = path.substr(begin, end - begin);
    const bool digits = part.find_first_not_of("0123456789") == std::string_view::npos;
    if (digits && !part.empty() && part.size() <= kMostDigits) {
      LayerPath found = {0, path.substr(0, begin), path.substr(end + 1)};
      std::from_chars(part.data(), part.data() + part.size(), found.layer);
      return found;
    }
    begin = end;
  }
  return {-1, {}, path};
}

}  // namespace loratune
