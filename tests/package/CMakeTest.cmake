set(sanitize "")
if(LORATUNE_SANITIZE)
  set(sanitize -fsanitize=${LORATUNE_SANITIZE})
endif()
add_test(NAME package.find_package COMMAND ${CMAKE_COMMAND}
  -DBUILD_DIR=${PROJECT_BINARY_DIR} -DSOURCE_DIR=${PROJECT_SOURCE_DIR}
  -DWORK_DIR=${PROJECT_BINARY_DIR}/tests/package -DCXX=${CMAKE_CXX_COMPILER}
  -DGENERATOR=${CMAKE_GENERATOR} -DBUILD_TYPE=${CMAKE_BUILD_TYPE} -DFLAGS=${sanitize}
  -P ${CMAKE_CURRENT_LIST_DIR}/package_test.cmake)
set_tests_properties(package.find_package PROPERTIES LABELS package TIMEOUT 600)
