# What a consumer compiles, however it came by our targets: OBJECT libraries, which link nothing.

# Sets `headers` to the public headers under the include root that the targets let a consumer use.
macro(find_headers include_root)
  file(GLOB headers RELATIVE ${include_root} ${include_root}/loratune/*/*.h)
  if(NOT "loratune::engine" IN_LIST ARGN)
    list(FILTER headers EXCLUDE REGEX "^loratune/(engine|layers)/")
  endif()
  if(NOT "loratune/dispatch/dispatcher.h" IN_LIST headers)
    message(FATAL_ERROR "no headers of ours under ${include_root}")
  endif()
endmacro()

# An OBJECT library that compiles against the targets.
function(add_part part)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;TARGETS")
  add_library(${part} OBJECT ${arg_SOURCES})
  target_link_libraries(${part} PRIVATE ${arg_TARGETS})
  if("loratune::engine" IN_LIST arg_TARGETS)
    target_compile_definitions(${part} PRIVATE ENGINE)
  endif()
endfunction()

# add_consumer(NAME INCLUDE_ROOT TARGET...) makes
#   NAME_orders     all public headers in both orders: each comes first, last, and after each other
#   NAME_own_first  own_names.cpp, the consumer's folder before ours among the include paths
#   NAME_own_last   own_names.cpp, the consumer's folder after all others
#   NAME_own_settings  own_settings.cpp, where the engine is among the targets
function(add_consumer name include_root)
  find_headers(${include_root} ${ARGN})
  list(TRANSFORM headers REPLACE "(.+)" "#include <\\1>\n")
  set(sources "")
  foreach(order forward backward)
    string(CONCAT content ${headers})
    list(APPEND sources ${CMAKE_CURRENT_BINARY_DIR}/${name}_sources/${order}.cpp)
    file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}_sources/${order}.cpp CONTENT "${content}")
    list(REVERSE headers)
  endforeach()
  set(here ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  add_part(${name}_orders SOURCES ${sources} TARGETS ${ARGN})
  add_part(${name}_own_first SOURCES ${here}/own_names.cpp TARGETS ${ARGN})
  target_include_directories(${name}_own_first PRIVATE ${here}/own)
  add_part(${name}_own_last SOURCES ${here}/own_names.cpp TARGETS ${ARGN})
  target_compile_options(${name}_own_last PRIVATE -idirafter ${here}/own)
  if("loratune::engine" IN_LIST ARGN)
    add_part(${name}_own_settings SOURCES ${here}/own_settings.cpp TARGETS ${ARGN})
    target_compile_options(${name}_own_settings PRIVATE -Werror)
  endif()
endfunction()

# add_headers_alone(NAME INCLUDE_ROOT TARGET...) makes NAME_alone: each public header by itself.
function(add_headers_alone name include_root)
  find_headers(${include_root} ${ARGN})
  set(sources "")
  foreach(header IN LISTS headers)
    string(MAKE_C_IDENTIFIER ${header} stem)
    list(APPEND sources ${CMAKE_CURRENT_BINARY_DIR}/${name}_sources/${stem}.cpp)
    file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}_sources/${stem}.cpp CONTENT "#include <${header}>\n")
  endforeach()
  add_part(${name}_alone SOURCES ${sources} TARGETS ${ARGN})
endfunction()
