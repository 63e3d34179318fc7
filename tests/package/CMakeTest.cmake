set(sanitize "")
if(LORATUNE_SANITIZE)
  set(sanitize -fsanitize=${LORATUNE_SANITIZE})
endif()
add_test(NAME package.find_package COMMAND ${CMAKE_COMMAND}
  -DBUILD_DIR=${PROJECT_BINARY_DIR} -DSOURCE_DIR=${PROJECT_SOURCE_DIR}
  -DWORK_DIR=${PROJECT_BINARY_DIR}/tests/package -DCXX=${CMAKE_CXX_COMPILER}
  -DNM=${CMAKE_NM} -DGENERATOR=${CMAKE_GENERATOR} -DBUILD_TYPE=${CMAKE_BUILD_TYPE} -DFLAGS=${sanitize}
  -P ${CMAKE_CURRENT_LIST_DIR}/package_test.cmake)
add_test(NAME package.add_subdirectory COMMAND ${CMAKE_COMMAND}
  -DSOURCE_DIR=${PROJECT_SOURCE_DIR} -DWORK_DIR=${PROJECT_BINARY_DIR}/tests/subdirectory
  -DCXX=${CMAKE_CXX_COMPILER} -DGENERATOR=${CMAKE_GENERATOR} -P ${CMAKE_CURRENT_LIST_DIR}/subdirectory_test.cmake)
set_tests_properties(package.find_package package.add_subdirectory PROPERTIES
  LABELS package TIMEOUT 1800 ENVIRONMENT "${device_environment}")

# Against the build tree: what our own targets give to whoever links them.
include(${CMAKE_CURRENT_LIST_DIR}/consume.cmake)
add_consumer(package ${PROJECT_BINARY_DIR}/include loratune::dispatcher loratune::adapters loratune::host loratune::engine loratune::layers)
