// A page is one HTML file that opens in a browser with no network: its style, program, charts and
// data are all in it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace loratune {

// What a page of ours begins with, and no other file.
inline constexpr std::string_view kPageMark = "<!doctype html>\n<!-- A report of loratune. -->\n";

// JSON as the text of a script element, whatever strings it holds: in ASCII, and with nothing that
// HTML would read as a tag, a comment or an entity.
std::string script_text(const nlohmann::json& value);

// The page that shows the data of page_data().
std::string make_page(const nlohmann::json& data);

}  // namespace loratune
