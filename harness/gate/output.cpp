#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <map>

#include "dispatch/internal/printable.h"
#include "harness/base/selection.h"
#include "harness/base/shell_word.h"
#include "harness/gate/report.h"

namespace loratune {
namespace {

constexpr std::size_t kMarkdownRows = 50;

__attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  char text[512];
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

std::string percent(double fraction) {
  return std::isfinite(fraction) ? format("%.1f %%", 100 * fraction) : std::string("-");
}

std::string verdict_of(const GateRow& row) {
  return std::string(to_string(row.verdict)) + (row.allowed ? " (allowed)" : "");
}

// What must not break out of a cell, or mean something to Markdown or XML.
std::string escaped(const std::string& text, bool markdown) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"' && !markdown) {
      out += "&quot;";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += byte == '\n' || byte == '\t' ? ' ' : '?';
    } else if (markdown && std::string_view("\\`*_{}[]()#+!|~@$").find(c) != std::string::npos) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string clocked(const GateResult& result) {
  std::string looks;
  for (const int look : result.rules.looks.rounds)
    looks += (looks.empty() ? "" : ", ") + std::to_string(look);
  return format(
      "clock: wall; looks at %s rounds, up to %d of short cases; interval of the median of at "
      "least %.1f %%; "
      "launch floor %.2f us; seed %llu",
      looks.c_str(), result.rules.short_looks.last(), 100 * result.rules.level,
      1e-3 * result.launch_floor_ns, static_cast<unsigned long long>(result.seed));
}

std::string sides(const GateResult& result) {
  return "base " + result.base_tool.commit + ", candidate " + result.candidate_tool.commit +
         " on " + display_name(result.device);
}

// The command that runs the row's case again.
std::string again(const GateResult& result, const GateRow& row) {
  const std::size_t slash = row.name.find('/');
  std::string line = "lora-bench --gate " + shell_word(result.base_path);
  if (!result.against_path.empty()) line += " --against " + shell_word(result.against_path);
  for (const std::string& word : result.made_with) line += " " + shell_word(word);
  line += " --problem " + shell_word(row.name.substr(slash + 1));
  if (result.time_unchanged) line += " --time-unchanged";
  return line + " --seed " + std::to_string(result.seed);
}

bool fails(const GateRow& row) {
  switch (row.verdict) {
    case CaseVerdict::wrong:
    case CaseVerdict::fault:
    case CaseVerdict::regressed:
      return true;
    case CaseVerdict::missing:
      return !row.allowed;
    default:
      return false;
  }
}

using nlohmann::json;

// JSON has no number for what is infinite.
json number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

// Adds to a case, as it was measured, what it came to. Figures are left out where nothing was
// timed.
void add_row(const GateRow& row, json& one) {
  one["verdict"] = to_string(row.verdict);
  one["allowed"] = row.allowed;
  one["note"] = row.note;
  if (row.rounds == 0) return;
  one["rounds"] = row.rounds;
  one["void_rounds"] = row.void_rounds;
  one["ratio"] = number(row.ratio);
  one["ratio_interval"] = {number(row.ratio_low), number(row.ratio_high)};
  one["detectable"] = number(row.detectable);
  one["base_ns"] = number(row.base_ns);
  one["candidate_ns"] = number(row.candidate_ns);
}

void add_rows(const std::vector<GateRow>& rows, json& cases) {
  std::map<std::string_view, const GateRow*> by_name;
  for (const GateRow& row : rows) by_name[row.name] = &row;
  for (json& one : cases) add_row(*by_name.at(one["case"].get_ref<const std::string&>()), one);
}

std::string line_of(const GateRow& row) {
  std::string line = format("%-14s %-46s", verdict_of(row).c_str(), row.name.c_str());
  if (row.rounds > 0) {
    line += format(" %6.3f %6.3f..%-6.3f %7s %10.2f %10.2f %4d", row.ratio, row.ratio_low,
                   row.ratio_high, percent(row.detectable).c_str(), 1e-3 * row.base_ns,
                   1e-3 * row.candidate_ns, row.rounds);
    line += row.void_rounds > 0 ? format(" +%d void", row.void_rounds) : "";
  }
  if (!row.note.empty()) line += "  " + row.note;
  line = printable_line(line);  // names and notes come from a file
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::string to_text(const GateResult& result, const GateReport& report) {
  std::string text =
      report.summary + "\n" + printable_line(sides(result)) + "\n" + clocked(result) + "\n\n";
  text += format("%-14s %-46s %6s %-14s %7s %10s %10s %4s\n", "verdict", "case", "ratio",
                 "interval", "detects", "base us", "cand. us", "n");
  for (const GateRow& row : report.rows) {
    text += line_of(row);
    if (fails(row)) text += "  again: " + printable_line(again(result, row)) + "\n";
  }
  for (const GateRow& row : report.sentinels) text += line_of(row);
  text +=
      "\nratio: candidate / base; detects: the smallest slow-down that would have been called a "
      "regression with 95 %\n";
  return text;
}

std::string to_json_text(const GateResult& result, const GateReport& report) {
  json value = to_json(result);
  value["exit"] = static_cast<int>(report.exit);
  value["verdict"] = report.verdict;
  value["summary"] = report.summary;
  add_rows(report.sentinels, value["sentinels"]);
  add_rows(report.rows, value["cases"]);
  return value.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

std::string to_markdown(const GateResult& result, const GateReport& report) {
  std::string text = "## " + escaped(report.verdict, true) + ": performance gate\n\n" +
                     escaped(report.summary, true) + "\n\n" + escaped(sides(result), true) + "\n" +
                     escaped(clocked(result), true) + "\n\n" +
                     "| verdict | case | candidate / base | interval | detects | base us | "
                     "candidate us | rounds | note |\n"
                     "| --- | --- | --: | --- | --: | --: | --: | --: | --- |\n";
  std::vector<const GateRow*> rows;
  const auto disturbed = [](const GateRow& row) { return row.verdict != CaseVerdict::pass; };
  for (const GateRow& row : report.sentinels) {
    if (disturbed(row)) rows.push_back(&row);
  }
  for (const GateRow& row : report.rows) rows.push_back(&row);
  const std::size_t shown = std::min(rows.size(), kMarkdownRows);
  for (std::size_t i = 0; i < shown; ++i) {
    const GateRow& row = *rows[i];
    text += "| " + escaped(verdict_of(row), true) + " | " + escaped(row.name, true) + " | ";
    if (row.rounds > 0) {
      text += format("%.3f | %.3f..%.3f | %s | %.2f | %.2f | %d", row.ratio, row.ratio_low,
                     row.ratio_high, percent(row.detectable).c_str(), 1e-3 * row.base_ns,
                     1e-3 * row.candidate_ns, row.rounds);
    } else {
      text += " | | | | |";
    }
    text += " | " + escaped(row.note, true) + " |\n";
  }
  if (rows.size() > shown) {
    text +=
        "\n" + std::to_string(rows.size() - shown) + " more rows, none worse, are in gate.json.\n";
  }
  return text;
}

std::string to_junit(const GateResult& result, const GateReport& report) {
  int failures = 0;
  int errors = 0;
  int skipped = 0;
  std::string cases;
  const auto add = [&](const GateRow& row) {
    const std::string kind = row.name.substr(0, row.name.find('/'));
    cases += "  <testcase classname=\"gate." + escaped(kind, false) + "\" name=\"" +
             escaped(row.name, false) + "\">";
    const std::string what =
        "message=\"" + escaped(verdict_of(row), false) + "\">" + escaped(line_of(row), false);
    const bool undecided = row.verdict == CaseVerdict::environment ||
                           (result.strict && row.verdict == CaseVerdict::inconclusive &&
                            !row.name.starts_with("sentinel/"));
    if (row.verdict == CaseVerdict::fault || undecided) {
      ++errors;
      cases += "<error " + what + "</error>";
    } else if (fails(row)) {
      ++failures;
      cases += "<failure " + what + "</failure>";
    } else if (row.verdict == CaseVerdict::skipped || row.verdict == CaseVerdict::missing) {
      ++skipped;
      cases += "<skipped/>";
    }
    cases += "<system-out>" + escaped(line_of(row), false) + "</system-out></testcase>\n";
  };
  for (const GateRow& row : report.sentinels) add(row);
  for (const GateRow& row : report.rows) add(row);
  const std::size_t tests = report.rows.size() + report.sentinels.size();
  return format(
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
             "<testsuites>\n<testsuite name=\"lora-bench gate\" tests=\"%zu\" failures=\"%d\" "
             "errors=\"%d\" skipped=\"%d\">\n",
             tests, failures, errors, skipped) +
         cases + "</testsuite>\n</testsuites>\n";
}

}  // namespace loratune
