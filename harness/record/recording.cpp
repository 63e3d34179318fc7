#include "harness/record/recording.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>

#include "dispatch/internal/atomic_write.h"
#include "dispatch/internal/printable.h"
#include "dispatch/internal/tuned_limits.h"
#include "harness/base/device_json.h"
#include "harness/base/failure.h"
#include "harness/base/read_file.h"
#include "harness/base/whole_from.h"
#include "tuner/statistics.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr const char* kSchema = "loratune/recording";

// Four digits are more than a sample is worth.
double rounded(double ns) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", ns);
  return std::strtod(text, nullptr);
}

// Lines of a recording, plain or compressed: zlib reads what is not compressed as it is. No more
// than one of them is in memory, and neither their length nor their sum is without a bound.
class Lines {
 public:
  // Without a file where it cannot be opened; `why` then says why.
  explicit Lines(const std::string& path, std::string& why) {
    const int fd = open_regular_file(path, why);
    if (fd < 0) return;
    file_ = gzdopen(fd, "rb");
    if (file_ == nullptr) close(fd);
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  ~Lines() {
    if (file_ != nullptr) gzclose(file_);
  }

  explicit operator bool() const { return file_ != nullptr; }

  // Whether there is one more. Throws std::invalid_argument for what is damaged or too long.
  bool next(std::string& line) {
    line.clear();
    while (line.empty() || line.back() != '\n') {
      if (gzgets(file_, buffer_.data(), static_cast<int>(buffer_.size())) == nullptr) {
        int code = Z_OK;
        gzerror(file_, &code);
        if (code != Z_OK) throw std::invalid_argument("the file is damaged");
        return !line.empty();
      }
      const std::size_t length = std::strlen(buffer_.data());
      line += buffer_.data();
      bytes_ += length;
      if (line.size() > kMostLineBytes) throw std::invalid_argument("it is too long");
      if (bytes_ > kMostBytes) throw std::invalid_argument("the file is too long");
      // A zero byte hides what follows it; without one the buffer is full, or the line is at its
      // end.
      const bool cut = length == 0 || line.back() != '\n';
      if (cut && length + 1 < buffer_.size() && gzeof(file_) == 0) {
        throw std::invalid_argument("it holds a zero byte");
      }
    }
    return true;
  }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30;
  static constexpr std::size_t kMostLineBytes = std::size_t{1} << 20;
  gzFile file_ = nullptr;
  std::vector<char> buffer_ = std::vector<char>(65536);
  std::size_t bytes_ = 0;
};

// The text as gzip writes it, the same bytes for the same text.
std::string compressed(const std::string& text) {
  constexpr int kGzipWindow = 15 + 16;
  constexpr int kMemory = 8;  // zlib's usual level
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemory,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  std::string bytes(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<z_const Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  const bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  if (!whole) throw std::length_error("a recording is too long to be compressed");
  return bytes;
}

RecordedConfig config_from(const json& line, const std::vector<RecordedVariant>& variants) {
  RecordedConfig config;
  const auto name = line.at("variant").get<std::string>();
  const auto variant = std::ranges::find(variants, name, &RecordedVariant::name);
  if (variant == variants.end()) throw std::invalid_argument("there is no such variant");
  config.variant = static_cast<int>(variant - variants.begin());
  const json& values = line.at("config");
  if (!values.is_array() || values.size() != variant->parameters.size() ||
      values.size() > kMaxParameters) {
    throw std::invalid_argument("the config has not its variant's parameters");
  }
  for (const json& value : values) {
    config.config.push_back(whole_from<std::int32_t>(value, "a value of the config"));
  }
  const auto outcome = parse_outcome(line.at("outcome").get<std::string>());
  if (!outcome) throw std::invalid_argument("there is no such outcome");
  config.outcome = *outcome;
  if (line.contains("ns")) line.at("ns").get_to(config.ns);
  for (const double ns : config.ns) {
    if (!(ns > 0) || ns > static_cast<double>(limits::kTimeNs)) {
      throw std::invalid_argument("a time is not positive, or longer than any that is measured");
    }
  }
  const bool timed = config.outcome == Outcome::correct || config.outcome == Outcome::slow;
  if (timed == config.ns.empty()) throw std::invalid_argument("times and outcome disagree");
  return config;
}

void add_header(const json& line, Recording& recording) {
  if (!line.is_object() || line.value("schema", json()) != kSchema ||
      line.value("version", json()) != json(1)) {
    throw std::invalid_argument("it does not begin as a recording of version 1");
  }
  recording.device = device_from_json(line.at("device"));
  const auto cache = parse_cache(line.value("cache", "warm"));  // older recordings do not say
  if (!cache) throw std::invalid_argument("there is no such cache");
  recording.cache = *cache;
  recording.kernels = line.at("kernels");
  for (const json& variant : line.at("variants")) {
    recording.variants.push_back({variant.at("name").get<std::string>(),
                                  variant.at("parameters").get<std::vector<std::string>>()});
  }
}

void add_config(const json& line, Recording& recording) {
  if (!line.is_object()) throw std::invalid_argument("it is no JSON object");
  std::string why;
  const auto problem = parse_problem(line.at("problem").get<std::string>(), why);
  if (!problem) throw std::invalid_argument(why);
  if (recording.problems.empty() || recording.problems.back().problem != *problem) {
    recording.problems.push_back({*problem, {}});
  }
  recording.problems.back().configs.push_back(config_from(line, recording.variants));
}

}  // namespace

nlohmann::json header_of(const Recording& recording) {
  json variants = json::array();
  for (const RecordedVariant& variant : recording.variants) {
    variants.push_back({{"name", variant.name}, {"parameters", variant.parameters}});
  }
  return {{"schema", kSchema},
          {"version", 1},
          {"device", to_json(recording.device)},
          {"cache", to_string(recording.cache)},
          {"kernels", recording.kernels},
          {"variants", variants}};
}

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

std::string write_recording(const std::string& path, const Recording& recording) {
  const std::string text = serialize(recording);
  return atomic_write(path, path.ends_with(".gz") ? compressed(text) : text);
}

Recording read_recording(const std::string& path) {
  const std::string name = "recording '" + printable(path, 200) + "'";
  std::string why;
  Lines lines(path, why);
  if (!lines) throw Failure(kExitUsage, name + " " + why);
  Recording recording;
  int number = 1;
  try {
    for (std::string line; lines.next(line); ++number) {
      (number == 1 ? add_header : add_config)(parse_json(line), recording);
    }
  } catch (const std::exception& error) {
    throw Failure(kExitUsage,
                  name + ", line " + std::to_string(number) + ": " + printable(error.what(), 300));
  }
  if (recording.problems.empty()) throw Failure(kExitUsage, name + " holds no problem");
  return recording;
}

bool is_recording(const std::string& path) {
  std::string why, line;
  Lines lines(path, why);
  try {
    return lines && lines.next(line) &&
           line.find(std::string("\"") + kSchema + "\"") != std::string::npos;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

double recorded_ns(const RecordedConfig& config) {
  if (config.ns.empty()) return std::numeric_limits<double>::quiet_NaN();
  const std::size_t probe = config.ns.size() > 1 ? 1 : 0;
  return median({config.ns.data() + probe, config.ns.size() - probe});
}

}  // namespace loratune
