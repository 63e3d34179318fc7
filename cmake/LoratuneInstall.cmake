# The package: find_package(loratune) gives loratune::dispatcher, loratune::adapters and, where the
# consumer has Highway, loratune::host, and where it has OpenCL, loratune::engine and loratune::layers.
# find_package(loratune COMPONENTS engine) insists on it. It needs both install components, `runtime` and
# `development`, which need the libraries built and nothing else.

# The shared libraries with their C interface are loratune::loratune and loratune::loratune-cl; what a program that is
# built needs of them is the component `runtime`.
install(TARGETS loratune_dispatcher loratune_adapters EXPORT loratuneDispatcherTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(TARGETS loratune_host EXPORT loratuneHostTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(TARGETS loratune_engine loratune_layers EXPORT loratuneEngineTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)

install(TARGETS loratune_c loratune_cl_c EXPORT loratuneDispatcherTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)

# The files of pkg-config say where they are themselves, so the folder may be moved.
file(RELATIVE_PATH PC_UP /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" PC_UP ${PC_UP})
foreach(name loratune loratune-cl)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
          COMPONENT development)
endforeach()

include(LoratuneFiles)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/loratune)
foreach(library Dispatcher Host Engine)
  install(EXPORT loratune${library}Targets NAMESPACE loratune:: DESTINATION ${package_dir}
          COMPONENT development)
endforeach()
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/loratuneConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/loratuneConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/loratuneConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/loratuneConfig.cmake
              ${PROJECT_BINARY_DIR}/loratuneConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT development)
