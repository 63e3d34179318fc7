#include "harness/cli/option_table.h"

#include <algorithm>

#include "harness/base/failure.h"
#include "harness/base/tool_info.h"
#include "harness/cli/did_you_mean.h"

namespace loratune {
namespace {

// What the option of a mode may turn out to mean: a file says which replay it is for, and --adapter
// what is listed.
ModeSet meant_by(Command mode) {
  using enum Command;
  if (mode == replay_sweep) return {replay_sweep, simulate, replay_gate};
  if (mode == list) return {list, list_adapter};
  return {mode};
}

std::string version_line() {
  const ToolInfo tool = tool_info();
  return tool.name + " " + tool.version + ", commit " + tool.commit;
}

}  // namespace

OptionTable::OptionTable()
    : app_(
          "Fused LoRA kernels for OpenCL: checked, timed and tuned. With a mode, --help shows "
          "the options of that mode.",
          "lora-bench") {
  app_.set_help_flag("-h,--help", "Print this, or with a mode the options of that mode");
  app_.set_version_flag("--version", version_line(), "Print name, version and commit");
  app_.allow_extras();  // refuse_unknown() has a better line for them
}

CLI::Option* OptionTable::enter(const char* name, ModeSet modes, CLI::Option* option) {
  rows_.push_back({name, modes, option});
  return option->group(group_);
}

void OptionTable::enter_mode(const char* name, Command mode, CLI::Option* option) {
  option->group(group_);
  modes_.push_back({name, mode, !group_.empty()});
}

void OptionTable::mode_flag(const char* name, Command mode, const char* text) {
  enter_mode(name, mode, app_.add_flag(name)->description(text));
}

CLI::Option* OptionTable::add_flag(const char* name, ModeSet modes, bool& value, const char* text) {
  return enter(name, modes, app_.add_flag(name, value, text));
}

CLI::Option* OptionTable::add_read(const char* name, ModeSet modes, const char* text,
                                   const std::function<void(const std::string&)>& read) {
  return enter(name, modes, app_.add_option_function<std::string>(name, read, text));
}

bool OptionTable::parse(const std::vector<const char*>& arguments, std::string& answer) {
  refuse_odd_lists(arguments);
  refuse_odd_counts(arguments);
  std::vector<const char*> argv = {"lora-bench"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  try {
    app_.parse(static_cast<int>(argv.size()), argv.data());
  } catch (const CLI::CallForHelp&) {
    answer = help();
    return false;
  } catch (const CLI::CallForVersion&) {
    answer = version_line() + "\n";
    return false;
  } catch (const CLI::ParseError& error) {
    std::string line = error.what();
    std::replace(line.begin(), line.end(), '\n', ' ');
    usage(line);
  }
  refuse_unknown();
  refuse_options_as_values();
  return true;
}

// CLI11 drops empty items, and does not know why a word stands behind a list.
void OptionTable::refuse_odd_lists(const std::vector<const char*>& arguments) const {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string word = arguments[i];
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (!lists_.contains(name)) continue;
    if (equals == std::string::npos && ++i == arguments.size()) return;
    const std::string list = equals == std::string::npos ? arguments[i] : word.substr(equals + 1);
    if (list.starts_with("--")) continue;  // refuse_options_as_values() has the line for it
    if (("," + list + ",").find(",,") != std::string::npos) {
      usage(name + ": an item of '" + list + "' is empty");
    }
    const std::string next = i + 1 < arguments.size() ? arguments[i + 1] : "-";
    if (!next.starts_with("-")) {
      usage(name + ": several values are one word with commas: " + name + " " + list + "," + next);
    }
  }
}

// CLI11 takes `--flag=false` for the flag given, and has words of its own for an option that stands
// twice.
void OptionTable::refuse_odd_counts(const std::vector<const char*>& arguments) const {
  std::set<std::string> before;
  for (const std::string word : arguments) {
    const std::string name = word.substr(0, word.find('='));
    const CLI::Option* option =
        name.starts_with("--") && name.size() > 2 ? app_.get_option_no_throw(name) : nullptr;
    if (option == nullptr) continue;
    if (option->get_items_expected_max() == 0 && name != word) usage(name + " takes no value");
    const bool once = option->get_items_expected_max() == 1 && !lists_.contains(name);
    if (once && !before.insert(name).second) usage(name + " stands twice");
  }
}

void OptionTable::refuse_unknown() const {
  const std::vector<std::string> extras = app_.remaining();
  if (extras.empty()) return;
  std::vector<std::string> known = {"--help", "--version"};
  for (const ModeRow& row : modes_) {
    if (row.shown) known.push_back(row.name);
  }
  for (const Row& row : rows_) known.push_back(row.name);
  // A stray word may be the value of an unknown option before it.
  const auto dashed = std::find_if(extras.begin(), extras.end(),
                                   [](const std::string& word) { return word.starts_with("-"); });
  const std::string& word = dashed != extras.end() ? *dashed : extras.front();
  const std::string name = word.substr(0, word.find('='));
  // One letter is as near to any other; `--` is near to all.
  const std::size_t letters = name.size() - std::min(name.find_first_not_of('-'), name.size());
  const std::string meant = letters > 1 ? did_you_mean(name, known) : "";
  usage((dashed != extras.end() ? name + ": there is no such option"
                                : word + ": a word without an option") +
        (meant.empty() ? "; see --help" : "; did you mean " + meant + "?"));
}

// CLI11 takes any word for the value of an option that wants one, the next option too.
void OptionTable::refuse_options_as_values() const {
  for (const CLI::Option* option : app_.get_options()) {
    if (option->get_items_expected_max() == 0) continue;  // a flag
    for (const std::string& value : option->results()) {
      if (value.starts_with("--")) usage(option->get_name() + " wants a value before " + value);
    }
  }
}

// The modes that the command line names. --sweep beside --replay or --record chooses nothing more:
// it only says what is replayed or recorded.
std::vector<OptionTable::ModeRow> OptionTable::chosen() const {
  std::vector<ModeRow> chosen;
  for (const ModeRow& row : modes_) {
    if (app_.count(row.name) > 0) chosen.push_back(row);
  }
  const auto has = [&](Command mode) {
    return std::any_of(chosen.begin(), chosen.end(),
                       [&](const ModeRow& row) { return row.mode == mode; });
  };
  if (has(Command::record) || has(Command::replay_sweep)) {
    std::erase_if(chosen, [](const ModeRow& row) { return row.mode == Command::sweep; });
  }
  return chosen;
}

Command OptionTable::mode() const {
  const std::vector<ModeRow> chosen = this->chosen();
  if (chosen.empty()) {
    std::string names;
    for (const ModeRow& row : modes_) {
      if (row.shown) names += (names.empty() ? "" : ", ") + row.name;
    }
    usage("a mode is wanted, one of " + names + "; see --help");
  }
  if (chosen.size() > 1) {
    usage(chosen[0].name + " and " + chosen[1].name + " are two modes; one is wanted");
  }
  return chosen[0].mode;
}

void OptionTable::require_read_by(Command mode) const {
  for (const Row& row : rows_) {
    if (given(row.name.c_str()) && !row.modes.contains(mode)) {
      usage(row.name + " is not for " + words_of(mode));
    }
  }
}

std::vector<OptionDoc> OptionTable::docs() const {
  std::vector<OptionDoc> docs;
  for (const CLI::Option* option : app_.get_options()) {
    if (option->get_group().empty()) continue;
    const std::string name =
        option->get_lnames().empty() ? option->get_name() : "--" + option->get_lnames().front();
    OptionDoc doc{option->get_group(), name, {}, option->get_description(), false, {}};
    if (option->get_items_expected_max() > 0) {
      doc.value =
          option->get_option_text().empty() ? option->get_type_name() : option->get_option_text();
    }
    for (const ModeRow& row : modes_) doc.chooses_mode = doc.chooses_mode || row.name == name;
    const auto row =
        std::find_if(rows_.begin(), rows_.end(), [&](const Row& of) { return of.name == name; });
    for (unsigned i = 0; row != rows_.end() && i < static_cast<unsigned>(Command::worker); ++i) {
      if (!row->modes.contains(static_cast<Command>(i))) continue;
      const std::string words = words_of(static_cast<Command>(i));
      const std::string mode = words.substr(0, words.find(' '));
      if (std::find(doc.modes.begin(), doc.modes.end(), mode) == doc.modes.end()) {
        doc.modes.push_back(mode);
      }
    }
    docs.push_back(std::move(doc));
  }
  return docs;
}

// Of one mode what it does and what it reads, without the other modes.
std::string OptionTable::help() {
  const std::vector<ModeRow> chosen = this->chosen();
  if (chosen.size() == 1) {
    const std::string& name = chosen[0].name;
    app_.description(name + ": " + app_.get_option(name)->get_description());
    const ModeSet modes = meant_by(chosen[0].mode);
    for (const Row& row : rows_) {
      if (!row.modes.meets(modes)) row.option->group("");
    }
    for (const ModeRow& row : modes_) {
      if (row.name != name) app_.get_option(row.name)->group("");
    }
  }
  return app_.help();
}

}  // namespace loratune
