# The C interface: its headers, what its libraries export, and its functions; then the Python package on it.
set(check_c ${CMAKE_CURRENT_LIST_DIR}/check_c_interface.py)
set(c_libraries $<TARGET_FILE:loratune_c> $<TARGET_FILE:loratune_cl_c>)
function(loratune_c_check name)
  add_test(NAME capi.${name} COMMAND /usr/bin/python3 ${check_c} ${name} ${ARGN})
  set_tests_properties(capi.${name} PROPERTIES LABELS unit SKIP_RETURN_CODE 77)
endfunction()
loratune_c_check(headers ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER} ${CMAKE_CXX_COMPILER})
loratune_c_check(symbols ${PROJECT_SOURCE_DIR} ${c_libraries})
loratune_c_check(self-test)
loratune_c_check(abi ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})

# Beside a shared library stands the static one that it is compared with.
function(loratune_c_tests name folder label library)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/${folder}/*_test.cpp)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${library} ${ARGN} loratune_internal nlohmann_json::nlohmann_json
    GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_LIST_DIR})
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_compile_definitions(${name} PRIVATE LORATUNE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${label} ENVIRONMENT "${device_environment}" TIMEOUT 600)
endfunction()
loratune_c_tests(capi_tests capi unit loratune_c loratune_dispatcher)
loratune_c_tests(capi_cl_tests capi_cl device loratune_cl_c loratune_engine loratune_adapters)

# The package as a wheel has it, with links into the source and the build.
set(package ${PROJECT_BINARY_DIR}/python/loratune)
file(MAKE_DIRECTORY ${package}/lib ${package}/bin)
file(GLOB modules CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/loratune/*)
list(FILTER modules EXCLUDE REGEX "__pycache__")
foreach(module IN LISTS modules)
  get_filename_component(name ${module} NAME)
  file(CREATE_LINK ${module} ${package}/${name} SYMBOLIC)
endforeach()
file(CREATE_LINK ${PROJECT_BINARY_DIR}/libloratune.so.0 ${package}/lib/libloratune.so.0 SYMBOLIC)
file(CREATE_LINK ${PROJECT_BINARY_DIR}/libloratune-cl.so.0 ${package}/lib/libloratune-cl.so.0 SYMBOLIC)
file(CREATE_LINK ${PROJECT_BINARY_DIR}/lora-bench ${package}/bin/lora-bench SYMBOLIC)

# A sanitized library cannot be loaded into a Python that is not.
if(NOT LORATUNE_SANITIZE)
  add_test(NAME python COMMAND ${CMAKE_CURRENT_LIST_DIR}/run_pytest.sh ${PROJECT_SOURCE_DIR}/python/tests)
  set_tests_properties(python PROPERTIES LABELS device SKIP_RETURN_CODE 77 TIMEOUT 600
    ENVIRONMENT "${device_environment};PYTHONPATH=${PROJECT_BINARY_DIR}/python;PYTHONDONTWRITEBYTECODE=1")
  add_test(NAME package.wheel COMMAND ${CMAKE_CURRENT_LIST_DIR}/wheel_test.sh ${PROJECT_SOURCE_DIR}
    ${PROJECT_BINARY_DIR} ${PROJECT_BINARY_DIR}/tests/wheel)
  set_tests_properties(package.wheel PROPERTIES LABELS package SKIP_RETURN_CODE 77 TIMEOUT 600
    ENVIRONMENT "${device_environment}")
endif()
