// A Dispatcher answers, for one device and out of one tuned file or none, which variant and config
// to run for a problem. It never prints, aborts or reads the environment.
//
// Threads: any number of them may call the const functions of one Dispatcher and the functions
// beside it at a time; who moves, assigns or destroys a Dispatcher is alone with it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loratune/dispatch/choice.h"
#include "loratune/dispatch/device_match.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {

std::string_view to_string(ShapeMatch match);

class Dispatcher {
 public:
  struct Loaded;  // a dispatcher, or the error in one line

  // Without a tuned file: every pick is the built-in default.
  explicit Dispatcher(const DeviceInfo& device);
  // The file must be one that parse_tuned_file() accepts, or was made to be.
  Dispatcher(TunedFile file, const DeviceInfo& device);
  // A moved-from dispatcher may only be assigned to or destroyed.
  Dispatcher(Dispatcher&&) noexcept;
  Dispatcher& operator=(Dispatcher&&) noexcept;
  ~Dispatcher();

  static Loaded load(const std::filesystem::path& path, const DeviceInfo& device);
  static Loaded load_bytes(std::string_view bytes, const DeviceInfo& device);

  // What to run. Takes no lock, and allocates nothing, unless a built-in default has to be worked
  // out: once for each of the problems that misses() has room for. The variant is null only for a
  // problem that invalid_reason() refuses, or that has an axis which no variant states. For
  // Mode::fast and Mode::deterministic the choice may depend on m; what was measured for the former
  // serves the latter too, where its plan gives the same bits every run. For Mode::batch_invariant
  // the choice does not depend on m, unless the device has too little memory for it at some m.
  Choice pick(const Problem& problem, Mode mode = Mode::fast) const noexcept;

  // What to try, in order, where a kernel cannot be built after all: the pick, the other entries of
  // the file that hold the problem, then the built-in default and its fallbacks, and then what no
  // compiler has to build, where the device runs functions of the process; each choice once. For
  // Mode::batch_invariant the fallbacks are those for one row, whatever m is. Empty where the pick
  // has no variant.
  std::vector<Choice> choices(const Problem& problem, Mode mode = Mode::fast) const;

  // The same answer in words, several lines: the record or rule, the matches, the expected
  // speed-up, and why other entries for this problem were passed over.
  std::string explain(const Problem& problem, Mode mode = Mode::fast) const;

  // Problems that ended in the built-in default since the load, most frequent first. The table is
  // of fixed size: what comes when it is full is not kept.
  std::vector<Problem> misses() const;

  // Records and rules for this or a similar device that cannot be used, by reason, with how many.
  std::vector<std::pair<std::string, int>> skipped() const;

  const DeviceInfo& device() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct Dispatcher::Loaded {
  std::optional<Dispatcher> dispatcher;
  std::string error;
};

}  // namespace loratune
