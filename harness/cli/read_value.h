// Reads what stands behind an option: one function for each kind of value. A text that is no such
// value throws Failure (kExitUsage), with a line that names option, text and what is wanted.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "harness/base/cache.h"
#include "loratune/dispatch/choice.h"
#include "tuner/strategy.h"

namespace loratune {

// "90s", "10m", "1h", or plain seconds.
double read_seconds(const std::string& option, const std::string& text);

// A finite number.
double read_number(const std::string& option, const std::string& text);

// As read_seconds(), but more than none.
double read_time(const std::string& option, const std::string& text);

// "3/8": part 3 of 8.
struct Shard {
  int part = 1, of = 1;
};
Shard read_shard(const std::string& text);

// "200" configs, or "5%" of the configs that there are. The field that was not given is 0.
struct Evaluations {
  int count = 0;
  double percent = 0;
};
Evaluations read_evaluations(const std::string& text);

Mode read_mode(const std::string& text);
Cache read_cache(const std::string& text);
StrategyKind read_strategy(const std::string& text);

// A check as CLI11 takes them: it returns what is wrong with a text, and nothing for a sound one.
using TextCheck = std::function<std::string(const std::string&)>;

// Takes whole numbers from `low` to `high`.
TextCheck whole_number(std::int64_t low,
                       std::uint64_t high = std::numeric_limits<std::uint64_t>::max());
// Takes finite numbers above 0.
TextCheck positive_number();

}  // namespace loratune
