# The package: find_package(loratune) gives loratune::dispatcher and loratune::engine.

install(TARGETS loratune_dispatcher loratune_engine EXPORT loratuneTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY variants dispatch DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/loratune
        FILES_MATCHING PATTERN "*.h")
install(DIRECTORY results/schema DESTINATION ${CMAKE_INSTALL_DATADIR}/loratune)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/loratune)
install(EXPORT loratuneTargets NAMESPACE loratune:: DESTINATION ${package_dir})
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/loratuneConfig.cmake @ONLY CONTENT
"include(CMakeFindDependencyMacro)
find_dependency(OpenCL)
include(\"\${CMAKE_CURRENT_LIST_DIR}/loratuneTargets.cmake\")
")
write_basic_package_version_file(${PROJECT_BINARY_DIR}/loratuneConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/loratuneConfig.cmake
              ${PROJECT_BINARY_DIR}/loratuneConfigVersion.cmake DESTINATION ${package_dir})
