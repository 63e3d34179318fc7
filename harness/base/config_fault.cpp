#include "harness/base/config_fault.h"

#include <algorithm>
#include <set>
#include <vector>

namespace loratune {
namespace {

template <class Range, class Name>
std::string joined(const Range& range, Name name) {
  std::string text;
  for (const auto& item : range) text += (text.empty() ? "" : ", ") + std::string(name(item));
  return text;
}

std::string name_of(const Parameter& parameter) { return std::string(parameter.name); }

// What is wrong with one NAME=value; `given` holds the names before it.
std::string word_fault(const SearchSpace& space, std::string_view word,
                       std::set<std::string_view>& given) {
  const std::string_view name = word.substr(0, word.find('='));
  if (name.size() == word.size()) return "'" + std::string(word) + "' is not NAME=value";
  const auto parameter = std::ranges::find(space.parameters, name, &Parameter::name);
  if (parameter == space.parameters.end()) {
    return "there is no parameter '" + std::string(name) + "'; there are " +
           joined(space.parameters, name_of);
  }
  if (!given.insert(parameter->name).second) return name_of(*parameter) + " is given twice";
  const std::string_view value = word.substr(name.size() + 1);
  const auto is_value = [&](std::int32_t one) { return std::to_string(one) == value; };
  if (std::ranges::any_of(parameter->values, is_value)) return {};
  return name_of(*parameter) + " is one of " +
         joined(parameter->values, [](std::int32_t one) { return std::to_string(one); }) +
         ", not '" + std::string(value) + "'";
}

}  // namespace

std::string config_fault(const SearchSpace& space, std::string_view text) {
  std::set<std::string_view> given;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    std::string fault = word_fault(space, word, given);
    if (!fault.empty()) return fault;
  }
  std::vector<Parameter> missing(space.parameters.begin(), space.parameters.end());
  std::erase_if(missing, [&](const Parameter& one) { return given.contains(one.name); });
  if (missing.empty()) return {};
  return "it lacks " + joined(missing, name_of);
}

}  // namespace loratune
