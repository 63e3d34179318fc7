// JSON of plain structs whose members are listed once, by a function template
//     template <class Struct, class Visit> void visit_members(Struct& value, Visit& visit)
// that calls visit(name, member) for each: MembersToJson writes what it is shown, MembersFromJson
// reads it. A number may have its bounds behind the member; kYounger says that files of earlier
// builds lack the member, which then stays as it is.
#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <vector>

#include "harness/base/whole_from.h"

namespace loratune {

struct Younger {};
inline constexpr Younger kYounger;

struct MembersToJson {
  nlohmann::json json = nlohmann::json::object();

  template <class T, class... Rest>
  void operator()(const char* name, const T& member, const Rest&...) {
    if constexpr (std::is_enum_v<T>) {
      json[name] = static_cast<int>(member);
    } else {
      json[name] = member;
    }
  }
};

// Throws nlohmann::json::exception for a member that is missing or of another kind, and
// std::invalid_argument for a number out of its bounds.
struct MembersFromJson {
  const nlohmann::json& json;

  template <class T>
  void operator()(const char* name, T& member) const {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      read_whole(name, member, std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
    } else if constexpr (std::is_same_v<T, std::vector<int>>) {
      member = wholes_from(json.at(name), name);
    } else {
      json.at(name).get_to(member);
    }
  }
  template <class T>
  void operator()(const char* name, T& member, T low) const {
    read_whole(name, member, low, std::numeric_limits<T>::max());
  }
  template <class T>
  void operator()(const char* name, T& member, T low, T high) const {
    if constexpr (std::is_enum_v<T>) {
      int number = 0;
      read_whole(name, number, static_cast<int>(low), static_cast<int>(high));
      member = static_cast<T>(number);
    } else {
      read_whole(name, member, low, high);
    }
  }
  template <class T, class... Bounds>
  void operator()(const char* name, T& member, Younger, Bounds... bounds) const {
    if (json.contains(name)) (*this)(name, member, bounds...);
  }

 private:
  template <class Int>
  void read_whole(const char* name, Int& member, Int low, Int high) const {
    member = whole_from<Int>(json.at(name), name, low, high);
  }
};

}  // namespace loratune
