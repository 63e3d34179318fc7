# Turns harness/report/page and harness/report/vendor into a header with the page of a report, all but its data.
# Called as: cmake -DREPORT=harness/report -DOUT=file -P embed_page.cmake
cmake_minimum_required(VERSION 3.25)

file(READ "${REPORT}/page/page.html" page)
file(READ "${REPORT}/page/page.css" style)
file(READ "${REPORT}/vendor/vega-bundle.js" vega)
file(READ "${REPORT}/vendor/LICENSE" licence)

# Each file is a script element of its own, in the order of their names.
file(GLOB programs "${REPORT}/page/*.js")
list(SORT programs)
set(program "")
foreach(file IN LISTS programs)
  file(READ "${file}" text)
  string(APPEND program "<script>\n${text}</script>\n")
endforeach()

file(GLOB charts "${REPORT}/page/charts/*.json")
list(SORT charts)
set(specs "{}")
foreach(file IN LISTS charts)
  file(READ "${file}" text)
  get_filename_component(name "${file}" NAME_WE)
  string(JSON specs SET "${specs}" "${name}" "${text}")
endforeach()

# The vendored text goes in last, so that nothing in it is taken for a place.
foreach(part STYLE PROGRAM CHARTS LICENCE VEGA)
  string(TOLOWER ${part} variable)
  if(part STREQUAL CHARTS)
    set(variable specs)
  endif()
  string(FIND "${page}" "@${part}@" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "page.html has no place for @${part}@")
  endif()
  string(REPLACE "@${part}@" "${${variable}}" page "${page}")
endforeach()

string(FIND "${page}" "@DATA@" place)
if(place EQUAL -1)
  message(FATAL_ERROR "page.html has no place for @DATA@")
endif()
string(SUBSTRING "${page}" 0 ${place} before)
math(EXPR place "${place} + 6")
string(SUBSTRING "${page}" ${place} -1 behind)

file(WRITE "${OUT}" "// Generated from harness/report/page and harness/report/vendor.
#pragma once

namespace loratune {

// The page up to its data, and behind them.
inline constexpr char kPageBefore[] = R\"LORATUNE(${before})LORATUNE\";
inline constexpr char kPageBehind[] = R\"LORATUNE(${behind})LORATUNE\";

}  // namespace loratune
")
