#include "adapters/internal/tell_format.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "adapters/internal/fault.h"
#include "adapters/internal/keys.h"

namespace loratune {
namespace {

// Whether all complete pairs of `.lora_a` and `.lora_b` have a rank in common when they are read as
// the format stores them; `rank` given: that one.
bool fits(const Files& files, Format format, std::optional<std::int64_t> rank) {
  std::map<std::string_view, std::int64_t> ranks;
  for (const OpenFile& file : files) {
    for (const Tensor& tensor : file.tensors.tensors) {
      const Key key = read_key(Format::mlx_lm, tensor.name);
      if (!key.why.empty() || tensor.dims != 2) continue;
      const bool first = (format == Format::go_mlx) != key.is_b;
      const std::int64_t found = tensor.shape[first ? 0 : 1];
      const auto [at, fresh] = ranks.emplace(key.module, found);
      if ((!fresh && at->second != found) || (rank && *rank != found)) return false;
    }
  }
  return true;
}

bool any_key(const Files& files, bool (*is)(std::string_view)) {
  return std::any_of(files.begin(), files.end(), [&](const OpenFile& file) {
    return std::any_of(file.tensors.tensors.begin(), file.tensors.tensors.end(),
                       [&](const Tensor& tensor) { return is(tensor.name); });
  });
}

}  // namespace

Format tell_format(const Source& source, const Files& files, const AdapterConfig& config,
                   const LoadOptions& options) {
  if (any_key(files, is_peft_key)) return Format::peft;
  if (config.has("peft_type")) return Format::peft;
  if (config.has("lora_parameters") || config.has("fine_tune_type")) return Format::mlx_lm;
  const auto* layers = config.find("lora_layers");
  if (config.has("rank") || config.has("alpha") || (layers != nullptr && layers->is_array())) {
    return Format::go_mlx;
  }
  const bool by_columns = fits(files, Format::mlx_lm, options.rank);
  const bool by_rows = fits(files, Format::go_mlx, options.rank);
  if (source.config.empty() && !options.alpha) {
    refuse(source.path,
           "has no adapter_config.json, so its scale is not known: where metal-candle wrote it, "
           "say this format and its alpha");
  }
  if (by_columns == by_rows) {
    refuse(source.path, std::string(by_columns ? "its factors fit both A[in,rank] and A[rank,in]"
                                               : "its factors fit neither A[in,rank] nor "
                                                 "A[rank,in]") +
                            ", and no config tells them apart: say the format, mlx-lm, go-mlx or "
                            "metal-candle");
  }
  if (by_rows) return Format::go_mlx;
  return source.config.empty() ? Format::metal_candle : Format::mlx_lm;
}

}  // namespace loratune
