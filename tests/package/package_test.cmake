# Installs the package into an empty folder, then builds and runs a consumer of it, with and without
# OpenCL, none of our own build's dependencies at hand.
# cmake -DBUILD_DIR=... -DSOURCE_DIR=... -DWORK_DIR=... -DCXX=... -DGENERATOR=... -DBUILD_TYPE=...
#       -DNM=... -DFLAGS=... -P package_test.cmake
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

file(REMOVE_RECURSE ${WORK_DIR})
set(prefix ${WORK_DIR}/prefix)
foreach(component development runtime)
  run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix} --component ${component})
endforeach()

if(NOT EXISTS ${prefix}/share/loratune/schema/tuned-v2.schema.json)
  message(FATAL_ERROR "the schema is not installed")
endif()
# Headers name documents, and these link to examples, headers and more: check_installed_documents.py follows each link.
set(documents ${prefix}/share/doc/libloratune-dev)
foreach(file docs/other-languages.md docs/pictures/page.png engine/engine.h results/schema/tuned-v2.schema.json examples/plan_to_run.cpp examples/c/lora.c examples/cpp/CMakeLists.txt
    examples/python/run_plan.py examples/rust/src/main.rs)
  if(NOT EXISTS ${documents}/${file})
    message(FATAL_ERROR "${file} is not installed")
  endif()
endforeach()
foreach(file examples/CMakeLists.txt examples/install.cmake examples/python/__pycache__)
  if(EXISTS ${documents}/${file})
    message(FATAL_ERROR "${file} is installed")
  endif()
endforeach()
file(GLOB_RECURSE headers ${prefix}/include/*.h)
foreach(header IN LISTS headers)
  file(STRINGS ${header} leaks REGEX "#include.*(nlohmann|Imath|hwy|cblas|CLI11|gtest|CL/|OpenCL/)")
  if(leaks)
    message(FATAL_ERROR "${header} asks consumers for what only we need: ${leaks}")
  endif()
endforeach()

# A consumer may compile CL/opencl.hpp with macros of its own: the linker would keep one copy of a
# function of it that stood in our library too.
file(GLOB library ${prefix}/lib*/libloratune-cl.a ${prefix}/lib*/*/libloratune-cl.a)
execute_process(COMMAND ${NM} --demangle ${library} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
if(NOT symbols MATCHES "loratune::Engine::build")
  message(FATAL_ERROR "no symbols of the engine in '${library}'")
endif()
if(symbols MATCHES "[ (<]cl::[^\n]*")
  message(FATAL_ERROR "${library} holds what CL/opencl.hpp defines: ${CMAKE_MATCH_0}")
endif()

foreach(engine OFF ON)
  set(build ${WORK_DIR}/engine_${engine})
  if(engine)
    set(opencl OFF)
  else()
    set(opencl ON)
  endif()
  run(${CMAKE_COMMAND} -S ${SOURCE_DIR}/tests/package -B ${build} -G ${GENERATOR}
      -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=${BUILD_TYPE} "-DCMAKE_CXX_FLAGS=${FLAGS}"
      -DCMAKE_PREFIX_PATH=${prefix} -DENGINE=${engine}
      -DCMAKE_DISABLE_FIND_PACKAGE_OpenCL=${opencl}
      -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON -DCMAKE_DISABLE_FIND_PACKAGE_Imath=ON)
  run(${CMAKE_COMMAND} --build ${build})
  run(${build}/consumer ${SOURCE_DIR}/tests/data/fictional.json)
  file(GLOB styles ${build}/run_*)
  foreach(program IN LISTS styles)
    run(${program})
  endforeach()
endforeach()

# What is missing is named, whichever it is.
foreach(missing hwy OpenCL "hwy;OpenCL")
  set(switches "")
  foreach(package IN LISTS missing)
    list(APPEND switches -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
  endforeach()
  string(REPLACE ";" " and no " named "${missing}")
  string(REPLACE "hwy" "Highway" named "${named}")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${SOURCE_DIR}/tests/package/missing -B ${WORK_DIR}/missing --fresh -G ${GENERATOR}
            -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_PREFIX_PATH=${prefix} ${switches}
    OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
  if(NOT said MATCHES "no ${named} found, so there is no loratune::engine" OR said MATCHES "has engine")
    message(FATAL_ERROR "without ${missing} the package says: ${said}")
  endif()
endforeach()
