// An OptionTable holds the options of lora-bench: how each is written and read, and which modes
// read it. It parses a command line with CLI11 and refuses options that the chosen mode would drop.
// cli/parse.cpp fills it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/cli/mode_set.h"
#include "harness/cli/pages.h"

namespace loratune {

class OptionTable {
 public:
  OptionTable();

  // What is added next stands under this title in --help.
  void group(std::string title) { group_ = std::move(title); }

  // An option whose presence chooses `mode`. Its value, if it takes one, is written to `value`.
  void mode_flag(const char* name, Command mode, const char* text);
  template <class T>
  void mode_option(const char* name, const char* shown, Command mode, T& value, const char* text) {
    enter_mode(name, mode, app_.add_option(name, value, text)->option_text(shown));
  }

  // An option that `modes` read. CLI11 converts its text to the type of `value`.
  template <class T>
  CLI::Option* add(const char* name, ModeSet modes, T& value, const char* text) {
    return enter(name, modes, app_.add_option(name, value, text));
  }
  // An option with several values, separated by commas or given in several options. One option
  // takes one word, as every other option does.
  template <class T>
  CLI::Option* add_list(const char* name, ModeSet modes, T& values, const char* text) {
    lists_.insert(name);
    return add(name, modes, values, text)->delimiter(',')->allow_extra_args(false);
  }
  CLI::Option* add_flag(const char* name, ModeSet modes, bool& value, const char* text);
  // An option whose text `read` makes use of. `read` throws Failure for a text that it refuses.
  CLI::Option* add_read(const char* name, ModeSet modes, const char* text,
                        const std::function<void(const std::string&)>& read);

  // Reads the words behind the program's name. Throws Failure (kExitUsage) for an unknown option
  // (with the name that may have been meant), a value that is none, a flag with a value, an option
  // without its value, or one that stands twice and has one value.
  // Returns false where --help or --version was asked for; `answer` is then what to print.
  bool parse(const std::vector<const char*>& arguments, std::string& answer);

  bool given(const char* name) const { return app_.count(name) > 0; }

  // The mode that was chosen. Throws Failure where none or more than one was.
  Command mode() const;

  // What --help shows, as data: the options in their order.
  std::vector<OptionDoc> docs() const;

  // Throws Failure for the first given option that `mode` does not read.
  void require_read_by(Command mode) const;

 private:
  struct Row {
    std::string name;
    ModeSet modes;
    CLI::Option* option;
  };
  struct ModeRow {
    std::string name;
    Command mode;
    bool shown;
  };
  CLI::Option* enter(const char* name, ModeSet modes, CLI::Option* option);
  void enter_mode(const char* name, Command mode, CLI::Option* option);
  std::vector<ModeRow> chosen() const;
  void refuse_odd_lists(const std::vector<const char*>& arguments) const;
  void refuse_odd_counts(const std::vector<const char*>& arguments) const;
  void refuse_unknown() const;
  void refuse_options_as_values() const;
  std::string help();

  CLI::App app_;
  std::string group_;
  std::vector<Row> rows_;
  std::vector<ModeRow> modes_;
  std::set<std::string> lists_;  // options that take several values
};

}  // namespace loratune
