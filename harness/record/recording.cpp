#include "harness/record/recording.h"

#include <zlib.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "harness/base/device_json.h"
#include "harness/base/failure.h"
#include "tuner/statistics.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr const char* kSchema = "loratune/recording";
constexpr std::size_t kMostBytes = std::size_t{1} << 30;

// Four digits are more than a sample is worth.
double rounded(double ns) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", ns);
  return std::strtod(text, nullptr);
}

json header_of(const Recording& recording) {
  json variants = json::array();
  for (const RecordedVariant& variant : recording.variants) {
    variants.push_back({{"name", variant.name}, {"parameters", variant.parameters}});
  }
  return {{"schema", kSchema},
          {"version", 1},
          {"device", to_json(recording.device)},
          {"kernels", recording.kernels},
          {"variants", variants}};
}

// zlib reads what is not compressed as it is.
std::string read_bytes(const std::string& path, std::size_t most) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) throw Failure(kExitUsage, "recording '" + path + "' cannot be read");
  std::string bytes;
  char buffer[65536];
  int got = 0;
  while (bytes.size() < most && (got = gzread(file, buffer, sizeof(buffer))) > 0) {
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
  const bool whole = got >= 0 && (most < kMostBytes || bytes.size() < kMostBytes);
  gzclose(file);
  if (!whole) throw Failure(kExitUsage, "recording '" + path + "' is damaged or too long");
  return bytes;
}

RecordedConfig config_from(const json& line, const std::vector<RecordedVariant>& variants) {
  RecordedConfig config;
  const auto name = line.at("variant").get<std::string>();
  while (variants.at(static_cast<std::size_t>(config.variant)).name != name) ++config.variant;
  const auto values = line.at("config").get<std::vector<std::int32_t>>();
  if (values.size() != variants[static_cast<std::size_t>(config.variant)].parameters.size() ||
      values.size() > kMaxParameters) {
    throw std::invalid_argument("the config has not its variant's parameters");
  }
  for (const std::int32_t value : values) config.config.push_back(value);
  const auto outcome = parse_outcome(line.at("outcome").get<std::string>());
  if (!outcome) throw std::invalid_argument("there is no such outcome");
  config.outcome = *outcome;
  if (line.contains("ns")) line["ns"].get_to(config.ns);
  for (const double ns : config.ns) {
    if (!(ns > 0)) throw std::invalid_argument("a time is not positive");
  }
  const bool timed = config.outcome == Outcome::correct || config.outcome == Outcome::slow;
  if (timed == config.ns.empty()) throw std::invalid_argument("times and outcome disagree");
  return config;
}

void add_header(const json& line, Recording& recording) {
  if (line.value("schema", "") != kSchema || line.value("version", 0) != 1) {
    throw std::invalid_argument("it does not begin as a recording of version 1");
  }
  recording.device = device_from_json(line.at("device"));
  recording.kernels = line.at("kernels");
  for (const json& variant : line.at("variants")) {
    recording.variants.push_back({variant.at("name").get<std::string>(),
                                  variant.at("parameters").get<std::vector<std::string>>()});
  }
}

void add_config(const json& line, Recording& recording) {
  std::string why;
  const auto problem = parse_problem(line.at("problem").get<std::string>(), why);
  if (!problem) throw std::invalid_argument(why);
  if (recording.problems.empty() || recording.problems.back().problem != *problem) {
    recording.problems.push_back({*problem, {}});
  }
  recording.problems.back().configs.push_back(config_from(line, recording.variants));
}

}  // namespace

std::string serialize(const Recording& recording) {
  std::string text = header_of(recording).dump() + '\n';
  for (const RecordedProblem& problem : recording.problems) {
    for (const RecordedConfig& config : problem.configs) {
      json values = json::array();
      for (int i = 0; i < config.config.size(); ++i) values.push_back(config.config[i]);
      json line = {{"problem", to_string(problem.problem)},
                   {"variant", recording.variants[static_cast<std::size_t>(config.variant)].name},
                   {"config", values},
                   {"outcome", to_string(config.outcome)}};
      for (const double ns : config.ns) line["ns"].push_back(rounded(ns));
      text += line.dump() + '\n';
    }
  }
  return text;
}

Recording read_recording(const std::string& path) {
  std::istringstream lines(read_bytes(path, kMostBytes));
  Recording recording;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    try {
      (number == 1 ? add_header : add_config)(json::parse(line), recording);
    } catch (const std::exception& error) {
      throw Failure(kExitUsage, "recording '" + path + "', line " + std::to_string(number) + ": " +
                                    error.what());
    }
  }
  if (recording.problems.empty()) {
    throw Failure(kExitUsage, "recording '" + path + "' holds no problem");
  }
  return recording;
}

bool is_recording(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return false;
  std::string line(65536, '\0');
  const bool read = gzgets(file, line.data(), static_cast<int>(line.size())) != nullptr;
  gzclose(file);
  return read && line.find(std::string("\"") + kSchema + "\"") != std::string::npos;
}

double recorded_ns(const RecordedConfig& config) {
  if (config.ns.empty()) return std::numeric_limits<double>::quiet_NaN();
  const std::size_t probe = config.ns.size() > 1 ? 1 : 0;
  return median({config.ns.data() + probe, config.ns.size() - probe});
}

}  // namespace loratune
