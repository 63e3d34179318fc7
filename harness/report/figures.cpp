#include "harness/report/figures.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>

#include "dispatch/internal/tuned_limits.h"

namespace loratune {
namespace {

using nlohmann::json;

std::string config_text(const RecordedVariant& variant, const Config& config) {
  std::string text;
  for (int i = 0; i < config.size(); ++i) {
    text += (i == 0 ? "" : " ") + variant.parameters[static_cast<std::size_t>(i)] + "=" +
            std::to_string(config[i]);
  }
  return text;
}

// How many rounds a config's time is the median of; 0 for a probe.
std::size_t rounds_of(const RecordedConfig& config) {
  return config.ns.empty() ? 0 : config.ns.size() - 1;
}

// The only parameter in which the two configs differ; nothing where that is none or several.
std::optional<int> only_difference(const Config& one, const Config& other) {
  std::optional<int> found;
  for (int i = 0; i < one.size(); ++i) {
    if (one[i] == other[i]) continue;
    if (found) return std::nullopt;
    found = i;
  }
  return found;
}

json value_json(std::int32_t value, const RecordedConfig& config) {
  const double ns = recorded_ns(config);
  json result = {{"value", value}, {"outcome", to_string(config.outcome)}};
  if (std::isfinite(ns)) result["time_ns"] = six_digits(ns);
  if (rounds_of(config) > 0) result["rounds"] = rounds_of(config);
  return result;
}

// Of one variant on one problem; null where none of its configs was correct.
json variant_costs(const Recording& recording, const RecordedProblem& problem, int number) {
  const RecordedConfig* best = nullptr;
  int tried = 0;
  for (const RecordedConfig& config : problem.configs) {
    if (config.variant != number) continue;
    ++tried;
    if (config.outcome != Outcome::correct) continue;
    if (best == nullptr || recorded_ns(config) < recorded_ns(*best)) best = &config;
  }
  if (best == nullptr) return nullptr;
  const RecordedVariant& variant = recording.variants[static_cast<std::size_t>(number)];
  std::map<int, json> values;
  for (const RecordedConfig& config : problem.configs) {
    if (config.variant != number) continue;
    const auto parameter = only_difference(best->config, config.config);
    if (parameter) values[*parameter].push_back(value_json(config.config[*parameter], config));
  }
  json parameters = json::array();
  for (auto& [parameter, list] : values) {
    list.push_back(value_json(best->config[parameter], *best));
    parameters.push_back({{"name", variant.parameters[static_cast<std::size_t>(parameter)]},
                          {"best", best->config[parameter]},
                          {"values", list}});
  }
  return {{"variant", variant.name},
          {"config", config_text(variant, best->config)},
          {"time_ns", six_digits(recorded_ns(*best))},
          {"rounds", rounds_of(*best)},
          {"tried", tried},
          {"parameters", parameters}};
}

// What a problem's search has shown so far.
struct Progress {
  int tried = 0;
  double first_s = 0, last_s = 0;
  double default_ns = 0, best_ns = 0;
  json points = json::array();

  void add_point() { points.push_back({tried, six_digits(last_s - first_s), six_digits(best_ns)}); }
};

// The time of a reply's probe; 0 where the config was not correct.
double probe_of(const json& reply) {
  const auto number = [&](const char* name) -> double {
    const auto found = reply.find(name);
    return found != reply.end() && found->is_number() ? found->get<double>() : 0;
  };
  if (!reply.is_object() || reply.value("outcome", json()) != to_string(Outcome::correct)) return 0;
  const double ns = number("probe_ns");
  return ns > 0 && ns <= static_cast<double>(limits::kTimeNs) ? ns : 0;
}

}  // namespace

double six_digits(double value) {
  if (!std::isfinite(value)) return 0;
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return std::strtod(text, nullptr);
}

json parameter_costs(const Recording& recording, Catalogue& catalogue) {
  json list = json::array();
  for (const RecordedProblem& problem : recording.problems) {
    json variants = json::array();
    for (std::size_t i = 0; i < recording.variants.size(); ++i) {
      json costs = variant_costs(recording, problem, static_cast<int>(i));
      if (!costs.is_null()) variants.push_back(std::move(costs));
    }
    const double default_ns = recorded_ns(problem.configs.front());
    list.push_back({{"problem", catalogue.problem(problem.problem)},
                    {"configs", problem.configs.size()},
                    {"variants", variants}});
    if (std::isfinite(default_ns)) list.back()["default_ns"] = six_digits(default_ns);
  }
  return list;
}

json search_progress(const JournalContent& journal, Catalogue& catalogue) {
  constexpr std::string_view kAsk = "prepare ";  // and the problem's key, and a candidate's number
  std::map<std::string, Progress> problems;
  for (const json& line : journal.replies) {
    const auto& ask = line.at("ask").get_ref<const std::string&>();
    const std::size_t behind = ask.rfind(' ');
    if (!ask.starts_with(kAsk) || behind < kAsk.size()) continue;
    Progress& progress = problems[ask.substr(kAsk.size(), behind - kAsk.size())];
    progress.last_s = line.at("t").get<double>();
    if (progress.tried++ == 0) progress.first_s = progress.last_s;
    const double ns = line.contains("reply") ? probe_of(line["reply"]) : 0;
    if (ns <= 0) continue;
    if (progress.default_ns <= 0) progress.default_ns = ns;
    if (progress.best_ns > 0 && ns >= progress.best_ns) continue;
    progress.best_ns = ns;
    progress.add_point();
  }
  json list = json::array();
  for (auto& [key, progress] : problems) {
    std::string why;
    const auto problem = parse_problem(key, why);
    if (!problem || progress.best_ns <= 0) continue;
    progress.add_point();
    list.push_back({{"problem", catalogue.problem(*problem)},
                    {"tried", progress.tried},
                    {"default_ns", six_digits(progress.default_ns)},
                    {"points", std::move(progress.points)}});
  }
  return list;
}

}  // namespace loratune
