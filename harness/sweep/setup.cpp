#include "harness/sweep/setup.h"

#include <algorithm>
#include <filesystem>

#include "harness/base/device_json.h"
#include "harness/base/failure.h"
#include "harness/base/selection.h"
#include "harness/base/tool_info.h"
#include "harness/sweep/journal.h"
#include "harness/sweep/output.h"
#include "harness/sweep/problem_weights.h"

namespace loratune {

using nlohmann::json;

namespace {

// What an earlier file chose, on whatever device, as far as this build's variants have it.
std::vector<Known> known_of(const TunedFile& file) {
  std::vector<Known> known;
  for (const Record& record : file.records) {
    const Variant* variant = find_variant(record.variant);
    if (variant == nullptr) continue;
    std::string text;
    for (const auto& [name, value] : record.config) {
      text += (text.empty() ? "" : " ") + name + "=" + std::to_string(value);
    }
    const auto config = parse_config(variant->space, text);
    if (config) known.push_back({record.problem, {variant, *config}});
  }
  return known;
}

// What a journal's header says was known when it was begun.
std::vector<Known> known_from(const json& header) {
  std::vector<Known> known;
  for (const json& one : header.at("known")) {
    std::string why;
    const auto problem = parse_problem(one.at("problem").get<std::string>(), why);
    const Variant* variant = find_variant(one.at("variant").get<std::string>());
    const auto config = variant == nullptr
                            ? std::nullopt
                            : parse_config(variant->space, one.at("config").get<std::string>());
    if (!problem || !config) throw Failure(kExitUsage, "journal: what it knows cannot be read");
    known.push_back({*problem, {variant, *config}});
  }
  return known;
}

}  // namespace

SweepSetup setup_from(const Options& options) {
  SweepSetup setup;
  setup.options.problems = select_problems(options);
  for (const Problem& problem : setup.options.problems) {
    if (problem.m == 0) {
      throw Failure(kExitUsage, to_string(problem) + " has no rows: there is nothing to time");
    }
  }
  setup.options.variants = select_variants(options);
  setup.options.mode = options.mode;
  setup.options.seed = options.seed;
  setup.options.cache = options.cache;
  setup.options.budget_s = options.budget_s > 0 ? options.budget_s : options.quick ? 52 : 570;
  setup.options.evaluations = options.evaluations;
  setup.device = select_device(options.device).info;
  const auto declines_all = [&](const Variant* variant) {
    return std::none_of(
        setup.options.problems.begin(), setup.options.problems.end(),
        [&](const Problem& problem) { return variant->supports(problem, setup.device); });
  };
  if (options.variants.empty()) std::erase_if(setup.options.variants, declines_all);
  for (const Variant* variant : setup.options.variants) {
    if (declines_all(variant)) {
      throw Failure(kExitUsage, "variant " + std::string(variant->name) +
                                    " declines every selected problem (" +
                                    to_string(setup.options.problems[0]) +
                                    (setup.options.problems.size() > 1 ? ", ...)" : ")"));
    }
  }
  const std::vector<Problem> whole = setup.options.problems;
  std::vector<double> weights;
  if (!options.weights.empty()) weights = read_weights(options.weights, whole);
  // Last, so that all shards of a sweep try the same variants.
  if (options.shards > 1) {
    setup.options.problems =
        shard_of(setup.options.problems, options.mode, options.shard, options.shards);
    if (setup.options.problems.empty()) {
      throw Failure(kExitUsage, "--shard " + std::to_string(options.shard) + "/" +
                                    std::to_string(options.shards) + ": there are fewer problems");
    }
  }
  for (const Problem& problem : setup.options.problems) {
    const auto at = std::find(whole.begin(), whole.end(), problem) - whole.begin();
    if (!weights.empty()) {
      setup.options.weights.push_back(weights[static_cast<std::size_t>(at)]);
    }
  }
  if (options.resume && std::filesystem::is_regular_file(options.journal)) {
    // The file may have been written since.
    const JournalContent begun = read_journal(options.journal);
    if (begun.header.contains("known")) setup.options.known = known_from(begun.header);
  } else if (const auto earlier = earlier_file(options.out)) {
    setup.options.known = known_of(*earlier);
  }
  return setup;
}

json make_header(const SweepSetup& setup) {
  const SweepOptions& options = setup.options;
  json kernels = json::object();
  json names = json::array();
  for (const Variant* variant : options.variants) {
    names.push_back(variant->name);
    kernels[std::string(variant->name)] = {{"sha256", variant->source_sha256},
                                           {"revision", variant->revision}};
  }
  json problems = json::array();
  for (const Problem& problem : options.problems) problems.push_back(to_string(problem));
  json known = json::array();
  for (const Known& one : options.known) {
    known.push_back({{"problem", to_string(one.problem)},
                     {"variant", one.choice.variant->name},
                     {"config", to_string(one.choice.variant->space, one.choice.config)}});
  }
  const ToolInfo tool = tool_info();
  return {{"schema", "loratune/journal"},
          {"version", 1},
          {"tool", {{"name", tool.name}, {"version", tool.version}, {"commit", tool.commit}}},
          {"device", to_json(setup.device)},
          {"variants", names},
          {"kernels", kernels},
          {"problems", problems},
          {"mode", to_string(options.mode)},
          {"budget_s", options.budget_s},
          {"evaluations", options.evaluations},
          {"weights", options.weights},
          {"known", known},
          {"seed", options.seed},
          {"cache", to_string(options.cache)}};
}

SweepSetup setup_from(const json& header) {
  SweepSetup setup;
  SweepOptions& options = setup.options;
  setup.device = device_from_json(header.at("device"));
  for (const json& key : header.at("problems")) {
    std::string why;
    const auto problem = parse_problem(key.get<std::string>(), why);
    if (!problem) throw Failure(kExitUsage, "journal: " + why);
    options.problems.push_back(*problem);
  }
  for (const json& name : header.at("variants")) {
    const Variant* variant = find_variant(name.get<std::string>());
    const json& kernel = header.at("kernels").at(name.get<std::string>());
    if (variant == nullptr || kernel.at("sha256") != variant->source_sha256 ||
        kernel.at("revision") != variant->revision) {
      throw Failure(kExitUsage, "journal: variant " + name.get<std::string>() +
                                    " is not the one this build has");
    }
    options.variants.push_back(variant);
  }
  options.mode = parse_mode(header.at("mode").get<std::string>()).value_or(Mode::fast);
  options.budget_s = header.at("budget_s").get<double>();
  options.evaluations = header.at("evaluations").get<int>();
  header.at("weights").get_to(options.weights);
  options.known = known_from(header);
  options.seed = header.at("seed").get<std::uint64_t>();
  if (header.value("cache", "warm") == to_string(Cache::rotate)) options.cache = Cache::rotate;
  return setup;
}

}  // namespace loratune
