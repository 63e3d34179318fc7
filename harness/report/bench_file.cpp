#include "harness/report/bench_file.h"

#include <cmath>
#include <cstdlib>
#include <set>
#include <stdexcept>

#include "dispatch/internal/printable.h"
#include "dispatch/internal/tuned_limits.h"
#include "harness/base/whole_from.h"

namespace loratune {
namespace {

using nlohmann::json;

// A positive number, or 0 where the member is absent or not one.
double positive(const json& entry, const char* name) {
  const auto found = entry.find(name);
  if (found == entry.end() || !found->is_number()) return 0;
  const double value = found->get<double>();
  return std::isfinite(value) && value > 0 ? value : 0;
}

std::string text(const json& entry, const char* name) {
  const auto found = entry.find(name);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : "";
}

// Google Benchmark writes what it is told of the context as text.
double positive_text(const json& context, const char* name) {
  const std::string digits = text(context, name);
  const double value = std::strtod(digits.c_str(), nullptr);
  return std::isfinite(value) && value > 0 ? value : 0;
}

// `name` is <problem>/<rival>, and what Google Benchmark adds behind a further slash.
BenchTime time_from(const json& entry, const std::string& name) {
  BenchTime time;
  const std::size_t slash = name.find('/');
  std::string why = "a benchmark's name has no rival";
  const auto problem =
      slash == std::string::npos ? std::nullopt : parse_problem(name.substr(0, slash), why);
  if (!problem) {
    throw std::invalid_argument("benchmark '" + printable(name, 100) + "': " + printable(why, 200));
  }
  time.problem = *problem;
  time.rival = name.substr(slash + 1, name.find('/', slash + 1) - slash - 1);
  time.label = text(entry, "label");
  time.wall_ns = positive(entry, "wall_ns");
  if (time.wall_ns > static_cast<double>(limits::kTimeNs)) {
    throw std::invalid_argument("benchmark '" + printable(name, 100) +
                                "' takes longer than any that is measured");
  }
  time.rounds = static_cast<int>(std::fmin(positive(entry, "rounds"), 1e9));
  time.gbps = positive(entry, "gb_per_s");
  time.gflops = positive(entry, "gflop_per_s");
  time.share_of_copy = positive(entry, "share_of_copy");
  time.vs_default = positive(entry, "vs_default");
  time.vs_default_lo = positive(entry, "vs_default_lo");
  time.vs_default_hi = positive(entry, "vs_default_hi");
  return time;
}

}  // namespace

bool is_bench_file(const json& value) {
  return value.is_object() && value.contains("context") && value["context"].is_object() &&
         value.contains("benchmarks") && value["benchmarks"].is_array();
}

BenchFile bench_file_from_json(const json& value) {
  if (!is_bench_file(value)) throw std::invalid_argument("no result of --bench");
  BenchFile file;
  const json& context = value["context"];
  file.device = text(context, "device");
  file.driver = text(context, "driver");
  file.date = text(context, "date");
  file.library = text(context, "library");
  file.cache = text(context, "cache");
  file.floor_ns = positive_text(context, "launch_floor_ns");
  file.copy_gbps = positive_text(context, "copy_gb_per_s");
  file.cache_gbps = positive_text(context, "cache_gb_per_s");
  file.peak_gflops = positive_text(context, "peak_gflop_per_s");
  std::set<std::pair<std::string, std::string>> seen;  // a repetition of one is left out
  for (const json& entry : value["benchmarks"]) {
    if (!entry.is_object() || text(entry, "run_type") == "aggregate") continue;
    BenchTime time = time_from(entry, text(entry, "name"));
    if (entry.value("error_occurred", json()) == true || time.wall_ns <= 0) {
      ++file.failed;
    } else if (seen.emplace(to_string(time.problem), time.rival).second) {
      file.times.push_back(std::move(time));
    }
  }
  return file;
}

}  // namespace loratune
