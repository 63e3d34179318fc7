#include "harness/base/plan_json.h"

#include <stdexcept>

#include "harness/base/whole_from.h"

namespace loratune {
namespace {

using nlohmann::json;

template <class E>
E enum_from(const json& value, E last) {
  return static_cast<E>(whole_from<int>(value, "plan: an enumerator", 0, static_cast<int>(last)));
}

std::array<std::uint64_t, 3> sizes_from(const json& value) {
  std::array<std::uint64_t, 3> sizes{};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    sizes[i] = whole_from<std::uint64_t>(value.at(i), "plan: a size of a launch");
  }
  return sizes;
}

}  // namespace

json to_json(const Packing& packing) {
  return {static_cast<int>(packing.layout), packing.tile, packing.as_f32};
}

// Plans of before as_f32 have two values.
Packing packing_from_json(const json& value) {
  return {enum_from(value.at(0), Layout::blocked), whole_from<int>(value.at(1), "plan: a tile"),
          value.size() > 2 && value.at(2).get<bool>()};
}

json to_json(const LaunchPlan& plan) {
  json launches = json::array();
  for (const Launch& launch : plan.launches) {
    json args = json::array();
    for (const Arg& arg : launch.args) args.push_back({static_cast<int>(arg.role), arg.value});
    launches.push_back({{"kernel", launch.kernel},
                        {"dims", launch.dims},
                        {"global", launch.global},
                        {"local", launch.local},
                        {"args", args},
                        {"one_struct", launch.one_struct},
                        {"row_groups", {launch.row_groups.rows, launch.row_groups.groups}},
                        {"native", launch.native}});
  }
  json scratch = json::array();
  for (const Scratch& buffer : plan.scratch) {
    scratch.push_back({buffer.bytes, static_cast<int>(buffer.zero)});
  }
  json value = {{"source", plan.source},
                {"defines", plan.defines},
                {"flags", plan.flags},
                {"a", to_json(plan.a)},
                {"b", to_json(plan.b)},
                {"scratch", scratch},
                {"launches", launches},
                {"align", plan.align},
                {"deterministic", plan.deterministic},
                {"needs_residency", plan.needs_residency}};
  for (const LaunchPlan& part : plan.parts) value["parts"].push_back(to_json(part));
  return value;
}

namespace {

LaunchPlan plan_from_json(const json& value, bool is_part) {
  LaunchPlan plan;
  value.at("source").get_to(plan.source);
  for (const json& define : value.at("defines")) {
    plan.defines.emplace_back(define.at(0).get<std::string>(),
                              whole_from<std::int64_t>(define.at(1), "plan: the value of a macro"));
  }
  value.at("flags").get_to(plan.flags);
  plan.a = packing_from_json(value.at("a"));
  plan.b = packing_from_json(value.at("b"));
  for (const json& buffer : value.at("scratch")) {
    plan.scratch.push_back({whole_from<std::uint64_t>(buffer.at(0), "plan: the bytes of scratch"),
                            enum_from(buffer.at(1), Zero::each_run)});
  }
  for (const json& item : value.at("launches")) {
    Launch launch;
    item.at("kernel").get_to(launch.kernel);
    launch.dims = whole_from<int>(item.at("dims"), "plan: dims");
    launch.global = sizes_from(item.at("global"));
    launch.local = sizes_from(item.at("local"));
    launch.one_struct = item.value("one_struct", false);
    launch.native = item.value("native", false);
    if (item.contains("row_groups")) {
      const json& row_groups = item["row_groups"];
      launch.row_groups = {whole_from<std::int64_t>(row_groups.at(0), "plan: rows of a block", 0),
                           whole_from<std::int64_t>(row_groups.at(1), "plan: groups", 0)};
    }
    for (const json& arg : item.at("args")) {
      launch.args.push_back({enum_from(arg.at(0), Role::block_count),
                             whole_from<std::int64_t>(arg.at(1), "plan: an argument")});
    }
    plan.launches.push_back(std::move(launch));
  }
  plan.align = whole_from<int>(value.at("align"), "plan: align", 0);
  value.at("deterministic").get_to(plan.deterministic);
  value.at("needs_residency").get_to(plan.needs_residency);
  if (!value.contains("parts")) return plan;
  if (is_part) throw std::invalid_argument("plan: a part has parts");
  for (const json& part : value.at("parts")) plan.parts.push_back(plan_from_json(part, true));
  return plan;
}

}  // namespace

LaunchPlan plan_from_json(const json& value) { return plan_from_json(value, false); }

}  // namespace loratune
