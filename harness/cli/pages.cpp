#include "harness/cli/pages.h"

#include <algorithm>

namespace loratune {
namespace {

// Text in which troff sees no requests, hyphens or escapes of its own.
std::string troff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  const bool is_request = out.starts_with('.') || out.starts_with('\'');
  return is_request ? "\\&" + out : out;
}

// A word in single quotes of a shell.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

// The names of the options that `wanted` says yes to.
template <class F>
std::vector<std::string> names(const std::vector<OptionDoc>& options, F&& wanted) {
  std::vector<std::string> out;
  for (const OptionDoc& option : options) {
    if (wanted(option)) out.push_back(option.name);
  }
  return out;
}

}  // namespace

std::string man_page(const std::vector<OptionDoc>& options, std::string_view version) {
  std::string page = ".TH LORA\\-BENCH 1 \"\" \"loratune ";
  page += troff(version);
  page +=
      "\" \"User Commands\"\n"
      ".SH NAME\nlora\\-bench \\- check, time and tune fused LoRA kernels for OpenCL\n"
      ".SH SYNOPSIS\n.B lora\\-bench\n.I MODE\n[\\fIOPTION\\fR ...]\n"
      ".SH DESCRIPTION\n"
      "Computes y += (alpha/rank) (x A^T) B^T by several fused kernels, checks each against a\n"
      "float64 oracle, races them on a device, and writes a tuned file that a runtime loads.\n"
      "One option chooses the mode; with it, \\fB\\-\\-help\\fR shows the options of that mode.\n";
  std::string group;
  for (const OptionDoc& option : options) {
    if (option.group != group) {
      group = option.group;
      std::string title = group;
      std::transform(title.begin(), title.end(), title.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      page += ".SH " + troff(title) + "\n";
    }
    page += ".TP\n\\fB" + troff(option.name) + "\\fR";
    if (!option.value.empty()) page += " \\fI" + troff(option.value) + "\\fR";
    page += "\n" + troff(option.text) + "\n";
    if (!option.modes.empty()) {
      page += ".br\nFor " + troff(joined(option.modes, ", ")) + ".\n";
    }
  }
  page +=
      ".SH EXIT STATUS\n"
      ".TP\n0\nGood.\n.TP\n1\nA regression, or a record that is slower than the default.\n"
      ".TP\n2\nUsage, or input that cannot be read.\n.TP\n3\nInconclusive: the machine was too\n"
      "noisy to say.\n.TP\n4\nA wrong result.\n.TP\n5\nA fault of the device.\n"
      ".TP\n6\nA case went missing.\n.TP\n77\nNo OpenCL device.\n.TP\n130\nInterrupted.\n";
  return page;
}

std::string bash_completion(const std::vector<OptionDoc>& options) {
  const auto always = [](const OptionDoc& option) {
    return option.modes.empty() && !option.chooses_mode;
  };
  std::string text =
      "# bash completion of lora-bench\n"
      "_lora_bench() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} word names=\n"
      "  case $previous in\n    ";
  text +=
      joined(names(options, [](const OptionDoc& option) { return !option.value.empty(); }), "|");
  text +=
      ")\n"
      "      COMPREPLY=()  # its value: whatever bash does of itself, which is files\n"
      "      return ;;\n"
      "  esac\n"
      "  for word in \"${COMP_WORDS[@]:1}\"; do\n"
      "    case ${word%%=*} in\n";
  for (const OptionDoc& mode : options) {
    if (!mode.chooses_mode) continue;
    const auto read = names(options, [&](const OptionDoc& option) {
      return std::count(option.modes.begin(), option.modes.end(), mode.name) > 0;
    });
    text += "      " + mode.name + ") names+=" + in_quotes(" " + joined(read, " ")) + " ;;\n";
  }
  text += "    esac\n  done\n  [[ $names ]] || names=";
  text += in_quotes(
      joined(names(options, [](const OptionDoc& option) { return option.chooses_mode; }), " "));
  text += "\n  names+=";
  text += in_quotes(" " + joined(names(options, always), " "));
  text +=
      "\n"
      "  if [[ $current == -* || -z $current ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$names\" -- \"$current\"))\n"
      "  fi\n"
      "}\n"
      "complete -o default -F _lora_bench lora-bench\n";
  return text;
}

std::string zsh_completion(const std::vector<OptionDoc>& options) {
  std::string text = "#compdef lora-bench\n_arguments";
  for (const OptionDoc& option : options) {
    std::string shown;  // what zsh reads as an end of the text is escaped
    for (const char c : option.text) {
      if (c == '[' || c == ']' || c == ':' || c == '\\') shown += '\\';
      shown += c;
    }
    std::string word = "*" + option.name + "[" + shown + "]";
    if (!option.value.empty()) word += ":" + option.value + ":_files";
    text += " \\\n  " + in_quotes(word);
  }
  return text + "\n";
}

}  // namespace loratune
