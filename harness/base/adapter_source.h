// The adapter that --adapter names, as the modes see it: its modules as problems, and their weights
// as data of a problem.
#pragma once

#include <string>
#include <vector>

#include "harness/base/options.h"
#include "loratune/adapters/adapter.h"
#include "loratune/variants/problem.h"

namespace loratune {

// Throws Failure (kExitUsage), with the reader's line, for what cannot be read.
Adapter open_adapter(const AdapterArguments& arguments);

// The reader's remarks, and what --lenient left out, on stderr.
void print_remarks(const Adapter& adapter);

// The module that --module names. Throws Failure (kExitUsage) where there is none, or where the
// adapter's config does not name it.
const LoraModule& require_module(const Adapter& adapter, const std::string& name);

// What one module asks for with m rows.
struct ModuleProblem {
  std::string module;
  Problem problem;
};

// The products of every module that the adapter's config names, or of the one that --module does,
// for each of --tokens and --dtypes. Without --dtypes f16 or bf16 where both factors are, else f32,
// which holds every stored number. Throws Failure (kExitUsage) for options that make a grid, and
// for a dtype that cannot hold a module's weights.
std::vector<ModuleProblem> module_problems(const Options& options);

// A, B and scale of the module that `arguments` name, as numbers of the type. Throws Failure
// (kExitUsage) where it cannot hold one of them.
struct ModuleWeights {
  std::vector<float> a, b;
  float scale = 1;
};
ModuleWeights module_weights(const AdapterArguments& arguments, Dtype dtype);
// Of a module at hand.
ModuleWeights module_weights(const LoraModule& module, Dtype dtype);

}  // namespace loratune
