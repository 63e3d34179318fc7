#include "harness/bench/benchmark_flags.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "harness/base/failure.h"
#include "harness/base/output_files.h"

namespace loratune {
namespace {

using Flags = std::vector<std::string>;

constexpr std::string_view kBegin = "--benchmark_";

constexpr std::string_view kSwitches[] = {"list_tests", "report_aggregates_only",
                                          "display_aggregates_only", "enable_random_interleaving",
                                          "counters_tabular"};
constexpr std::string_view kValued[] = {
    "filter", "min_time",   "min_warmup_time", "repetitions", "format",   "out",
    "color",  "out_format", "perf_counters",   "context",     "time_unit"};

constexpr std::string_view kOn[] = {"true", "yes", "on", "1", "t", "y"};
constexpr std::string_view kOff[] = {"false", "no", "off", "0", "f", "n"};

template <class List>
bool is_among(const List& list, std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

std::string full_name(std::string_view name) { return std::string(kBegin).append(name); }

// The value of the flag, where it is that of the name and has one.
std::optional<std::string_view> value_in(std::string_view flag, std::string_view name) {
  if (!flag.starts_with(name) || flag.substr(name.size(), 1) != "=") return {};
  return flag.substr(name.size() + 1);
}

// The library reads a variable for each of its flags. As flags they are checked like these.
Flags flags_of_environment() {
  Flags flags;
  const auto add = [&](std::string_view name) {
    std::string variable = "benchmark_" + std::string(name);
    for (char& c : variable) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr) return;
    if (*value == '\0') usage(variable + " is set and empty: unset it");
    flags.push_back(full_name(name) + "=" + value);
  };
  for (const std::string_view name : kSwitches) add(name);
  for (const std::string_view name : kValued) add(name);
  return flags;
}

void check_choices(const Flags& flags) {
  const auto one_of = [&](std::string_view name, const auto&... lists) {
    for (const std::string& flag : flags) {
      const auto value = value_in(flag, full_name(name));
      if (value && !(is_among(lists, *value) || ...)) usage(flag + ": no such value");
    }
  };
  constexpr std::string_view kFormats[] = {"console", "json", "csv"};
  constexpr std::string_view kUnits[] = {"ns", "us", "ms", "s"};
  constexpr std::string_view kAuto[] = {"auto"};
  one_of("format", kFormats);
  one_of("out_format", kFormats);
  one_of("time_unit", kUnits);
  one_of("color", kAuto, kOn, kOff);
  for (const std::string_view name : kSwitches) one_of(name, kOn, kOff);
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

// The value of --benchmark_min_time without the `s` that it may have since version 1.8 of the
// library. Every version takes the number alone.
std::string_view without_unit(std::string_view seconds) {
  if (seconds.ends_with('s')) seconds.remove_suffix(1);
  return seconds;
}

void check_numbers(const Flags& flags) {
  for (const std::string& flag : flags) {
    if (const auto value = value_in(flag, full_name("repetitions"))) {
      constexpr int kMost = 1'000'000;  // the library keeps room for each
      const auto number = number_of<int>(*value);
      if (!number || *number < 1 || *number > kMost) {
        usage(flag + ": a whole number from 1 to " + std::to_string(kMost) + " is wanted");
      }
    }
    for (const std::string_view name : {"min_time", "min_warmup_time"}) {
      const auto value = value_in(flag, full_name(name));
      if (!value) continue;
      const bool of_a_run = name == "min_time";
      if (of_a_run && value->ends_with('x')) {
        usage(flag + ": --bench takes no number of iterations, but of seconds, like 0.5 or 0.5s");
      }
      const auto seconds = number_of<double>(of_a_run ? without_unit(*value) : *value);
      const bool may_be_0 = !of_a_run;
      if (!seconds || !std::isfinite(*seconds) || *seconds < 0 || (*seconds == 0 && !may_be_0)) {
        usage(flag + ": a number of seconds is wanted, like 0.5");
      }
    }
  }
}

[[noreturn]] void refuse_key(const std::string& flag, const std::string& key,
                             const std::string& why) {
  usage(flag + ": the key '" + key + "' " + why);
}

// Two members of one name are no JSON, and the report says by the first of them which device it
// was.
void check_context(const Flags& flags) {
  constexpr std::string_view kTaken[] = {"device",
                                         "driver",
                                         "cache",
                                         "launch_floor_ns",
                                         "copy_gb_per_s",
                                         "cache_gb_per_s",
                                         "peak_gflop_per_s",
                                         "date",
                                         "host_name",
                                         "executable",
                                         "num_cpus",
                                         "mhz_per_cpu",
                                         "cpu_scaling_enabled",
                                         "aslr_enabled",
                                         "caches",
                                         "load_avg",
                                         "library_build_type",
                                         "library_version",
                                         "json_schema_version"};
  Flags given;
  for (const std::string& flag : flags) {
    auto rest = value_in(flag, full_name("context"));
    while (rest && !rest->empty()) {
      const std::string_view pair = rest->substr(0, rest->find(','));
      rest->remove_prefix(std::min(pair.size() + 1, rest->size()));
      const std::string key(pair.substr(0, pair.find('=')));
      if (key.empty() || key.size() == pair.size()) usage(flag + ": wants key=value");
      if (is_among(kTaken, key)) refuse_key(flag, key, "is one of --bench's own");
      if (is_among(given, key)) refuse_key(flag, key, "stands twice");
      given.push_back(key);
    }
  }
}

// By the beginning of what the library writes, in JSON or in its two forms of text.
bool is_result(std::string_view head) {
  if (head.starts_with("{\n  \"context\": {")) {
    return head.find("\"executable\": \"lora-bench\"") != std::string_view::npos;
  }
  const std::size_t line = head.find('\n');
  return line != std::string_view::npos && head.substr(line).starts_with("\nRunning lora-bench\n");
}

void check_file(const Flags& flags, const Options& options) {
  const NamedFile file{"--benchmark_out", value_of(flags, "--benchmark_out", "")};
  require_writable({file}, {{"--tuned", options.tuned}, {"--problems", options.problems_file}});
  require_head(file, is_result, "result of --bench");
}

// A list of names is no result.
void check_list(const Flags& flags) {
  if (!is_on(flags, "--benchmark_list_tests")) return;
  if (value_of(flags, "--benchmark_format", "console") != "console") {
    usage("--benchmark_list_tests prints names, in no other format");
  }
  if (has_flag(flags, "--benchmark_out")) {
    usage("--benchmark_list_tests measures nothing that --benchmark_out could take");
  }
}

}  // namespace

std::vector<std::string> benchmark_flags(const Options& options) {
  Flags flags = flags_of_environment();
  flags.insert(flags.end(), options.benchmark_flags.begin(), options.benchmark_flags.end());
  if (options.json) flags.emplace_back("--benchmark_format=json");
  for (const std::string_view name : kValued) {
    if (is_among(flags, full_name(name))) usage(full_name(name) + " wants a value");
  }
  check_choices(flags);
  check_numbers(flags);
  check_context(flags);
  check_list(flags);
  check_file(flags, options);
  for (std::string& flag : flags) {
    if (value_in(flag, full_name("min_time"))) flag.resize(without_unit(flag).size());
  }
  return flags;
}

bool has_flag(const std::vector<std::string>& flags, std::string_view name) {
  return std::any_of(flags.begin(), flags.end(), [&](const std::string& flag) {
    return flag == name || value_in(flag, name).has_value();
  });
}

std::string value_of(const std::vector<std::string>& flags, std::string_view name,
                     std::string otherwise) {
  for (const std::string& flag : flags) {
    if (const auto value = value_in(flag, name)) otherwise = *value;
  }
  return otherwise;
}

bool means_on(std::string_view value) { return is_among(kOn, value); }

bool is_on(const std::vector<std::string>& flags, std::string_view name) {
  bool on = false;
  for (const std::string& flag : flags) {
    if (flag == name) on = true;
    if (const auto value = value_in(flag, name)) on = means_on(*value);
  }
  return on;
}

void initialize_benchmark(const std::vector<std::string>& flags) {
  static char program[] = "lora-bench";  // Google Benchmark keeps its address
  std::vector<std::string> handed = flags;
  // The file's reporter is handed over beside the flags, and the library takes none without a file.
  if (has_flag(flags, "--benchmark_out")) handed.emplace_back("--benchmark_out=/dev/null");
  std::vector<char*> arguments = {program};
  for (std::string& flag : handed) arguments.push_back(flag.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (count > 1) throw Failure(kExitUsage, std::string(arguments[1]) + " is no flag of --bench");
}

}  // namespace loratune
