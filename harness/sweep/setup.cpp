#include "harness/sweep/setup.h"

#include <algorithm>
#include <stdexcept>

#include "dispatch/internal/printable.h"
#include "harness/base/device_json.h"
#include "harness/base/failure.h"
#include "harness/base/problem_size.h"
#include "harness/base/selection.h"
#include "harness/base/tool_info.h"
#include "harness/base/whole_from.h"
#include "harness/sweep/output.h"
#include "harness/sweep/problem_weights.h"
#include "loratune/dispatch/default_choice.h"

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

// The problem of a key in a journal, as the sweep told it from others. Earlier builds took one
// whose alignment is the element's own for another than the one without; its key names the
// questions of such a sweep and seeds its choices, so that it keeps the alignment here.
std::optional<Problem> as_swept(const std::string& key, std::string& why) {
  std::optional<Problem> problem = parse_problem(key, why);
  if (!problem || problem->align != 0) return problem;
  Problem stated = *problem;
  stated.align = element_bytes(stated.dtype);
  return to_string(stated) == key ? stated : problem;
}

// What a journal's header says was known when it was begun.
std::vector<Known> known_from(const json& header) {
  std::vector<Known> known;
  for (const json& one : header.at("known")) {
    std::string why;
    const auto problem = as_swept(one.at("problem").get<std::string>(), why);
    const Variant* variant = find_variant(one.at("variant").get<std::string>());
    const auto config = variant == nullptr
                            ? std::nullopt
                            : parse_config(variant->space, one.at("config").get<std::string>());
    if (!problem || !config) throw Failure(kExitUsage, "what the sweep knew cannot be read");
    known.push_back({*problem, {variant, *config}});
  }
  return known;
}

}  // namespace

namespace {

// The variants to search: the variants asked for, each of which must support a problem, or else all
// variants that support one.
std::vector<const Variant*> searched_variants(const Options& options,
                                              const std::vector<Problem>& problems,
                                              const DeviceInfo& device) {
  std::vector<const Variant*> chosen = select_variants(options);
  const auto declines_all = [&](const Variant* variant) {
    return std::none_of(problems.begin(), problems.end(),
                        [&](const Problem& problem) { return variant->supports(problem, device); });
  };
  if (options.variants.empty()) std::erase_if(chosen, declines_all);
  for (const Variant* variant : chosen) {
    if (!declines_all(variant)) continue;
    throw Failure(kExitUsage, "variant " + std::string(variant->name) +
                                  " declines every selected problem (" + to_string(problems[0]) +
                                  (problems.size() > 1 ? ", ...)" : ")"));
  }
  return chosen;
}

// What the file may lose to the sweep: before it begins nobody knows which of its variants are
// chosen.
Losses losses_to(const SweepSetup& setup, const TunedFile& earlier) {
  TunedFile fresh;
  fresh.devices["d0"] = tuned_device(setup.device);
  const auto add_kernel = [&](const Variant& variant) {
    fresh.kernels[std::string(variant.name)] = {std::string(variant.source_sha256),
                                                variant.revision};
  };
  for (const Variant* variant : setup.options.variants) add_kernel(*variant);
  for (const Problem& problem : setup.options.problems) {
    add_kernel(*default_choice(problem, setup.device, setup.options.mode).variant);
    Record decided;
    decided.device = "d0";
    decided.mode = setup.options.mode;
    decided.problem = problem;
    fresh.records.push_back(decided);
  }
  Losses losses;
  merge_earlier(fresh, earlier, losses);
  return losses;
}

// Part options.shard of the problems.
std::vector<Problem> sharded(const std::vector<Problem>& problems, const Options& options) {
  if (options.shards <= 1) return problems;
  std::vector<Problem> part = shard_of(problems, options.mode, options.shard, options.shards);
  if (part.empty()) {
    throw Failure(kExitUsage, "--shard " + std::to_string(options.shard) + "/" +
                                  std::to_string(options.shards) + ": there are fewer problems");
  }
  return part;
}

}  // namespace

DeviceInfo as_begun(const DeviceInfo& device, const json& begun) {
  try {
    DeviceInfo stored = device_from_json(begun.at("device"));
    if (same_device(stored, device)) return stored;
  } catch (const std::exception&) {
  }
  return device;
}

SweepSetup setup_from(const Options& options, const json& begun) {
  SweepSetup setup;
  const std::vector<Problem> whole = select_problems(options);
  for (const Problem& problem : whole) {
    if (problem.m == 0) {
      throw Failure(kExitUsage, to_string(problem) + " " + kNoRows);
    }
  }
  select_variants(options);  // so that bad input is told before a device is sought
  setup.device = select_device(options.device).info;
  if (!begun.is_null()) setup.device = as_begun(setup.device, begun);
  require_timeable(whole, setup.device);
  // All shards of a sweep try the same variants.
  setup.options.variants = searched_variants(options, whole, setup.device);
  setup.options.problems = sharded(whole, options);
  setup.options.mode = options.mode;
  setup.options.seed = options.seed;
  setup.options.cache = options.cache;
  setup.options.budget_s = options.budget_s > 0 ? options.budget_s : options.quick ? 52 : 570;
  setup.options.evaluations = options.evaluations;
  if (!options.weights.empty()) {
    const std::vector<double> weights = read_weights(options.weights, whole);
    for (const Problem& problem : setup.options.problems) {
      const auto at = std::find(whole.begin(), whole.end(), problem) - whole.begin();
      setup.options.weights.push_back(weights[static_cast<std::size_t>(at)]);
    }
  }
  if (!begun.is_null()) {
    setup.options.known = known_from(begun);
  }
  if (const auto earlier = earlier_file(options.out)) {
    if (begun.is_null()) setup.options.known = known_of(*earlier);
    require_named(losses_to(setup, *earlier), options.forget, options.out);
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

json lasting(json header) {
  header.at("device").erase("max_alloc_bytes");
  return header;
}

namespace {

SweepSetup parse_header(const json& header) {
  SweepSetup setup;
  SweepOptions& options = setup.options;
  setup.device = device_from_json(header.at("device"));
  for (const json& key : header.at("problems")) {
    std::string why;
    const auto problem = as_swept(key.get<std::string>(), why);
    if (!problem) throw std::invalid_argument(why);
    options.problems.push_back(*problem);
  }
  if (options.problems.empty()) throw std::invalid_argument("it names no problem");
  for (const json& name : header.at("variants")) {
    const Variant* variant = find_variant(name.get<std::string>());
    const json& kernel = header.at("kernels").at(name.get<std::string>());
    if (variant == nullptr || kernel.at("sha256") != variant->source_sha256 ||
        kernel.at("revision") != variant->revision) {
      throw std::invalid_argument("variant " + printable(name.get<std::string>()) +
                                  " is not the one this build has");
    }
    options.variants.push_back(variant);
  }
  const auto mode = parse_mode(header.at("mode").get<std::string>());
  const auto cache = parse_cache(header.value("cache", "warm"));
  if (!mode || !cache) throw std::invalid_argument("its mode or cache is none");
  options.mode = *mode;
  options.cache = *cache;
  options.budget_s = header.at("budget_s").get<double>();
  options.evaluations = whole_from<int>(header.at("evaluations"), "evaluations", 0);
  header.at("weights").get_to(options.weights);
  if (!options.weights.empty() && options.weights.size() != options.problems.size()) {
    throw std::invalid_argument("it has not a weight for each problem");
  }
  options.known = known_from(header);
  options.seed = whole_from<std::uint64_t>(header.at("seed"), "seed");
  return setup;
}

}  // namespace

SweepSetup setup_from(const json& header) {
  try {
    return parse_header(header);
  } catch (const Failure&) {
    throw;
  } catch (const std::exception& error) {
    throw Failure(kExitUsage, printable(error.what(), 200));
  }
}

}  // namespace loratune
