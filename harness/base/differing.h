// Where two JSON values differ, for a line that refuses one of them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace loratune {

// The members that differ, with the member of a member at most: "device.driver seed". Empty where
// the values are equal. Both are objects.
std::string differing_members(const nlohmann::json& one, const nlohmann::json& other);

}  // namespace loratune
