# The registry: every kernels/<name>.cl with the variants/<name>.cpp of the same stem is a variant, and
# <name> is its name.
# Sets LORATUNE_VARIANT_SOURCES and LORATUNE_REFERENCE_TABLE to what loratune_variants and the
# harness compile.

file(GLOB kernels CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/kernels ${PROJECT_SOURCE_DIR}/kernels/*.cl)
file(GLOB kernel_includes CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.clh)
list(SORT kernels)

# A copied variant that still has the other's kernel or namespace would be the other a second time.
file(GLOB variant_files CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/variants ${PROJECT_SOURCE_DIR}/variants/*.cpp)
foreach(file IN LISTS variant_files)
  string(REGEX REPLACE "\\.cpp$" "" stem ${file})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/variants/${file})
  file(STRINGS ${PROJECT_SOURCE_DIR}/variants/${file} included REGEX "^#include \"kernels/")
  file(STRINGS ${PROJECT_SOURCE_DIR}/variants/${file} spaces REGEX "^namespace loratune::")
  if(included STREQUAL "" AND NOT "${stem}.cl" IN_LIST kernels)
    continue()  # no variant
  endif()
  if(NOT "${stem}.cl" IN_LIST kernels)
    message(FATAL_ERROR "variants/${file} includes a kernel, but there is no kernels/${stem}.cl: a variant is these two "
                        "files. Write the kernel, or rename the file to the stem of its kernel")
  endif()
  if(NOT included STREQUAL "#include \"kernels/${stem}.cl.h\"")
    message(FATAL_ERROR "variants/${file} has [${included}]: a variant's name is its stem. Write "
                        "#include \"kernels/${stem}.cl.h\", and no other kernel")
  endif()
  if(NOT spaces STREQUAL "namespace loratune::${stem} {")
    message(FATAL_ERROR "variants/${file} has [${spaces}]: a variant's name is its stem. Write "
                        "namespace loratune::${stem} {")
  endif()
endforeach()

set(generated ${PROJECT_BINARY_DIR}/generated)
set(LORATUNE_VARIANT_SOURCES ${generated}/variants_table.cpp)
set(LORATUNE_REFERENCE_TABLE ${generated}/references_table.cpp)
set(table_includes "")
set(variant_rows "")
set(reference_rows "")
foreach(kernel IN LISTS kernels)
  string(REGEX REPLACE "\\.cl$" "" name ${kernel})
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/variants/${name}.cpp)
    message(FATAL_ERROR "kernels/${kernel} has no variants/${name}.cpp: a variant is these two files")
  endif()
  set(header ${generated}/kernels/${name}.cl.h)
  file(STRINGS ${PROJECT_SOURCE_DIR}/kernels/${kernel} native REGEX "^// runs ")
  list(TRANSFORM native REPLACE "^// runs " "${PROJECT_SOURCE_DIR}/")
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${CMAKE_COMMAND} -DNAME=${name} -DKERNELS=${PROJECT_SOURCE_DIR}/kernels -DOUT=${header}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_kernels.cmake
    DEPENDS ${PROJECT_SOURCE_DIR}/kernels/${kernel} ${kernel_includes} ${native}
            ${PROJECT_SOURCE_DIR}/cmake/embed_kernels.cmake
    COMMENT "Embedding kernels/${kernel}")
  list(APPEND LORATUNE_VARIANT_SOURCES ${header})
  string(APPEND table_includes "#include \"kernels/${name}.cl.h\"\n")
  string(APPEND variant_rows "    &${name}::variant,\n")
  string(APPEND reference_rows "    {\"${name}\", ${name}::reference},\n")
endforeach()

file(CONFIGURE OUTPUT ${generated}/variants_table.cpp @ONLY CONTENT
"// Generated from the files in kernels/.
#include <array>

@table_includes@
namespace loratune {
namespace {
constexpr auto kVariants = std::to_array<const Variant*>({
@variant_rows@});
}  // namespace

std::span<const Variant* const> variants() { return kVariants; }
}  // namespace loratune
")
file(CONFIGURE OUTPUT ${generated}/references_table.cpp @ONLY CONTENT
"// Generated from the files in kernels/.
#include <array>
#include <utility>

@table_includes@
namespace loratune {
namespace {
constexpr auto kReferences = std::to_array<std::pair<std::string_view, Reference>>({
@reference_rows@});
}  // namespace

Reference find_reference(std::string_view variant) {
  for (const auto& [name, reference] : kReferences) {
    if (name == variant) return reference;
  }
  return nullptr;
}
}  // namespace loratune
")
