# What `cmake --install` and CPack make beside the libraries: the tool with its man page and
# completions, tuned files, and the packages. `cpack -G DEB` makes three .deb, `cpack -G TGZ` one archive.
#   libloratune0     component runtime      the shared libraries for C
#   libloratune-dev  component development  headers, libraries for C++, CMake and pkg-config files, documents, examples
#   loratune-tools   component tools        lora-bench, tuned files

if(TARGET lora-bench)
  install(TARGETS lora-bench RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
  # Where programs of the target cannot run here there are no pages.
  if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
    set(pages ${PROJECT_BINARY_DIR}/pages)
    file(MAKE_DIRECTORY ${pages})
    set(made "")
    foreach(page man bash zsh)
      add_custom_command(OUTPUT ${pages}/${page} DEPENDS lora-bench VERBATIM
        COMMAND lora-bench --print ${page} > ${pages}/${page})
      list(APPEND made ${pages}/${page})
    endforeach()
    add_custom_target(loratune_pages ALL DEPENDS ${made})
    install(FILES ${pages}/man DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 RENAME lora-bench.1 COMPONENT tools)
    install(FILES ${pages}/bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
            RENAME lora-bench COMPONENT tools)
    install(FILES ${pages}/zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
            RENAME _lora-bench COMPONENT tools)
  endif()
endif()
install(DIRECTORY results/tuned DESTINATION ${CMAKE_INSTALL_DATADIR}/loratune
        COMPONENT tools FILES_MATCHING PATTERN "*.json")

if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()
foreach(package_of_component libloratune0=runtime libloratune-dev=development loratune-tools=tools)
  string(REPLACE "=" ";" pair ${package_of_component})
  list(GET pair 0 package)
  list(GET pair 1 component)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} RENAME copyright COMPONENT ${component})
endforeach()
set(CPACK_PACKAGE_NAME loratune)
set(CPACK_PACKAGE_VENDOR loratune)
set(CPACK_PACKAGE_CONTACT "loratune <loratune@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR "DEB;TGZ")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_ARCHIVE_COMPONENT_INSTALL OFF)
set(CPACK_COMPONENTS_ALL runtime development tools)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libloratune0)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${CMAKE_CURRENT_LIST_DIR}/triggers")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libloratune-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libloratune0 (= ${PROJECT_VERSION}), ocl-icd-opencl-dev, libhwy-dev")
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME loratune-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION science)
set(CPACK_DEBIAN_TOOLS_PACKAGE_RECOMMENDS pocl-opencl-icd)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "Fused LoRA kernels for OpenCL and the host, as libraries with a C interface.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Headers and libraries of loratune for C and C++, documents and examples.")
set(CPACK_COMPONENT_TOOLS_DESCRIPTION "lora-bench, which checks, times and tunes LoRA kernels, and tuned files of it.")
include(CPack)
