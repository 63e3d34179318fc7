#include <cstdio>
#include <utility>

#include "dispatch/internal/printable.h"
#include "harness/adapter/modes.h"
#include "harness/base/adapter_source.h"
#include "harness/base/failure.h"
#include "loratune/adapters/save_adapter.h"

namespace loratune {

int convert_mode(const Options& options) {
  const auto format = parse_format(options.convert.to);
  if (!format || *format == Format::gguf) {
    throw Failure(kExitUsage, "--to " + printable(options.convert.to) +
                                  ": there are peft, mlx-lm, go-mlx and metal-candle");
  }
  const std::vector<int>& heads = options.convert.heads;
  if (heads.size() > 2) throw Failure(kExitUsage, "--heads wants two numbers at most, like 32,8");
  // --alpha is of the one adapter that stores none: read, or written.
  AdapterArguments reading = options.adapter;
  SaveOptions saving;
  if (*format == Format::metal_candle) std::swap(saving.alpha, reading.alpha);
  if (!heads.empty()) saving.heads = heads.front();
  if (heads.size() == 2) saving.heads_kv = heads.back();
  const Adapter adapter = open_adapter(reading);
  const std::string unused = unused_option(adapter, *format, saving);
  if (!unused.empty()) throw Failure(kExitUsage, "--" + unused);
  print_remarks(adapter);
  const std::string error = save_adapter(adapter, *format, options.out, saving);
  if (!error.empty()) throw Failure(kExitUsage, error);
  std::fprintf(stderr, "%s: %zu modules as %s\n", printable(options.out, 300).c_str(),
               adapter.modules.size(), options.convert.to.c_str());
  return kExitGood;
}

}  // namespace loratune
