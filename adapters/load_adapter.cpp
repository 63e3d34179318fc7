#include "loratune/adapters/load_adapter.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "adapters/internal/fault.h"
#include "adapters/internal/gguf.h"
#include "adapters/internal/keys.h"
#include "adapters/internal/rules.h"
#include "adapters/internal/safetensors.h"
#include "adapters/internal/source.h"
#include "adapters/internal/tell_format.h"
#include "loratune/adapters/tensor_file.h"
#include "loratune/variants/problem.h"

namespace loratune {
namespace {

// How many keys that were left out have a line of their own.
constexpr std::size_t kMostSkipped = 1000;

void open_all(const std::vector<std::string>& paths, HeaderRoom& room, Files& files) {
  for (const std::string& path : paths) {
    const auto file = std::make_shared<MappedFile>(path);
    files.push_back({path, read_safetensors(file, room), file->state()});
  }
}

// What the modules need of their files: names and shapes are let go of.
void keep_mappings(std::shared_ptr<Files> files, Adapter& adapter) {
  for (OpenFile& file : *files) {
    file.tensors.tensors = {};
    adapter.files.push_back(std::move(file.state));
  }
  adapter.storage = std::move(files);
}

// Pairs the tensors of all files by module. Keys that are no half of a pair are left out in lenient
// reading, and are the error otherwise. The files stay as they are until finish() has run.
class Pairing {
 public:
  // `dora`: each module has magnitudes beside its pair.
  Pairing(Format format, bool lenient, bool dora, Adapter& adapter)
      : format_(format), lenient_(lenient), dora_(dora), adapter_(adapter) {}

  void add(const OpenFile& file) {
    pairs_.reserve(pairs_.size() + file.tensors.tensors.size());
    for (const Tensor& tensor : file.tensors.tensors) add(file, tensor);
  }

  // Gives each module its scale, and sorts them by path.
  void finish(const std::string& source, const ModuleRules& rules) {
    for (const std::string_view name : left_out_) leave_out_module_of(name);
    by_name_ = {};  // what is large may be let go of early
    for (const Pair& pair : pairs_) {
      if (rules.foresee) rules.foresee(pair.module);
    }
    std::vector<LoraModule>& modules = adapter_.modules;
    modules.reserve(pairs_.size());
    bool matched = false;
    for (const Pair& pair : pairs_) {
      LoraModule module;
      const std::string why = read(pair, rules, module);
      if (!why.empty()) {
        complain(*pair.file, *pair.last, why);
        continue;
      }
      module.matched = rules.targets(module.path);
      matched = matched || module.matched;
      modules.push_back(std::move(module));
    }
    if (more_skipped_ > 0) {
      adapter_.skipped.push_back("and " + std::to_string(more_skipped_) + " more keys");
    }
    if (modules.empty()) {
      refuse(source, "holds no LoRA module, expected keys like " + example_key());
    }
    std::sort(modules.begin(), modules.end(),
              [](const LoraModule& one, const LoraModule& other) { return one.path < other.path; });
    if (!matched) {
      refuse(source, "its config names none of its " + std::to_string(modules.size()) +
                         " modules, such as " + in_quotes(modules.front().path));
    }
  }

 private:
  // The tensors of a module. `beside` is the name of one that was left out though it belongs to the
  // module.
  struct Pair {
    std::string_view module;
    const Tensor *a = nullptr, *b = nullptr, *magnitude = nullptr;
    const Tensor* last = nullptr;  // that was added, and its file
    const OpenFile* file = nullptr;
    std::string_view beside;
  };

  void complain(const OpenFile& file, const Tensor& tensor, const std::string& why) {
    if (!lenient_) refuse(file.path, tensor.name, why);
    if (adapter_.skipped.size() == kMostSkipped) {
      ++more_skipped_;
      return;
    }
    adapter_.skipped.push_back(printable(tensor.name, 200) + ": " + why);
  }

  void leave_out(const OpenFile& file, const Tensor& tensor, const std::string& why) {
    complain(file, tensor, why);
    left_out_.emplace_back(tensor.name);
  }

  // `<module>.lora_B.bias` and the like make of their module something else than its pair is.
  void leave_out_module_of(std::string_view name) {
    constexpr int kMostParts = 4;  // behind the module's path
    std::string_view path = without_prefix(format_, name);
    for (int part = 0; part < kMostParts; ++part) {
      const std::size_t dot = path.rfind('.');
      if (dot == std::string_view::npos) return;
      path = path.substr(0, dot);
      const auto at = by_name_.find(path);
      if (at != by_name_.end()) pairs_[at->second].beside = name;
    }
  }

  // The pair of a module, which is made with its first tensor.
  Pair& pair_of(const OpenFile& file, const Tensor& tensor, std::string_view same,
                std::string_view module) {
    const auto [at, fresh] = by_name_.emplace(same, pairs_.size());
    if (fresh) pairs_.emplace_back().module = module;
    Pair& pair = pairs_[at->second];
    pair.file = &file;
    pair.last = &tensor;
    return pair;
  }

  // A file of several adapters, or of keys that were written in several ways, could give a module
  // the A of one and the B of another.
  void require_one_spelling(const OpenFile& file, const Tensor& tensor, const Key& key) {
    if (format_ != Format::peft) return;
    if (first_name_.empty()) {
      first_ = key;
      first_name_ = tensor.name;
    }
    const auto has = [](std::string_view part) { return part.empty() ? "none" : in_quotes(part); };
    const std::string other = ", and key " + in_quotes(first_name_) + " has ";
    if (key.prefix != first_.prefix) {
      refuse(file.path, tensor.name,
             "has " + (key.prefix.empty() ? "no prefix" : "the prefix " + has(key.prefix)) + other +
                 has(first_.prefix) + ", expected one prefix or none in the whole file");
    }
    if (key.adapter != first_.adapter) {
      refuse(
          file.path, tensor.name,
          "has " +
              (key.adapter.empty() ? "no adapter name" : "the adapter name " + has(key.adapter)) +
              other + has(first_.adapter) + ", expected one name or none in the whole file");
    }
  }

  void add_magnitude(const OpenFile& file, const Tensor& tensor, const Key& key) {
    if (!tensor.element || !is_plain(*tensor.element) || tensor.dims != 1 || tensor.shape[0] < 1 ||
        tensor.shape[0] > kMaxExtent) {
      leave_out(file, tensor,
                "is " + std::string(tensor.type) + " of the shape " + shape_text(tensor) +
                    ", expected F32, F16 or BF16 of one extent, a magnitude for each row of B");
      return;
    }
    const Tensor*& magnitude = pair_of(file, tensor, key.same, key.module).magnitude;
    if (magnitude != nullptr) {
      refuse(file.path, tensor.name,
             "is a second spelling of the magnitudes of " + in_quotes(key.module));
    }
    require_one_spelling(file, tensor, key);
    magnitude = &tensor;
  }

  void add(const OpenFile& file, const Tensor& tensor) {
    if (dora_) {
      const Key magnitude = read_magnitude_key(tensor.name);
      if (!magnitude.module.empty()) return add_magnitude(file, tensor, magnitude);
    }
    Key key = read_key(format_, tensor.name);
    std::string why = key.why;
    if (why.empty() && !tensor.element) {
      why = "is " + std::string(tensor.type) + ", expected F32, F16 or BF16";
    }
    if (why.empty() && tensor.dims != 2) {
      why = "has the shape " + shape_text(tensor) +
            ", expected two extents: factors of more are "
            "of experts or convolutions";
    }
    if (why.empty() && (tensor.shape[0] < 1 || tensor.shape[1] < 1)) {
      why = "has the shape " + shape_text(tensor) + ", expected extents of 1 or more";
    }
    if (why.empty() && std::max(tensor.shape[0], tensor.shape[1]) > kMaxExtent) {
      why = "has the shape " + shape_text(tensor) + ", expected extents below 2^31";
    }
    if (key.apart)
      return complain(file, tensor, why + (lenient_ ? "" : "; lenient reading keeps the rest"));
    if (!why.empty()) return leave_out(file, tensor, why);
    Pair& pair = pair_of(file, tensor, key.same, key.module);
    const Tensor*& half = key.is_b ? pair.b : pair.a;
    // Which of the two would be meant nobody can tell, so this is an error in lenient reading too.
    if (half != nullptr) {
      refuse(file.path, tensor.name,
             "is a second spelling of the same half of " + in_quotes(key.same));
    }
    require_one_spelling(file, tensor, key);
    half = &tensor;
  }

  Factor factor_of(const Tensor& tensor) const {
    const Factor factor = {*tensor.element, tensor.shape[0], tensor.shape[1], false, tensor.bytes};
    // These two store A[in,rank] and B[rank,out].
    const bool by_columns = format_ == Format::mlx_lm || format_ == Format::metal_candle;
    return by_columns ? transpose(factor) : factor;
  }

  // Empty, or why the pair is no module.
  std::string read(const Pair& pair, const ModuleRules& rules, LoraModule& module) const {
    if (!pair.beside.empty()) {
      return "is more than plain LoRA with " + in_quotes(pair.beside) + " beside it";
    }
    module.path = pair.module;
    if (pair.a == nullptr || pair.b == nullptr) {
      return "its other half is missing: there is no " +
             std::string(pair.a != nullptr ? "B" : "A") + " of " + in_quotes(module.path);
    }
    module.a = factor_of(*pair.a);
    module.b = factor_of(*pair.b);
    if (module.a.rows != module.b.cols) {
      return "A is " + shape_text(*pair.a) + " and B " + shape_text(*pair.b) + " as " +
             std::string(to_string(format_)) + " stores them, expected one rank" +
             (module.a.cols == module.b.rows ? ": they are stored the other way round" : "");
    }
    if (dora_) {
      if (pair.magnitude == nullptr) {
        return "its magnitudes are missing: there is no lora_magnitude_vector of " +
               in_quotes(module.path);
      }
      const std::int64_t magnitudes = pair.magnitude->shape[0];
      if (magnitudes != module.out()) {
        return "there are " + std::to_string(magnitudes) +
               " magnitudes, expected one for each of the " + std::to_string(module.out()) +
               " rows of B";
      }
      module.magnitude = {*pair.magnitude->element, magnitudes, 1, false, pair.magnitude->bytes};
    }
    try {
      const Scaling scaling = rules.scaling(module.path, module.rank());
      module.alpha = scaling.alpha;
      module.scale = scaling.scale;
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    if (!std::isfinite(module.alpha) || !std::isfinite(static_cast<float>(module.scale))) {
      return "its scale is beyond every float";
    }
    return {};
  }

  std::string example_key() const {
    if (format_ == Format::peft) return "base_model.model.<module>.lora_A.weight";
    if (format_ == Format::gguf) return "<tensor>.weight.lora_a";
    return format_ == Format::mlx_lm ? "<module>.lora_a" : "layers.N.<module>.lora_a";
  }

  Format format_;
  bool lenient_, dora_;
  Adapter& adapter_;
  Key first_;  // of a half or of magnitudes
  std::string_view first_name_;
  std::vector<Pair> pairs_;
  // In order: names that were made for it can slow a hash map down without bounds.
  std::map<std::string_view, std::size_t> by_name_;
  std::vector<std::string_view> left_out_;
  std::size_t more_skipped_ = 0;
};

// A key that says that the adapter is of activated LoRA, whatever its value is.
std::optional<std::string> key_of_alora(const GgufFile& gguf) {
  constexpr std::string_view kBegin = "adapter.alora.";
  const auto text = gguf.texts.lower_bound(kBegin);
  if (text != gguf.texts.end() && text->first.starts_with(kBegin)) return text->first;
  const auto number = gguf.numbers.lower_bound(kBegin);
  if (number != gguf.numbers.end() && number->first.starts_with(kBegin)) return number->first;
  const auto list = std::find_if(gguf.lists.begin(), gguf.lists.end(),
                                 [&](const auto& key) { return key.starts_with(kBegin); });
  if (list != gguf.lists.end()) return *list;
  return {};
}

Adapter load_gguf(const Source& source, const LoadOptions& options) {
  const std::string& path = source.files.front();
  const auto mapped = std::make_shared<MappedFile>(path);
  GgufFile gguf = read_gguf(mapped);
  const auto text = [&](const char* key) -> std::string {
    const auto at = gguf.texts.find(key);
    return at == gguf.texts.end() ? "" : at->second;
  };
  for (const auto& [key, expected] :
       {std::pair("general.type", "adapter"), {"adapter.type", "lora"}}) {
    if (text(key) != expected) {
      refuse(path, key, "is " + in_quotes(text(key)) + ", expected '" + expected + "'");
    }
  }
  if (const auto other = key_of_alora(gguf)) {
    refuse(path, *other, "is of activated LoRA, expected plain LoRA");
  }
  if (options.alpha || options.rank) {
    refuse(path, "says its own rank and alpha: leave out those that were given");
  }
  Adapter adapter;
  adapter.format = Format::gguf;
  adapter.architecture = text("general.architecture");
  const auto alpha = gguf.numbers.find("adapter.lora.alpha");
  auto files = std::make_shared<Files>();
  files->push_back({path, std::move(gguf.file), mapped->state()});
  Pairing pairing(Format::gguf, options.lenient, false, adapter);
  pairing.add(files->front());
  pairing.finish(path, gguf_rules(alpha == gguf.numbers.end() ? 0 : alpha->second));
  keep_mappings(std::move(files), adapter);
  const auto reordered = [](const LoraModule& module) {
    return module.path.ends_with(".attn_q") || module.path.ends_with(".attn_k");
  };
  if (adapter.architecture == "llama" &&
      std::any_of(adapter.modules.begin(), adapter.modules.end(), reordered)) {
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
  Pairing pairing(adapter.format, options.lenient, rules.dora, adapter);
  for (const OpenFile& file : *files) pairing.add(file);
  pairing.finish(path, rules);
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
