#include "adapters/internal/pairing.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "adapters/internal/bounded_sort.h"
#include "adapters/internal/fault.h"
#include "loratune/variants/problem.h"

namespace loratune {
namespace {

// How many keys that were left out have a line of their own.
constexpr std::size_t kMostSkipped = 1000;

}  // namespace

Pairing::Pairing(Format format, bool lenient, bool dora, const Files& files, Adapter& adapter)
    : format_(format), lenient_(lenient), dora_(dora), files_(files), adapter_(adapter) {
  std::size_t tensors = 0;
  for (const OpenFile& file : files) tensors += file.tensors.tensors.size();
  halves_.reserve(tensors);
  for (std::size_t file = 0; file < files.size(); ++file) {
    for (std::size_t i = 0; i < files[file].tensors.tensors.size(); ++i) {
      add(static_cast<std::uint16_t>(file), static_cast<std::uint32_t>(i));
    }
  }
}

// A run of more than an A, a B and magnitudes has one of them twice, which pair_of() refuses: its
// count may end there.
template <class See>
void Pairing::for_each_run(See see) const {
  for (std::size_t first = 0; first < halves_.size();) {
    std::size_t end = first + 1;
    while (end < halves_.size() && halves_[end].same == halves_[first].same) ++end;
    constexpr std::size_t kMost = 4;
    see(Run{static_cast<std::uint32_t>(first),
            static_cast<std::uint16_t>(std::min(end - first, kMost))});
    first = end;
  }
}

void Pairing::finish(const std::string& source, const ModuleRules& rules) {
  bounded_sort(halves_, [](const Half& one, const Half& other) {
    return std::tie(one.same, one.file, one.index) < std::tie(other.same, other.file, other.index);
  });
  leave_out_modules_of_what_was_left_out();
  std::size_t pairs = 0;
  for_each_run([&](const Run& run) {
    const Pair pair = pair_of(run);
    if (rules.foresee) rules.foresee(pair.module);
    ++pairs;
  });
  if (const auto& [file, tensor, why] = other_spelling_; tensor != nullptr) {
    refuse(file->path, tensor->name, why);
  }
  std::vector<Found> found;
  found.reserve(pairs);
  bool matched = false;
  for_each_run([&](const Run& run) {
    const Pair pair = pair_of(run);
    Found module = {run, false, {}};
    std::string why = why_no_module(pair, halves_[run.first].same);
    if (why.empty()) why = scaling_of(pair, rules, module.scaling);
    if (!why.empty()) return complain(*pair.file, *pair.last, why);
    module.matched = rules.targets(std::string(pair.module));
    matched = matched || module.matched;
    found.push_back(module);
  });
  if (more_skipped_ > 0) {
    adapter_.skipped.push_back("and " + std::to_string(more_skipped_) + " more keys");
  }
  if (found.empty()) {
    refuse(source, "holds no LoRA module, expected keys like " + example_key());
  }
  if (!matched) {
    std::string_view example = pair_of(found.front().run).module;
    for (const Found& module : found) example = std::min(example, pair_of(module.run).module);
    refuse(source, "its config names none of its " + std::to_string(found.size()) +
                       " modules, such as " + in_quotes(example));
  }
  std::vector<LoraModule>& modules = adapter_.modules;
  modules.reserve(found.size());
  for (const Found& module : found) modules.push_back(module_of(module));
  std::sort(modules.begin(), modules.end(),
            [](const LoraModule& one, const LoraModule& other) { return one.path < other.path; });
}

void Pairing::complain(const OpenFile& file, const Tensor& tensor, const std::string& why) {
  if (!lenient_) refuse(file.path, tensor.name, why);
  if (adapter_.skipped.size() == kMostSkipped) {
    ++more_skipped_;
    return;
  }
  adapter_.skipped.push_back(printable(tensor.name, 200) + ": " + why);
}

void Pairing::leave_out(const OpenFile& file, const Tensor& tensor, const std::string& why) {
  complain(file, tensor, why);
  left_out_.push_back(tensor.name);
}

// `<module>.lora_B.bias` and the like make of their module something else than its pair is.
void Pairing::leave_out_modules_of_what_was_left_out() {
  constexpr int kMostParts = 4;  // behind the module's path
  for (const std::string_view name : left_out_) {
    std::string_view path = without_prefix(format_, name);
    for (int part = 0; part < kMostParts; ++part) {
      const std::size_t dot = path.rfind('.');
      if (dot == std::string_view::npos) break;
      path = path.substr(0, dot);
      const auto at = std::lower_bound(
          halves_.begin(), halves_.end(), path,
          [](const Half& half, std::string_view wanted) { return half.same < wanted; });
      if (at != halves_.end() && at->same == path) beside_[at->same] = name;
    }
  }
}

// A file of several adapters, or of keys that were written in several ways, could give a module the
// A of one and the B of another. Keeps why the first such tensor is refused.
void Pairing::want_one_spelling(const OpenFile& file, const Tensor& tensor, const Key& key) {
  if (format_ != Format::peft || other_spelling_.tensor != nullptr) return;
  if (first_name_.empty()) {
    first_ = key;
    first_name_ = tensor.name;
  }
  const auto refusal = [&](std::string_view what, std::string_view here, std::string_view there) {
    const std::string found = std::string(what) + (here.empty() ? "" : " " + in_quotes(here));
    other_spelling_ = {&file, &tensor,
                       (here.empty() ? "has no " : "has the ") + found + ", and key " +
                           in_quotes(first_name_) + " has " +
                           (there.empty() ? "none" : in_quotes(there)) + ", expected one " +
                           std::string(what) + " or none in the whole file"};
  };
  if (key.prefix != first_.prefix) return refusal("prefix", key.prefix, first_.prefix);
  if (key.adapter != first_.adapter) refusal("adapter name", key.adapter, first_.adapter);
}

void Pairing::add_half(std::uint16_t file, std::uint32_t index, const Key& key, Kind kind) {
  want_one_spelling(files_[file], files_[file].tensors.tensors[index], key);
  halves_.push_back({key.same, index, file, kind});
}

void Pairing::add(std::uint16_t at, std::uint32_t index) {
  const OpenFile& file = files_[at];
  const Tensor& tensor = file.tensors.tensors[index];
  if (dora_) {
    const Key magnitude = read_magnitude_key(tensor.name);
    if (!magnitude.module.empty()) {
      if (tensor.element && is_plain(*tensor.element) && tensor.dims == 1 && tensor.shape[0] >= 1 &&
          tensor.shape[0] <= kMaxExtent) {
        return add_half(at, index, magnitude, Kind::magnitude);
      }
      return leave_out(file, tensor,
                       "is " + std::string(tensor.type) + " of the shape " + shape_text(tensor) +
                           ", expected F32, F16 or BF16 of one extent, a magnitude for each row "
                           "of B");
    }
  }
  const Key key = read_key(format_, tensor.name);
  std::string why = key.why;
  if (why.empty() && !tensor.element) {
    why = "is " + std::string(tensor.type) + ", expected F32, F16 or BF16";
  }
  if (why.empty() && tensor.dims != 2) {
    why = "has the shape " + shape_text(tensor) +
          ", expected two extents: factors of more are of experts or convolutions";
  }
  if (why.empty() && (tensor.shape[0] < 1 || tensor.shape[1] < 1)) {
    why = "has the shape " + shape_text(tensor) + ", expected extents of 1 or more";
  }
  if (why.empty() && std::max(tensor.shape[0], tensor.shape[1]) > kMaxExtent) {
    why = "has the shape " + shape_text(tensor) + ", expected extents below 2^31";
  }
  if (key.apart) {
    return complain(file, tensor, why + (lenient_ ? "" : "; lenient reading keeps the rest"));
  }
  if (!why.empty()) return leave_out(file, tensor, why);
  add_half(at, index, key, key.is_b ? Kind::b : Kind::a);
}

// The tensors of a module. Which of two A would be meant nobody can tell, so these are an error in
// lenient reading too.
Pairing::Pair Pairing::pair_of(const Run& run) const {
  Pair pair;
  for (std::size_t i = run.first; i < run.first + run.count; ++i) {
    const Half& half = halves_[i];
    pair.file = &files_[half.file];
    pair.last = &pair.file->tensors.tensors[half.index];
    // PEFT's paths begin behind the prefix, which the whole file has; others as the file has them.
    const char* const begin = format_ == Format::peft ? half.same.data() : pair.last->name.data();
    const auto length = static_cast<std::size_t>(half.same.data() + half.same.size() - begin);
    if (i == run.first) pair.module = {begin, length};
    const Tensor*& place = half.kind == Kind::a   ? pair.a
                           : half.kind == Kind::b ? pair.b
                                                  : pair.magnitude;
    if (place != nullptr) {
      refuse(pair.file->path, pair.last->name,
             half.kind == Kind::magnitude
                 ? "is a second spelling of the magnitudes of " + in_quotes(pair.module)
                 : "is a second spelling of the same half of " + in_quotes(half.same));
    }
    place = pair.last;
  }
  return pair;
}

Factor Pairing::factor_of(const Tensor& tensor) const {
  const Factor factor = {*tensor.element, tensor.shape[0], tensor.shape[1], false, tensor.bytes};
  // These two store A[in,rank] and B[rank,out].
  const bool by_columns = format_ == Format::mlx_lm || format_ == Format::metal_candle;
  return by_columns ? transpose(factor) : factor;
}

// Empty, or why the pair is no module.
std::string Pairing::why_no_module(const Pair& pair, std::string_view same) const {
  const auto beside = beside_.find(same);
  if (beside != beside_.end()) {
    return "is more than plain LoRA with " + in_quotes(beside->second) + " beside it";
  }
  if (pair.a == nullptr || pair.b == nullptr) {
    return "its other half is missing: there is no " + std::string(pair.a != nullptr ? "B" : "A") +
           " of " + in_quotes(pair.module);
  }
  const Factor a = factor_of(*pair.a), b = factor_of(*pair.b);
  if (a.rows != b.cols) {
    return "A is " + shape_text(*pair.a) + " and B " + shape_text(*pair.b) + " as " +
           std::string(to_string(format_)) + " stores them, expected one rank" +
           (a.cols == b.rows ? ": they are stored the other way round" : "");
  }
  if (!dora_) return {};
  if (pair.magnitude == nullptr) {
    return "its magnitudes are missing: there is no lora_magnitude_vector of " +
           in_quotes(pair.module);
  }
  const std::int64_t magnitudes = pair.magnitude->shape[0];
  if (magnitudes == b.rows) return {};
  return "there are " + std::to_string(magnitudes) + " magnitudes, expected one for each of the " +
         std::to_string(b.rows) + " rows of B";
}

// Empty, or why the module has no scale.
std::string Pairing::scaling_of(const Pair& pair, const ModuleRules& rules,
                                Scaling& scaling) const {
  try {
    scaling = rules.scaling(std::string(pair.module), factor_of(*pair.a).rows);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  if (!std::isfinite(scaling.alpha) || !std::isfinite(static_cast<float>(scaling.scale))) {
    return "its scale is beyond every float";
  }
  return {};
}

LoraModule Pairing::module_of(const Found& found) const {
  const Pair pair = pair_of(found.run);
  LoraModule module = {.path = std::string(pair.module),
                       .a = factor_of(*pair.a),
                       .b = factor_of(*pair.b),
                       .alpha = found.scaling.alpha,
                       .scale = found.scaling.scale,
                       .matched = found.matched};
  if (dora_) {
    module.magnitude = {*pair.magnitude->element, pair.magnitude->shape[0], 1, false,
                        pair.magnitude->bytes};
  }
  return module;
}

std::string Pairing::example_key() const {
  if (format_ == Format::peft) return "base_model.model.<module>.lora_A.weight";
  if (format_ == Format::gguf) return "<tensor>.weight.lora_a";
  return format_ == Format::mlx_lm ? "<module>.lora_a" : "layers.N.<module>.lora_a";
}

}  // namespace loratune
