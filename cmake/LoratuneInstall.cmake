# The package: find_package(loratune) gives loratune::dispatcher, loratune::adapters and, where the
# consumer has Highway, loratune::host, and where it has OpenCL, loratune::engine and loratune::layers. find_package(loratune COMPONENTS engine)
# insists on it. The install component `development` needs the libraries built and nothing else.

install(TARGETS loratune_dispatcher loratune_adapters EXPORT loratuneDispatcherTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(TARGETS loratune_host EXPORT loratuneHostTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(TARGETS loratune_engine loratune_layers EXPORT loratuneEngineTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)

# The interface is every header that is in no internal/ folder.
install(DIRECTORY variants dispatch adapters host engine layers DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/loratune
        COMPONENT development FILES_MATCHING PATTERN "*.h" PATTERN internal EXCLUDE)
install(DIRECTORY results/schema DESTINATION ${CMAKE_INSTALL_DATADIR}/loratune
        COMPONENT development)

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
