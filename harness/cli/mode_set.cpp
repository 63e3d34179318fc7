#include "harness/cli/mode_set.h"

namespace loratune {

std::string words_of(Command mode) {
  switch (mode) {
    case Command::list:
      return "--list";
    case Command::list_adapter:
      return "--list of an adapter";
    case Command::check:
      return "--check";
    case Command::sweep:
      return "--sweep";
    case Command::replay_sweep:
      return "--replay of a journal";
    case Command::record:
      return "--sweep --record";
    case Command::simulate:
      return "--replay of a recording";
    case Command::bench:
      return "--bench";
    case Command::verify:
      return "--verify";
    case Command::pick:
      return "--pick";
    case Command::forward:
      return "--forward";
    case Command::convert:
      return "--convert";
    case Command::merge:
      return "--merge";
    case Command::export_plans:
      return "--export-plans";
    case Command::emit:
      return "--emit";
    case Command::gate:
      return "--gate";
    case Command::replay_gate:
      return "--replay of a gate";
    case Command::report:
      return "--report";
    case Command::worker:
      return "--worker";
    case Command::help:
      return "--print";
  }
  return {};
}

}  // namespace loratune
