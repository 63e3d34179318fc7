#include "harness/sweep/result_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string_view>
#include <vector>

#include "dispatch/internal/printable.h"
#include "harness/sweep/progress.h"

namespace loratune {
namespace {

constexpr int kColumns = 100;

// What a record's reason says in the table.
std::string words_of(const std::string& reason) {
  static const std::map<std::string, std::string> kWords = {
      {"measured", "faster"},       {"no_significant_gain", "default kept"},
      {"only_default", "no rival"}, {"stopped", "not decided"},
      {"environment", "too noisy"}, {"failed_recheck", "wrong later"}};
  const auto at = kWords.find(reason);
  return at == kWords.end() ? printable(reason, 12) : at->second;
}

template <class... Values>
std::string text_of(const char* format, Values... values) {
  std::string text(static_cast<std::size_t>(std::snprintf(nullptr, 0, format, values...)), '\0');
  std::snprintf(text.data(), text.size() + 1, format, values...);
  return text;
}

std::string figures(const Record& record) {
  const auto us = [](std::int64_t ns) { return static_cast<double>(ns) * 1e-3; };
  std::string text = text_of("%9.2f %10.2f", us(record.time_ns), us(record.default_ns));
  if (record.reason == "measured") {
    return text +
           text_of(" %7.2fx %5.2f..%-5.2f ", record.speedup, record.speedup_lo, record.speedup_hi);
  }
  return text + text_of(" %8s %12s ", "-", "");
}

// A path as a shell takes it back.
std::string shell_word(const std::string& path) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-/+=:,@").find(c) != std::string_view::npos;
  };
  if (!path.empty() && std::all_of(path.begin(), path.end(), plain)) return path;
  std::string word = "'";
  for (const char c : path) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

std::string count_of(std::size_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

}  // namespace

std::string result_table(const TunedFile& file, const Terminal& terminal) {
  int key_width = 7;
  int variant_width = 7;
  for (const Record& record : file.records) {
    key_width = std::max(key_width, static_cast<int>(short_key(to_string(record.problem)).size()));
    variant_width = std::max(variant_width, static_cast<int>(record.variant.size()));
  }
  const std::string head =
      text_of("%9s %10s %8s %12s %s", "us", "default us", "speed-up", "interval", "outcome");
  const int figures_width = 9 + 11 + 9 + 13 + 13;
  const bool two_lines = key_width + 1 + variant_width + 1 + figures_width > kColumns;
  const auto begin = [&](const std::string& key, const std::string& variant) {
    return two_lines
               ? key + "\n  " + text_of("%-*s", variant_width, variant.c_str()) + " "
               : text_of("%-*s %-*s ", key_width, key.c_str(), variant_width, variant.c_str());
  };
  std::string table = begin("problem", "variant") + head + "\n";
  for (const Record& record : file.records) {
    const Style style = record.reason == "measured" ? Style::good : Style::plain;
    table += begin(short_key(to_string(record.problem)), record.variant) +
             painted(terminal, figures(record) + words_of(record.reason), style) + "\n";
  }
  return table;
}

std::string next_steps(const TunedFile& file, const std::string& path) {
  std::map<std::string, std::size_t> counts;
  double log_sum = 0;
  const Record* shown = nullptr;  // the greatest gain, else the first record
  for (const Record& record : file.records) {
    ++counts[record.reason];
    log_sum += std::log(record.speedup);
    if (shown == nullptr || record.speedup > shown->speedup) shown = &record;
  }
  if (shown == nullptr) return {};
  const auto count = [&](const char* reason) {
    const auto at = counts.find(reason);
    return at == counts.end() ? std::size_t{0} : at->second;
  };
  const std::size_t faster = count("measured");
  const std::size_t open = count("stopped");
  const std::size_t noisy = count("environment");
  std::string text = count_of(file.records.size(), "problem", "problems") + ": " +
                     std::to_string(faster) + " faster than the default, " +
                     std::to_string(file.records.size() - faster) + " with the default; " +
                     text_of("%.2fx in the geometric mean\n",
                             std::exp(log_sum / static_cast<double>(file.records.size())));
  text += "next:\n";
  const std::string word = printable_line(shell_word(path));
  text += "  lora-bench --pick " + short_key(to_string(shown->problem)) + " --tuned " + word +
          "    # what a runtime runs, and why\n";
  text += "  lora-bench --report report.html " + word + "    # a page for a browser\n";
  text += "  lora-bench --verify " + word + "    # a dozen picks against the default, again\n";
  if (open > 0) {
    text += "  a larger --budget: " + count_of(open, "problem was", "problems were") +
            " not decided in time\n";
  }
  if (noisy > 0) {
    text += "  a quieter machine: " + count_of(noisy, "problem was", "problems were") +
            " disturbed too often\n";
  }
  return text;
}

}  // namespace loratune
