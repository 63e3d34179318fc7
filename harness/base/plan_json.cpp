#include "harness/base/plan_json.h"

#include <stdexcept>

namespace loratune {
namespace {

using nlohmann::json;

template <class E>
E enum_from(const json& value, E last) {
  const auto number = value.get<int>();
  if (number < 0 || number > static_cast<int>(last)) {
    throw std::invalid_argument("plan: an enumerator is out of range");
  }
  return static_cast<E>(number);
}

}  // namespace

json to_json(const Packing& packing) {
  return {static_cast<int>(packing.layout), packing.tile, packing.as_f32};
}

// Plans of before as_f32 have two values.
Packing packing_from_json(const json& value) {
  return {enum_from(value.at(0), Layout::blocked), value.at(1).get<int>(),
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
                        {"one_struct", launch.one_struct}});
  }
  json scratch = json::array();
  for (const Scratch& buffer : plan.scratch) {
    scratch.push_back({buffer.bytes, static_cast<int>(buffer.zero)});
  }
  return {{"source", plan.source},
          {"defines", plan.defines},
          {"flags", plan.flags},
          {"a", to_json(plan.a)},
          {"b", to_json(plan.b)},
          {"scratch", scratch},
          {"launches", launches},
          {"align", plan.align},
          {"deterministic", plan.deterministic},
          {"needs_residency", plan.needs_residency}};
}

LaunchPlan plan_from_json(const json& value) {
  LaunchPlan plan;
  value.at("source").get_to(plan.source);
  value.at("defines").get_to(plan.defines);
  value.at("flags").get_to(plan.flags);
  plan.a = packing_from_json(value.at("a"));
  plan.b = packing_from_json(value.at("b"));
  for (const json& buffer : value.at("scratch")) {
    plan.scratch.push_back(
        {buffer.at(0).get<std::uint64_t>(), enum_from(buffer.at(1), Zero::each_run)});
  }
  for (const json& item : value.at("launches")) {
    Launch launch;
    item.at("kernel").get_to(launch.kernel);
    item.at("dims").get_to(launch.dims);
    item.at("global").get_to(launch.global);
    item.at("local").get_to(launch.local);
    launch.one_struct = item.value("one_struct", false);
    for (const json& arg : item.at("args")) {
      launch.args.push_back({enum_from(arg.at(0), Role::weights), arg.at(1).get<std::int64_t>()});
    }
    plan.launches.push_back(std::move(launch));
  }
  value.at("align").get_to(plan.align);
  value.at("deterministic").get_to(plan.deterministic);
  value.at("needs_residency").get_to(plan.needs_residency);
  return plan;
}

}  // namespace loratune
