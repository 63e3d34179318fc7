// PEFT's adapter_config.json, as peft 0.21.2 reads it.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "adapters/internal/fault.h"
#include "adapters/internal/module_names.h"
#include "adapters/internal/pattern.h"
#include "adapters/internal/rules.h"
#include "loratune/variants/problem.h"

namespace loratune {
namespace {

// All patterns and matches of one adapter together; a hostile config must not take seconds.
constexpr Steps kSteps = 50'000'000;

// How large all the patterns of a member may be together: what they may take of memory.
constexpr std::size_t kMostSize = 131072;

// Members that make the adapter something else than y + s (x A^T) B^T, and what they make of it.
struct OtherMethod {
  std::string_view member, words;
};
constexpr OtherMethod kOtherMethods[] = {
    {"use_dora", "DoRA, which is read only where it is asked for"},
    {"use_qalora", "QALoRA"},
    {"use_bdlora", "BD-LoRA"},
    {"kasa_config", "KaSA"},
    {"alora_invocation_tokens", "activated LoRA"},
    {"arrow_config", "Arrow's routing between adapters"},
    {"monteclora_config", "MonteCLoRA"},
    {"target_parameters", "LoRA of parameters, whose A holds the ranks of all experts"},
    {"lora_bias", "LoRA with a bias of its own"}};
// Members that add tensors beside those of plain LoRA.
constexpr OtherMethod kExtraTensors[] = {{"modules_to_save", "whole modules beside LoRA"},
                                         {"trainable_token_indices", "embeddings of tokens"}};

void refuse_other_methods(const AdapterConfig& config, bool lenient, bool dora) {
  const auto type = config.text("peft_type");
  if (!type || *type != "LORA") config.expect("peft_type", "\"LORA\"");
  // PEFT takes any text for true.
  for (const char* flag : {"use_rslora", "use_dora", "use_qalora", "lora_bias"}) config.flag(flag);
  for (const auto& [member, words] : kOtherMethods) {
    if (dora && member == "use_dora") continue;
    if (config.says(member)) config.expect(member, "none: this is " + std::string(words));
  }
  for (const auto& [member, words] : kExtraTensors) {
    if (config.says(member) && !lenient) {
      config.expect(member, "none: the adapter holds " + std::string(words) +
                                "; lenient reading keeps what is plain LoRA");
    }
  }
}

// What LoraConfig raises at.
void refuse_contradictions(const AdapterConfig& config) {
  const auto* targets = config.find("target_modules");
  for (const char* member : {"layers_to_transform", "layers_pattern"}) {
    if (targets == nullptr || !targets->is_string() || !config.has(member)) continue;
    config.expect(member, "none beside a target_modules that is a text");
  }
  if (config.says("layers_pattern") && !config.has("layers_to_transform")) {
    config.expect("layers_to_transform", "layers where there is a layers_pattern");
  }
}

// The path by which PEFT asks its config for a module. It puts factors on an nn.MultiheadAttention
// and, of the same rank and alpha, on the out_proj inside it.
std::string asked_path(const std::string& path) {
  constexpr std::string_view kInside = ".base_layer.out_proj";
  return path.ends_with(kInside) ? path.substr(0, path.size() - kInside.size()) : path;
}

std::string in_lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// A step of a Pattern takes as long as so many characters that are compared.
constexpr std::size_t kCharactersOfStep = 8;

void take(Steps& steps, std::size_t taken) {
  steps -= static_cast<Steps>(taken);
  if (steps < 0) throw std::invalid_argument("takes too long to match");
}

// A member of rank_pattern or alpha_pattern. PEFT takes the first in the order of the file that
// matches `(.*\.)?(key)$`.
class PatternEntry {
 public:
  PatternEntry(std::string_view key, double stated, Steps& steps) : value(stated) {
    if (read_literal(key)) return;
    pattern_ = std::make_shared<Pattern>("(.*\\.)?(" + std::string(key) + ")$", steps);
  }

  bool matches(std::string_view path, Steps& steps) const {
    if (pattern_) return pattern_->matches_start(path, steps);
    take(steps, 1);
    std::size_t left = path.size();
    for (std::size_t i = literal_.size(); i-- > 0;) {
      if (left-- == 0) return false;
      if (i % kCharactersOfStep == 0) take(steps, 1);
      while (literal_[i] == kAny && left > 0 && continues_character(path[left])) --left;
      if (literal_[i] != kAny && literal_[i] != path[left]) return false;
    }
    return left == 0 || (!from_begin_ && path[left - 1] == '.');
  }

  std::size_t size() const { return pattern_ ? pattern_->size() : 0; }

  double value;

 private:
  static constexpr char kAny = '\0';  // a dot's any character

  // False where the key is more than plain characters, dots and escaped marks, perhaps behind a ^.
  bool read_literal(std::string_view key) {
    from_begin_ = key.starts_with('^');
    if (from_begin_) key.remove_prefix(1);
    literal_.reserve(key.size());
    for (std::size_t i = 0; i < key.size(); ++i) {
      const bool escaped = key[i] == '\\' && i + 1 < key.size();
      const char c = key[escaped ? ++i : i];
      const bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      const bool plain = word || c == '_' || c == '-' || static_cast<unsigned char>(c) >= 0x80;
      if (escaped ? word || c == kAny : !plain && c != '.') return false;
      literal_ += !escaped && c == '.' ? kAny : c;
    }
    return true;
  }

  std::string literal_;
  bool from_begin_ = false;
  std::shared_ptr<const Pattern> pattern_;  // none for a literal
};

using Patterns = std::vector<PatternEntry>;

Patterns read_patterns(const AdapterConfig& config, std::string_view name, Steps& steps) {
  Patterns patterns;
  const auto* member = config.find(name);
  if (member == nullptr) return patterns;
  if (!member->is_object()) config.expect(name, "an object of patterns");
  std::size_t size = 0;
  for (const auto& [key, value] : member->items()) {
    if (!value.is_number()) {
      config.fail("key " + in_quotes(name) + ": the value of " + in_quotes(key) + " is no number");
    }
    try {
      patterns.emplace_back(key, value.get<double>(), steps);
    } catch (const std::invalid_argument& error) {
      config.fail("key " + in_quotes(name) + ": the pattern " + in_quotes(key) + " " +
                  error.what());
    }
    size += patterns.back().size();
    if (size > kMostSize) config.expect(name, "patterns that are smaller together");
  }
  return patterns;
}

double value_for(const Patterns& patterns, std::string_view path, double otherwise, Steps& steps) {
  const auto at = std::find_if(patterns.begin(), patterns.end(), [&](const PatternEntry& entry) {
    return entry.matches(path, steps);
  });
  return at == patterns.end() ? otherwise : at->value;
}

using Expression = std::shared_ptr<const Pattern>;

// The expression that PEFT makes of a member's text, which only says which modules are meant. None,
// with a note, where it is not read: what a module computes does not depend on it.
Expression read_expression(const AdapterConfig& config, std::string_view name,
                           const std::string& text, const std::string& expression, Steps& steps,
                           std::vector<std::string>& notes) {
  try {
    return std::make_shared<Pattern>(expression, steps);
  } catch (const UnreadPattern& error) {
    notes.push_back(config.path() + ": " + std::string(name) + " " + in_quotes(text) + " " +
                    error.what() + "; modules are not compared with it");
    return {};
  } catch (const std::invalid_argument& error) {
    config.fail("key " + in_quotes(name) + ": the pattern " + in_quotes(text) + " " + error.what());
  }
}

// The same for a member that is a list of texts, each of which stands between `before` and `after`
// in its expression.
std::vector<Expression> read_expressions(const AdapterConfig& config, std::string_view name,
                                         const std::vector<std::string>& texts,
                                         const std::string& before, const std::string& after,
                                         Steps& steps, std::vector<std::string>& notes) {
  constexpr std::size_t kNote = 256;  // what a note takes of memory
  std::vector<Expression> expressions;
  std::size_t size = 0;
  for (const std::string& text : texts) {
    std::string expression = before;
    expression.append(text).append(after);
    expressions.push_back(read_expression(config, name, text, expression, steps, notes));
    size += expressions.back() ? expressions.back()->size() : kNote;
    if (size > kMostSize) config.expect(name, "patterns that are smaller together");
  }
  return expressions;
}

// modules_to_save: PEFT saves these modules whole, and has no factors of them or inside them.
std::vector<Expression> read_saved(const AdapterConfig& config, Steps& steps,
                                   std::vector<std::string>& notes) {
  const auto texts = config.texts("modules_to_save").value_or(std::vector<std::string>());
  return read_expressions(config, "modules_to_save", texts, "(^|.*\\.)", "($|\\..*)", steps, notes);
}

// target_modules or exclude_modules: a list of names, or an expression for the whole path.
struct Chosen {
  bool all = false;
  ModuleNames names;
  Expression pattern;

  bool contains(const std::string& path, Steps& steps) const {
    if (pattern) return pattern->matches_all(path, steps);
    return all || names_end_of(names, path);
  }
};

Chosen read_chosen(const AdapterConfig& config, std::string_view name, Steps& steps,
                   std::vector<std::string>& notes) {
  Chosen chosen;
  const auto* member = config.find(name);
  if (member == nullptr) return chosen;
  if (!member->is_string()) {
    chosen.names = ModuleNames(*config.text_views(name));
    return chosen;
  }
  const auto text = member->get<std::string>();
  const bool is_target = name == "target_modules";
  chosen.all = is_target && in_lower_case(text) == "all-linear";
  if (chosen.all) return chosen;
  chosen.pattern = read_expression(config, name, text, text, steps, notes);
  chosen.all = is_target && !chosen.pattern;
  return chosen;
}

// The number that begins here; -1 for none.
std::int64_t number_in(std::string_view text) {
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && number >= 0 ? number : -1;
}

// The layer that PEFT takes a path to be of where there is no layers_pattern: the first number
// behind two other parts of the path. -1 for none.
std::int64_t layer_of(std::string_view path) {
  for (int part = 0;; ++part) {
    const std::size_t dot = path.find('.');
    if (dot == std::string_view::npos) return -1;  // the last part is the module itself
    const std::string_view name = path.substr(0, dot);
    const bool digits = name.find_first_not_of("0123456789") == std::string_view::npos;
    if (part >= 2 && digits && !name.empty()) return number_in(name);
    path.remove_prefix(dot + 1);
  }
}

struct LayerChoice {
  bool all = true;
  std::set<std::int64_t> layers;
  std::vector<Expression> patterns;  // whose named group is the number

  bool contains(std::string_view path, Steps& steps) const {
    if (all) return true;
    if (patterns.empty()) {
      take(steps, 1 + path.size());
      return has(layer_of(path));
    }
    for (const Expression& pattern : patterns) {
      const auto match = pattern->find_group(path, steps);
      if (match) return match->begin && has(number_in(path.substr(*match->begin)));
    }
    return false;
  }
  bool has(std::int64_t layer) const { return layer >= 0 && layers.contains(layer); }
};

// layers_pattern: a text or a list of them. Without one the choice is by layer_of().
void read_layers_pattern(const AdapterConfig& config, LayerChoice& choice, Steps& steps,
                         std::vector<std::string>& notes) {
  if (!config.says("layers_pattern")) return;
  const bool one = config.find("layers_pattern")->is_string();
  const std::vector<std::string> texts =
      one ? std::vector{*config.text("layers_pattern")} : *config.texts("layers_pattern");
  choice.patterns = read_expressions(config, "layers_pattern", texts, "(?:^|.*?\\.)",
                                     "\\.(?P<idx>\\d+)\\.", steps, notes);
  choice.all =
      std::find(choice.patterns.begin(), choice.patterns.end(), nullptr) != choice.patterns.end();
}

LayerChoice read_layers(const AdapterConfig& config, Steps& steps,
                        std::vector<std::string>& notes) {
  LayerChoice choice;
  const auto* member = config.find("layers_to_transform");
  if (member == nullptr || (member->is_array() && member->empty())) return choice;
  choice.all = false;
  if (member->is_array()) {
    for (const auto& one : *member) {
      if (!one.is_number_integer()) config.expect("layers_to_transform", "whole numbers");
      choice.layers.insert(one.get<std::int64_t>());
    }
  } else {
    choice.layers.insert(*config.whole("layers_to_transform"));
  }
  read_layers_pattern(config, choice, steps, notes);
  return choice;
}

void note_changed_base(const AdapterConfig& config, ModuleRules& rules) {
  if (config.says("layer_replication")) {
    rules.changes_base = true;
    rules.notes.push_back(config.path() +
                          ": layer_replication: the adapter is for a model some of "
                          "whose layers stand more than once");
  }
  const auto* member = config.find("init_lora_weights");
  if (member == nullptr || !member->is_string()) return;
  const auto method = member->get<std::string>();
  const std::string in_any_case = in_lower_case(method);
  if (method == "orthogonal" || method == "eva") return;
  if (in_any_case == "gaussian" || in_any_case == "mica") return;
  rules.changes_base = true;
  rules.notes.push_back(config.path() + ": init_lora_weights " + in_quotes(method) +
                        ": PEFT changes the base's weights by it when it loads the adapter, "
                        "unless the adapter was converted to plain LoRA");
}

}  // namespace

ModuleRules peft_rules(const AdapterConfig& config, bool lenient, bool dora) {
  refuse_other_methods(config, lenient, dora);
  refuse_contradictions(config);
  for (const char* name : {"r", "lora_alpha"}) {
    if (config.is_null(name)) config.expect(name, "a number");
  }
  const std::int64_t rank = config.whole("r").value_or(8);
  if (rank < 1 || rank > kMaxExtent) config.expect("r", "a rank of 1 or more, below 2^31");
  const double alpha = config.number("lora_alpha").value_or(8);
  const bool root = config.flag("use_rslora").value_or(false);
  const auto steps = std::make_shared<Steps>(kSteps);
  Patterns ranks = read_patterns(config, "rank_pattern", *steps);
  Patterns alphas = read_patterns(config, "alpha_pattern", *steps);
  for (const PatternEntry& entry : ranks) {
    if (entry.value < 1 || entry.value > kMaxExtent || entry.value != std::floor(entry.value)) {
      config.fail("key 'rank_pattern': holds a rank of " + std::to_string(entry.value) +
                  ", expected whole numbers of 1 or more, below 2^31");
    }
  }
  ModuleRules rules;
  rules.dora = dora && config.flag("use_dora").value_or(false);
  note_changed_base(config, rules);
  Chosen targets = read_chosen(config, "target_modules", *steps, rules.notes);
  const bool unsaid = !config.has("target_modules");
  Chosen excluded = read_chosen(config, "exclude_modules", *steps, rules.notes);
  std::vector<Expression> saved = read_saved(config, *steps, rules.notes);
  LayerChoice layers = read_layers(config, *steps, rules.notes);

  rules.scaling = [=, ranks = std::move(ranks), alphas = std::move(alphas)](
                      const std::string& of_file, std::int64_t of_tensors) {
    const std::string path = asked_path(of_file);
    const double stated = value_for(ranks, path, static_cast<double>(rank), *steps);
    if (stated != static_cast<double>(of_tensors)) {
      throw std::invalid_argument("its rank is " + std::to_string(of_tensors) +
                                  ", the config says " +
                                  std::to_string(static_cast<std::int64_t>(stated)));
    }
    const double a = value_for(alphas, path, alpha, *steps);
    return Scaling{a, root ? a / std::sqrt(stated) : a / stated};
  };
  rules.targets = [=, targets = std::move(targets), excluded = std::move(excluded),
                   saved = std::move(saved),
                   layers = std::move(layers)](const std::string& of_file) {
    const std::string path = asked_path(of_file);
    const auto is_whole = [&](const Expression& one) {
      return one && one->matches_start(path, *steps);
    };
    if (std::any_of(saved.begin(), saved.end(), is_whole)) return false;
    if (excluded.contains(path, *steps)) return false;
    // PEFT asks for the layer only where a name is the end of the path.
    if (unsaid || targets.names.contains(path)) return true;
    return targets.contains(path, *steps) && layers.contains(path, *steps);
  };
  return rules;
}

}  // namespace loratune
