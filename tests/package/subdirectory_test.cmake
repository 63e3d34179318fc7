# Adds our project to a consumer's by add_subdirectory and compiles what the consumer has, libraries
# of ours not included.
# cmake -DSOURCE_DIR=... -DWORK_DIR=... -DCXX=... -DGENERATOR=... -P subdirectory_test.cmake
cmake_minimum_required(VERSION 3.25)

include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} -S ${SOURCE_DIR}/tests/package -B ${WORK_DIR} -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${CXX}
    -DENGINE=ON -DLORATUNE_SOURCE=${SOURCE_DIR})
run(${CMAKE_COMMAND} --build ${WORK_DIR} --target consumer_parts)
file(GLOB_RECURSE built ${WORK_DIR}/*.a)
if(built)
  message(FATAL_ERROR "only the consumer's own sources were to be compiled, not: ${built}")
endif()
