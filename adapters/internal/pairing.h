// Pairs the tensors of an adapter's files by module, and makes modules of the pairs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/internal/keys.h"
#include "adapters/internal/rules.h"
#include "adapters/internal/tell_format.h"
#include "loratune/adapters/adapter.h"

namespace loratune {

// A file that is refused must not cost much memory, so a tensor takes 24 bytes here, and no module
// is made before all of them are found to be good. Keys that are no half of a pair are left out in
// lenient reading, and are the error otherwise. The files stay as they are until finish() has run.
class Pairing {
 public:
  // `dora`: each module has magnitudes beside its pair. Throws AdapterFault.
  Pairing(Format format, bool lenient, bool dora, const Files& files, Adapter& adapter);

  // Gives the adapter its modules, each with its scale, sorted by path. `source` is its name for
  // messages. Throws AdapterFault.
  void finish(const std::string& source, const ModuleRules& rules);

 private:
  enum class Kind : std::uint8_t { a, b, magnitude };
  // A tensor of a module, by the module's name that is the same in every spelling.
  struct Half {
    std::string_view same;
    std::uint32_t index;
    std::uint16_t file;
    Kind kind;
  };
  struct Pair {
    std::string_view module;
    const Tensor *a = nullptr, *b = nullptr, *magnitude = nullptr;
    const Tensor* last = nullptr;  // in the order of the files, and its file
    const OpenFile* file = nullptr;
  };
  // Why a tensor is refused, if it is.
  struct Refusal {
    const OpenFile* file = nullptr;
    const Tensor* tensor = nullptr;
    std::string why;
  };
  // The halves of a module: the first, and how many there are.
  struct Run {
    std::uint32_t first;
    std::uint16_t count;
  };
  // A module that is as it should be, and what the rules say of it.
  struct Found {
    Run run;
    bool matched;
    Scaling scaling;
  };

  void add(std::uint16_t file, std::uint32_t index);
  void add_half(std::uint16_t file, std::uint32_t index, const Key& key, Kind kind);
  void complain(const OpenFile& file, const Tensor& tensor, const std::string& why);
  void leave_out(const OpenFile& file, const Tensor& tensor, const std::string& why);
  void want_one_spelling(const OpenFile& file, const Tensor& tensor, const Key& key);
  void leave_out_modules_of_what_was_left_out();
  template <class See>
  void for_each_run(See see) const;
  Pair pair_of(const Run& run) const;
  Factor factor_of(const Tensor& tensor) const;
  std::string why_no_module(const Pair& pair, std::string_view same) const;
  std::string scaling_of(const Pair& pair, const ModuleRules& rules, Scaling& scaling) const;
  LoraModule module_of(const Found& found) const;
  std::string example_key() const;

  Format format_;
  bool lenient_, dora_;
  const Files& files_;
  Adapter& adapter_;
  Key first_;  // of a half or of magnitudes
  std::string_view first_name_;
  Refusal other_spelling_;
  std::vector<Half> halves_;  // finish() sorts them by module
  std::vector<std::string_view> left_out_;
  // Modules beside whose pair a tensor was left out, with the tensor's name.
  std::map<std::string_view, std::string_view> beside_;
  std::size_t more_skipped_ = 0;
};

}  // namespace loratune
