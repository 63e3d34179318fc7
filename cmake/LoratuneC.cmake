# The C interface: libloratune.so and, on OpenCL, libloratune-cl.so, for whatever language calls C. Their exported
# symbols are the functions of capi/loratune.h and capi/loratune_cl.h, which the version scripts are made of.

file(CREATE_LINK ${PROJECT_SOURCE_DIR}/capi/loratune.h ${include_root}/loratune/loratune.h SYMBOLIC)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/capi/loratune_cl.h ${include_root}/loratune/loratune_cl.h SYMBOLIC)

# Both libraries hold the code of the dispatcher, and one hands the other its objects: each object says what it was
# made by.
set(identity ${PROJECT_BINARY_DIR}/generated/capi/build_identity.h)
add_custom_command(OUTPUT ${identity}
  COMMAND ${CMAKE_COMMAND} -D OUT=${identity}
          "-DFILES=$<TARGET_FILE:loratune_dispatcher>;${PROJECT_SOURCE_DIR}/capi/internal/dispatcher_handle.h"
          -P ${PROJECT_SOURCE_DIR}/cmake/build_identity.cmake
  DEPENDS loratune_dispatcher ${PROJECT_SOURCE_DIR}/capi/internal/dispatcher_handle.h
          ${PROJECT_SOURCE_DIR}/cmake/build_identity.cmake
  VERBATIM)
add_custom_target(loratune_identity DEPENDS ${identity})

# loratune_c_library(TARGET NAME HEADER SOURCES...): lib<NAME>.so.0.
function(loratune_c_library target name header)
  set(script ${PROJECT_BINARY_DIR}/generated/capi/${name}.map)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/capi/${header})
  file(READ ${PROJECT_SOURCE_DIR}/capi/${header} text)
  string(REGEX REPLACE "/\\*[^*]*\\*+([^/*][^*]*\\*+)*/" "" text "${text}")
  string(REGEX MATCHALL "loratune_[a-z_]+\\(" functions "${text}")
  list(TRANSFORM functions REPLACE "\\(" "")
  list(JOIN functions ";\n    " functions)
  file(CONFIGURE OUTPUT ${script} CONTENT "LORATUNE_0 {\n  global:\n    @functions@;\n  local:\n    *;\n};\n" @ONLY)
  add_library(${target} SHARED ${ARGN})
  add_library(loratune::${name} ALIAS ${target})
  target_include_directories(${target}
    PUBLIC $<BUILD_INTERFACE:${include_root}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:loratune_internal>)
  target_link_options(${target} PRIVATE -Wl,--version-script=${script})
  if(NOT LORATUNE_SANITIZE)  # a sanitizer's symbols are those of the program
    target_link_options(${target} PRIVATE -Wl,--no-undefined)
  endif()
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${name} EXPORT_NAME ${name} VERSION 0.${PROJECT_VERSION} SOVERSION 0 LINK_DEPENDS ${script})
  add_dependencies(${target} loratune_identity)
  if(LORATUNE_STATIC_TOOLS)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
endfunction()

loratune_c_library(loratune_c loratune loratune.h
  capi/adapter.cpp capi/boundary.cpp capi/dispatcher.cpp capi/host.cpp capi/problem.cpp)
target_link_libraries(loratune_c PRIVATE $<BUILD_INTERFACE:loratune_adapters> $<BUILD_INTERFACE:loratune_host>)
set_source_files_properties(capi/boundary.cpp PROPERTIES COMPILE_DEFINITIONS
  "LORATUNE_VERSION=\"${PROJECT_VERSION}\";LORATUNE_VERSION_MAJOR=${PROJECT_VERSION_MAJOR};LORATUNE_VERSION_MINOR=${PROJECT_VERSION_MINOR};LORATUNE_VERSION_PATCH=${PROJECT_VERSION_PATCH}")

loratune_c_library(loratune_cl_c loratune-cl loratune_cl.h
  capi/boundary.cpp capi/problem.cpp capi/cl_engine.cpp capi/cl_merge.cpp capi/cl_op.cpp capi/cl_pool.cpp capi/cl_weights.cpp)
target_link_libraries(loratune_cl_c PUBLIC loratune_c
  PRIVATE $<BUILD_INTERFACE:loratune_layers>)
# A program makes its context and buffers by OpenCL. The installed target gets it in loratuneConfig.cmake, where the
# consumer has it.
if(NOT LORATUNE_OPENCL_DLOPEN)
  target_link_libraries(loratune_cl_c INTERFACE $<BUILD_INTERFACE:OpenCL::OpenCL>)
endif()
