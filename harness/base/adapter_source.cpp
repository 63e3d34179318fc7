#include "harness/base/adapter_source.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "dispatch/internal/printable.h"
#include "harness/base/failure.h"
#include "harness/base/selection.h"
#include "loratune/adapters/load_adapter.h"

namespace loratune {
namespace {

Dtype dtype_of(const LoraModule& module) {
  for (const Dtype narrow : {Dtype::f16, Dtype::bf16}) {
    const Element element = element_of(narrow);
    if (module.a.element == element && module.b.element == element) return narrow;
  }
  return Dtype::f32;
}

void require_held(const LoraModule& module, const std::vector<float>& values, char factor,
                  Dtype dtype) {
  const std::string name(to_string(dtype));
  const auto lost = std::find_if(values.begin(), values.end(), [&](float value) {
    return std::isfinite(value) && !std::isfinite(rounded(element_of(dtype), value));
  });
  if (lost == values.end()) return;
  usage("module '" + printable(module.path, 200) + "': " + factor + " holds " +
        std::to_string(*lost) + ", which " + name + " cannot; leave out --dtypes " + name);
}

}  // namespace

Adapter open_adapter(const AdapterArguments& arguments) {
  LoadOptions options;
  if (!arguments.format.empty()) {
    options.format = parse_format(arguments.format);
    if (!options.format) {
      usage("--format " + printable(arguments.format) +
            ": there are peft, mlx-lm, go-mlx, metal-candle and gguf");
    }
  }
  if (arguments.rank > 0) options.rank = arguments.rank;
  options.alpha = arguments.alpha;
  options.lenient = arguments.lenient;
  LoadedAdapter loaded = load_adapter(arguments.path, options);
  if (!loaded.adapter) usage(loaded.error);
  return std::move(*loaded.adapter);
}

void print_remarks(const Adapter& adapter) {
  for (const std::string& note : adapter.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  for (const std::string& skipped : adapter.skipped) {
    std::fprintf(stderr, "skipped: %s\n", skipped.c_str());
  }
}

const LoraModule& require_module(const Adapter& adapter, const std::string& name) {
  std::string why;
  const LoraModule* module = find_module(adapter, name, why);
  if (module == nullptr) usage("--module: " + why);
  if (!module->matched) {
    usage("--module: '" + printable(module->path, 200) +
          "' is none that the adapter's config names, so its own tool leaves it out");
  }
  return *module;
}

std::vector<ModuleProblem> module_problems(const Options& options) {
  if (!options.features.empty() || !options.in.empty() || !options.out_features.empty() ||
      !options.ranks.empty() || !options.slices.empty() || !options.adapters.empty() ||
      !options.problem_keys.empty() || !options.problems_file.empty() || options.quick) {
    usage(
        "--adapter says shapes and ranks; beside it --tokens, --dtypes and --set choose problems");
  }
  const Adapter adapter = open_adapter(options.adapter);
  const LoraModule* only =
      options.adapter.module.empty() ? nullptr : &require_module(adapter, options.adapter.module);
  const std::vector<std::int64_t> tokens =
      options.tokens.empty() ? std::vector<std::int64_t>{1, 16, 128, 512} : options.tokens;
  const std::vector<Types> chosen = read_types(options.dtypes);
  std::vector<ModuleProblem> problems;
  for (const LoraModule& module : adapter.modules) {
    if (!module.matched || (only != nullptr && only != &module)) continue;
    for (const Types& types : chosen.empty() ? std::vector<Types>{dtype_of(module)} : chosen) {
      // A narrow type may not hold them.
      if (types.weights != dtype_of(module)) module_weights(module, types.weights);
      for (const std::int64_t m : tokens) {
        Problem problem;
        set_types(problem, types);
        problem.accumulate = !options.set;
        problem.rank = static_cast<int>(module.rank());
        problem.m = m;
        problem.k = module.in();
        problem.n = module.out();
        const std::string why = invalid_reason(problem);
        if (!why.empty()) usage("module '" + printable(module.path, 200) + "': " + why);
        problems.push_back({module.path, problem});
      }
    }
  }
  return problems;
}

ModuleWeights module_weights(const LoraModule& module, Dtype dtype) {
  ModuleWeights weights{values_of(module.a), values_of(module.b), static_cast<float>(module.scale)};
  require_held(module, weights.a, 'A', dtype);
  require_held(module, weights.b, 'B', dtype);
  for (std::vector<float>* values : {&weights.a, &weights.b}) {
    for (float& value : *values) value = rounded(element_of(dtype), value);
  }
  return weights;
}

ModuleWeights module_weights(const AdapterArguments& arguments, Dtype dtype) {
  const Adapter adapter = open_adapter(arguments);
  return module_weights(require_module(adapter, arguments.module), dtype);
}

}  // namespace loratune
