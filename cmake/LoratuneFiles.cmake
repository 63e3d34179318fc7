# What the component `development` has of the source as it is: headers, the schema, and, for the project itself, its
# documents and examples. Nothing of it is built: the test installed-documents installs it alone.
get_filename_component(source ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
set(headers ${CMAKE_INSTALL_INCLUDEDIR}/loratune)
set(rooms variants dispatch adapters host engine layers)

# The interface is every header that is in no internal/ folder.
list(TRANSFORM rooms PREPEND ${source}/ OUTPUT_VARIABLE folders)
install(DIRECTORY ${folders} DESTINATION ${headers} COMPONENT development
        FILES_MATCHING PATTERN "*.h" PATTERN internal EXCLUDE)
install(FILES ${source}/capi/loratune.h ${source}/capi/loratune_cl.h DESTINATION ${headers} COMPONENT development)
install(DIRECTORY ${source}/results/schema DESTINATION ${CMAKE_INSTALL_DATADIR}/loratune COMPONENT development)

if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()
# Side by side, as in the source, so that the documents' links hold. The rest of examples/ tests them.
set(documents ${CMAKE_INSTALL_DATADIR}/doc/libloratune-dev)
install(FILES ${source}/README.md ${source}/CONTRIBUTING.md DESTINATION ${documents} COMPONENT development)
install(DIRECTORY ${source}/docs DESTINATION ${documents} COMPONENT development)
install(DIRECTORY ${source}/results DESTINATION ${documents} COMPONENT development
        FILES_MATCHING PATTERN "*.md" PATTERN "*.svg" PATTERN "*.txt"
        PATTERN schema EXCLUDE PATTERN tuned EXCLUDE)
install(DIRECTORY ${source}/examples DESTINATION ${documents} COMPONENT development
        PATTERN examples/CMakeLists.txt EXCLUDE PATTERN build_and_run.sh EXCLUDE PATTERN compare.py EXCLUDE
        PATTERN install.cmake EXCLUDE PATTERN target EXCLUDE PATTERN __pycache__ EXCLUDE)

# What is installed elsewhere has a symbolic link in its place: `path` in the source leads to `target`.
function(stands_at path target)
  get_filename_component(folder ${path} DIRECTORY)
  file(RELATIVE_PATH target /prefix/${documents}/${folder} /prefix/${target})
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/documents/${folder})
  file(CREATE_LINK ${target} ${PROJECT_BINARY_DIR}/documents/${path} SYMBOLIC)
  install(FILES ${PROJECT_BINARY_DIR}/documents/${path} DESTINATION ${documents}/${folder} COMPONENT development)
endfunction()
foreach(room IN LISTS rooms)
  stands_at(${room} ${headers}/${room})
endforeach()
stands_at(capi ${headers})
stands_at(results/schema ${CMAKE_INSTALL_DATADIR}/loratune/schema)
