#include "harness/gate/plans_file.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "dispatch/internal/atomic_write.h"
#include "dispatch/internal/printable.h"
#include "harness/base/device_json.h"
#include "harness/base/failure.h"
#include "harness/base/plan_json.h"
#include "harness/base/read_file.h"
#include "harness/base/repeated_work.h"
#include "harness/base/whole_from.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr int kPlansVersion = 1;

bool worth_timing(const Variant& variant, const Config& config, const Problem& problem) {
  const double flops = variant.flops(problem, config);
  return !repeats_too_much(kGatedWork, flops / useful_flops(problem), flops);
}

bool takes(const Launch& launch, Role role) {
  return std::any_of(launch.args.begin(), launch.args.end(),
                     [&](const Arg& arg) { return arg.role == role; });
}

json parsed_or_null(const std::string& bytes) {
  try {
    return parse_json(bytes);
  } catch (const std::invalid_argument&) {
    return nullptr;
  }
}

PlansFile plans_from(const json& value) {
  PlansFile plans;
  const json& tool = value.at("tool");
  plans.tool = {tool.at("name"), tool.at("version"), tool.at("commit")};
  plans.device = device_from_json(value.at("device"));
  const auto sources = value.at("sources").get<std::vector<std::string>>();
  std::set<std::string> names;
  for (const json& item : value.at("cases")) {
    PlanCase one;
    item.at("case").get_to(one.name);
    std::string why;
    const auto problem = parse_problem(item.at("problem").get<std::string>(), why);
    if (!problem) throw std::invalid_argument(why);
    one.problem = *problem;
    json plan = item.at("plan");
    plan["source"] = sources.at(whole_from<std::size_t>(plan.at("source"), "plan: source"));
    one.plan = plan_from_json(plan);
    why = invalid_reason(one.plan);
    if (!why.empty()) throw std::invalid_argument(one.name + ": " + why);
    if (!names.insert(one.name).second) {
      throw std::invalid_argument("case " + printable(one.name) + " stands twice");
    }
    plans.cases.push_back(std::move(one));
  }
  return plans;
}

}  // namespace

std::vector<Problem> gate_problems() {
  std::vector<Problem> problems;
  for (const char* key :
       {"m1_k512_n512_r8_f32_acc", "m1_k512_n512_r64_f16_acc", "m1_k2048_n2048_r16_f16_acc",
        "m1_k4096_n4096_r8_f32_acc", "m16_k512_n512_r8_f32_acc", "m16_k512_n512_r64_f32_acc",
        "m16_k2048_n2048_r16_f32_acc", "m16_k1024_n512_r4_f16_set", "m128_k512_n512_r8_f32_acc",
        "m128_k512_n512_r64_f16_acc", "m128_k1024_n1024_r16_f32_set",
        "m512_k1024_n1024_r16_f32_acc"}) {
    std::string why;
    problems.push_back(parse_problem(key, why).value());
  }
  return problems;
}

std::vector<PlanCase> make_cases(std::span<const Problem> problems,
                                 std::span<const Variant* const> variants,
                                 const Dispatcher& dispatcher, Mode mode) {
  const DeviceInfo& device = dispatcher.device();
  std::vector<PlanCase> cases;
  for (const Problem& problem : problems) {
    const Choice pick = dispatcher.pick(problem, mode);
    if (pick.variant == nullptr) {
      throw Failure(kExitUsage, "no variant of this build takes " + to_string(problem));
    }
    cases.push_back(
        {"pick/" + to_string(problem), problem, pick.variant->plan(problem, pick.config, device)});
    for (const Variant* variant : variants) {
      if (!variant->supports(problem, device)) continue;
      const Config config = variant->default_config(problem, device);
      if (!worth_timing(*variant, config, problem)) continue;
      cases.push_back({std::string(variant->name) + "/" + to_string(problem), problem,
                       variant->plan(problem, config, device)});
    }
  }
  std::sort(cases.begin(), cases.end(),
            [](const PlanCase& a, const PlanCase& b) { return a.name < b.name; });
  return cases;
}

LaunchPlan with_repeated_work(const LaunchPlan& plan, const Problem& problem, int percent) {
  if (percent <= 0 || plan.launches.empty()) return plan;
  Launch again = plan.launches.front();
  if (takes(again, Role::y) && problem.accumulate) return plan;
  std::uint64_t left = static_cast<std::uint64_t>(percent);
  LaunchPlan slower = plan;
  for (; left >= 100; left -= 100) slower.launches.insert(slower.launches.begin(), again);
  const std::uint64_t groups = again.global[0] / again.local[0];
  const std::uint64_t some = (groups * left + 50) / 100;
  if (some > 0) {
    again.global[0] = some * again.local[0];
    again.row_groups = {};  // of its own grid, not of all rows'
    slower.launches.insert(slower.launches.begin(), again);
  }
  return slower;
}

void write_plans(const std::string& path, const PlansFile& plans) {
  json cases = json::array();
  std::vector<std::string> sources;
  std::map<std::string, std::size_t> index;
  for (const PlanCase& one : plans.cases) {
    const auto [at, fresh] = index.emplace(one.plan.source, sources.size());
    if (fresh) sources.push_back(one.plan.source);
    json plan = to_json(one.plan);
    plan["source"] = at->second;
    cases.push_back({{"case", one.name}, {"problem", to_string(one.problem)}, {"plan", plan}});
  }
  std::string text =
      "{\"schema\": \"loratune/plans\", \"version\": " + std::to_string(kPlansVersion) +
      ",\n\"tool\": " +
      json{
          {"name", plans.tool.name}, {"version", plans.tool.version}, {"commit", plans.tool.commit}}
          .dump() +
      ",\n\"device\": " + to_json(plans.device).dump() + ",\n\"sources\": " + json(sources).dump() +
      ",\n\"cases\": [";
  for (std::size_t i = 0; i < cases.size(); ++i) text += (i > 0 ? ",\n" : "\n") + cases[i].dump();
  const std::string error = atomic_write(path, text + "\n]}\n");
  if (!error.empty()) throw Failure(kExitUsage, error);
}

PlansFile read_plans(const std::string& path) {
  const json value = parsed_or_null(read_file(path, "plans file"));
  if (!value.is_object() || value.value("schema", json()) != "loratune/plans") {
    throw Failure(kExitUsage, "'" + path + "' is no plans file: --export-plans writes one");
  }
  if (value.value("version", json()) != kPlansVersion) {
    throw Failure(kExitUsage, "plans file '" + path + "' is of version " +
                                  printable(value.value("version", json()).dump()) +
                                  ", this lora-bench reads " + std::to_string(kPlansVersion));
  }
  try {
    return plans_from(value);
  } catch (const std::exception& error) {
    throw Failure(kExitUsage, "plans file '" + path + "': " + printable(error.what(), 200));
  }
}

}  // namespace loratune
