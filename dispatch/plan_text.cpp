#include "loratune/dispatch/plan_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "loratune/dispatch/dispatcher.h"
#include "loratune/variants/packing.h"
#include "loratune/variants/slices.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;

// What the executor hands to clSetKernelArg for a role.
std::string_view type_of(Role role) {
  switch (role) {
    case Role::x:
    case Role::a:
    case Role::b:
    case Role::y:
    case Role::scratch:
    case Role::weights:
    case Role::slots:
    case Role::route:
    case Role::arena:
      return "buffer";
    case Role::local:
      return "local";
    case Role::scale:
      return "float";
    case Role::m:
    case Role::k:
    case Role::n:
    case Role::rank:
    case Role::i32:
    case Role::block_count:
      return "int";
    case Role::ld_x:
    case Role::ld_a:
    case Role::ld_b:
    case Role::ld_y:
    case Role::off_x:
    case Role::off_a:
    case Role::off_b:
    case Role::off_y:
    case Role::off_g:
    case Role::ld_slot:
    case Role::blocks:
      return "long";
  }
  throw std::invalid_argument("plan: an argument of no known role");
}

// The number that an argument has whatever the operands are.
std::optional<std::int64_t> value_of(const Arg& arg, const Problem& problem,
                                     const LaunchPlan& plan) {
  const int slice = static_cast<int>(arg.value);  // where the role is one of a slice
  const std::int64_t first_b = joins_weights(plan) ? joined_off_b(plan.a, problem) : 0;
  switch (arg.role) {
    case Role::m:
      return problem.m;
    case Role::k:
      return problem.k;
    case Role::n:
      return slice_columns(problem, slice);
    case Role::rank:
      return problem.rank;
    case Role::ld_a:
      return packed_ld(plan.a, problem.rank, problem.k);
    case Role::ld_b:
      return packed_ld(plan.b, problem.n, problem.rank);
    case Role::off_a:
      return packed_a_before(plan.a, problem, slice);
    case Role::off_b:
      return first_b + packed_b_before(plan.b, problem, slice);
    case Role::off_g:
      return first_b + gains_before(plan.b, problem, slice);
    case Role::scratch:
    case Role::local:
    case Role::i32:
    case Role::blocks:
    case Role::block_count:
      return arg.value;
    default:
      return std::nullopt;
  }
}

// The number that it has for dense rows from the beginning of a buffer.
std::optional<std::int64_t> dense_value_of(const Arg& arg, const Problem& problem) {
  switch (arg.role) {
    case Role::ld_x:
      return problem.k;
    case Role::ld_y:
      return problem.n;
    case Role::off_x:
      return 0;
    case Role::off_y:
      return columns_before(problem, static_cast<int>(arg.value));
    default:
      return std::nullopt;
  }
}

json to_json(const Arg& arg, const Problem& problem, const LaunchPlan& plan) {
  json object = {{"role", to_string(arg.role)}, {"type", type_of(arg.role)}};
  if (const auto value = value_of(arg, problem, plan)) object["value"] = *value;
  if (const auto value = dense_value_of(arg, problem)) object["dense"] = *value;
  if (problem.slices.count > 0 && is_of_slice(arg.role)) object["slice"] = arg.value;
  return object;
}

// `elements`: those of all slices.
json to_json(const Packing& packing, const Problem& problem, std::int64_t rows, std::int64_t cols,
             std::int64_t elements) {
  return {{"layout", to_string(packing.layout)},
          {"tile", packing.tile},
          {"dtype", to_string(packed_dtype(packing, weights_dtype(problem)))},
          {"rows", rows},
          {"cols", cols},
          {"elements", elements},
          {"ld", packed_ld(packing, rows, cols)}};
}

json to_json(const Launch& launch, const Problem& problem, const LaunchPlan& plan) {
  json args = json::array();
  for (const Arg& arg : launch.args) args.push_back(to_json(arg, problem, plan));
  json global = json::array();
  json local = json::array();
  for (std::size_t i = 0; i < static_cast<std::size_t>(launch.dims); ++i) {
    global.push_back(launch.global[i]);
    local.push_back(launch.local[i]);
  }
  json object = {{"kernel", launch.kernel},
                 {"global", global},
                 {"local", local},
                 {"args", args},
                 {"one_struct", launch.one_struct}};
  if (launch.native) object["native"] = true;
  if (launch.row_groups.rows > 0) {
    object["row_groups"] = {{"rows", launch.row_groups.rows}, {"groups", launch.row_groups.groups}};
  }
  return object;
}

json to_json(const LaunchPlan& plan, const Problem& problem) {
  json defines = json::object();
  for (const auto& [name, value] : plan.defines) defines[name] = value;
  json scratch = json::array();
  constexpr std::string_view kZero[] = {"never", "once", "each_run"};
  for (const Scratch& buffer : plan.scratch) {
    scratch.push_back(
        {{"bytes", buffer.bytes}, {"zero", kZero[static_cast<unsigned>(buffer.zero)]}});
  }
  json launches = json::array();
  for (const Launch& launch : plan.launches) launches.push_back(to_json(launch, problem, plan));
  const bool joined = joins_weights(plan);
  json object = {
      {"problem", to_string(problem)},
      {"source", plan.source},
      {"defines", defines},
      {"flags", plan.flags},
      {"options", build_options(plan)},
      {"packing",
       {{"a", to_json(plan.a, problem, problem.rank, problem.k, packed_a_size(plan.a, problem))},
        {"b", to_json(plan.b, problem, problem.n, problem.rank, packed_b_size(plan.b, problem))},
        {"joined", joined},
        {"off_b", joined ? joined_off_b(plan.a, problem) : 0}}},
      {"scratch", scratch},
      {"launches", launches},
      {"align", plan.align},
      {"deterministic", plan.deterministic},
      {"needs_residency", plan.needs_residency}};
  for (std::size_t i = 0; i < plan.parts.size(); ++i) {
    object["parts"].push_back(to_json(plan.parts[i], slice_problem(problem, static_cast<int>(i))));
  }
  return object;
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::x:
      return "x";
    case Role::a:
      return "a";
    case Role::b:
      return "b";
    case Role::y:
      return "y";
    case Role::scale:
      return "scale";
    case Role::m:
      return "m";
    case Role::k:
      return "k";
    case Role::n:
      return "n";
    case Role::rank:
      return "rank";
    case Role::ld_x:
      return "ld_x";
    case Role::ld_a:
      return "ld_a";
    case Role::ld_b:
      return "ld_b";
    case Role::ld_y:
      return "ld_y";
    case Role::off_x:
      return "off_x";
    case Role::off_a:
      return "off_a";
    case Role::off_b:
      return "off_b";
    case Role::off_y:
      return "off_y";
    case Role::scratch:
      return "scratch";
    case Role::local:
      return "local";
    case Role::i32:
      return "i32";
    case Role::weights:
      return "weights";
    case Role::off_g:
      return "off_g";
    case Role::slots:
      return "slots";
    case Role::route:
      return "route";
    case Role::ld_slot:
      return "ld_slot";
    case Role::blocks:
      return "blocks";
    case Role::arena:
      return "arena";
    case Role::block_count:
      return "block_count";
  }
  return "";
}

std::string_view to_string(Layout layout) {
  switch (layout) {
    case Layout::row_major:
      return "row_major";
    case Layout::transposed:
      return "transposed";
    case Layout::panel:
      return "panel";
    case Layout::blocked:
      return "blocked";
  }
  return "";
}

bool is_native(const LaunchPlan& plan) {
  return std::any_of(plan.launches.begin(), plan.launches.end(),
                     [](const Launch& launch) { return launch.native; }) ||
         std::any_of(plan.parts.begin(), plan.parts.end(), is_native);
}

std::string plan_text(const Problem& problem, Mode mode, const Choice& choice,
                      const DeviceInfo& device) {
  if (choice.variant == nullptr) throw std::invalid_argument("plan: there is no choice");
  json config = json::object();
  for (const auto& [name, value] : named_config(choice.variant->space, choice.config)) {
    config[name] = value;
  }
  json document = to_json(choice.variant->plan(problem, choice.config, device), problem);
  document["schema"] = "loratune/plan";
  document["version"] = kVersion;
  document["mode"] = to_string(mode);
  document["variant"] = choice.variant->name;
  document["config"] = config;
  document["device_match"] = to_string(choice.device_match);
  document["shape_match"] = to_string(choice.shape_match);
  return document.dump();
}

}  // namespace loratune
