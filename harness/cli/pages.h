// What is generated from the options for those who do not ask --help: the man page, and the
// completion of shells.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/cli/mode_set.h"

namespace loratune {

// An option as --help shows it.
struct OptionDoc {
  std::string group, name;  // `--budget`
  std::string value;        // what its value is called; empty: it takes none
  std::string text;
  bool chooses_mode = false;
  std::vector<std::string>
      modes;  // of an option that chooses none: the options of the modes that read it
};

// troff of section 1.
std::string man_page(const std::vector<OptionDoc>& options, std::string_view version);
// Completes names of options, those that the chosen mode reads where one is chosen, and files.
std::string bash_completion(const std::vector<OptionDoc>& options);
std::string zsh_completion(const std::vector<OptionDoc>& options);

}  // namespace loratune
