#include "harness/cli/read_value.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "harness/base/failure.h"
#include "loratune/dispatch/tuned_file.h"

namespace loratune {
namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& text,
                         const std::string& wanted) {
  throw Failure(kExitUsage, option + " " + text + ": " + wanted);
}

// The number at the begin of a text, and what follows it; nothing where the text begins otherwise.
struct NumberAndRest {
  double number = 0;
  std::string_view rest;
};

std::optional<NumberAndRest> split_number(std::string_view text) {
  NumberAndRest split;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, split.number);
  if (error != std::errc()) return std::nullopt;
  split.rest = {end, static_cast<std::size_t>(last - end)};
  return split;
}

// The whole text as a number.
template <class T>
std::optional<T> whole_text(std::string_view text) {
  T value{};
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc() || end != last) return std::nullopt;
  return value;
}

double seconds_in(std::string_view unit) {
  if (unit.empty() || unit == "s") return 1;
  if (unit == "m") return 60;
  if (unit == "h") return 3600;
  return 0;
}

}  // namespace

double read_seconds(const std::string& option, const std::string& text) {
  constexpr double kLongest = 1e6;
  const auto split = split_number(text);
  const double factor = split ? seconds_in(split->rest) : 0;
  if (factor == 0 || !(split->number >= 0) || split->number * factor > kLongest) {
    refuse(option, text, "a time like 90s, 10m or 1h is wanted");
  }
  return split->number * factor;
}

double read_number(const std::string& option, const std::string& text) {
  const auto value = whole_text<double>(text);
  if (!value || !std::isfinite(*value)) refuse(option, text, "a finite number is wanted");
  return *value;
}

double read_time(const std::string& option, const std::string& text) {
  const double seconds = read_seconds(option, text);
  if (seconds == 0) refuse(option, text, "that is no time at all");
  return seconds;
}

Shard read_shard(const std::string& text) {
  const std::string_view view = text;
  const std::size_t slash = view.find('/');
  if (slash != std::string_view::npos) {
    const auto part = whole_text<int>(view.substr(0, slash));
    const auto of = whole_text<int>(view.substr(slash + 1));
    if (part && of && *part >= 1 && *part <= *of) return {*part, *of};
  }
  refuse("--shard", text, "a part and of how many is wanted, from 1/8 to 8/8");
}

Evaluations read_evaluations(const std::string& text) {
  constexpr double kMost = 1e6;
  if (const auto split = split_number(text)) {
    const double number = split->number;
    if (split->rest == "%" && number > 0 && number <= 100) return {0, number};
    if (split->rest.empty() && number >= 1 && number <= kMost && number == std::floor(number)) {
      return {static_cast<int>(number), 0};
    }
  }
  refuse("--evaluations", text, "a number like 200 is wanted, or of a recording a share like 5%");
}

Mode read_mode(const std::string& text) {
  if (const auto mode = parse_mode(text)) return *mode;
  refuse("--mode", text, "there are fast, deterministic and batch_invariant");
}

Cache read_cache(const std::string& text) {
  if (const auto cache = parse_cache(text)) return *cache;
  refuse("--cache", text, "there are warm and rotate");
}

StrategyKind read_strategy(const std::string& text) {
  if (const auto kind = parse_strategy(text)) return *kind;
  refuse("--strategy", text, "there are auto, cold, random and exhaustive");
}

TextCheck whole_number(std::int64_t low, std::uint64_t high) {
  return [low, high](const std::string& text) -> std::string {
    const auto negative = whole_text<std::int64_t>(text);
    const auto value = whole_text<std::uint64_t>(text);
    const bool above =
        value ? low < 0 || *value >= static_cast<std::uint64_t>(low) : negative && *negative >= low;
    if (above && (!value || *value <= high)) return {};
    std::string range;
    if (low >= 0) range = " from " + std::to_string(low) + " on";
    if (high < std::numeric_limits<std::uint64_t>::max()) {
      range = low >= 0 ? " from " + std::to_string(low) + " to " + std::to_string(high)
                       : ", at most " + std::to_string(high) + ",";
    }
    return text + ": a whole number" + range + " is wanted";
  };
}

TextCheck positive_number() {
  return [](const std::string& text) -> std::string {
    const auto value = whole_text<double>(text);
    if (value && *value > 0 && std::isfinite(*value)) return {};
    return text + ": a number above 0 is wanted";
  };
}

}  // namespace loratune
