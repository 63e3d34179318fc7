# The folders' arrows and the length of files; and that the script which checks them can fail.
foreach(mode "" --self-test)
  add_test(NAME structure${mode}
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_structure.py ${mode} ${PROJECT_SOURCE_DIR})
  set_tests_properties(structure${mode} PROPERTIES LABELS unit)
endforeach()

# Nothing is declared in an installed header that no installed library has.
foreach(mode "" --self-test)
  add_test(NAME declarations${mode}
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_declarations.py ${mode} ${PROJECT_SOURCE_DIR}
                   $<TARGET_FILE:loratune_dispatcher> $<TARGET_FILE:loratune_adapters> $<TARGET_FILE:loratune_host>
                   $<TARGET_FILE:loratune_engine> $<TARGET_FILE:loratune_layers>)
  set_tests_properties(declarations${mode} PROPERTIES LABELS unit)
endforeach()

add_test(NAME opencl-loader
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_opencl_loader.py ${PROJECT_SOURCE_DIR}
                 $<TARGET_FILE:loratune_engine> $<TARGET_FILE:loratune_layers> $<TARGET_FILE:loratune_harness>)
set_tests_properties(opencl-loader PROPERTIES LABELS unit)

add_test(NAME recordings
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_recordings.py ${PROJECT_SOURCE_DIR})
set_tests_properties(recordings PROPERTIES LABELS unit)

add_test(NAME prove-picks
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_prove_picks.py ${PROJECT_SOURCE_DIR})
set_tests_properties(prove-picks PROPERTIES LABELS unit)

add_test(NAME compare-problems
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_compare_problems.py
                 ${PROJECT_SOURCE_DIR})
set_tests_properties(compare-problems PROPERTIES LABELS unit)

add_test(NAME result-tables
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_result_tables.py ${PROJECT_SOURCE_DIR})
set_tests_properties(result-tables PROPERTIES LABELS unit)

add_test(NAME scripts
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_scripts.py ${PROJECT_SOURCE_DIR})
set_tests_properties(scripts PROPERTIES LABELS unit)

add_test(NAME peers
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_peers.py ${PROJECT_SOURCE_DIR})
set_tests_properties(peers PROPERTIES LABELS unit)

add_test(NAME gate-script
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_gate_script.py ${PROJECT_SOURCE_DIR})
set_tests_properties(gate-script PROPERTIES LABELS unit)

add_test(NAME installed-documents
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_installed_documents.py ${PROJECT_SOURCE_DIR}
                 ${CMAKE_COMMAND})
set_tests_properties(installed-documents PROPERTIES LABELS unit)

add_test(NAME toolchains
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_toolchains.py ${PROJECT_SOURCE_DIR} ${CMAKE_COMMAND})
set_tests_properties(toolchains PROPERTIES LABELS unit)

if(GIT_EXECUTABLE)
  add_test(NAME commit
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_commit.py ${PROJECT_SOURCE_DIR} ${CMAKE_COMMAND})
  set_tests_properties(commit PROPERTIES LABELS unit)
endif()

add_test(NAME tables COMMAND ${CMAKE_CURRENT_LIST_DIR}/check_tables.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(tables PROPERTIES LABELS unit)

# What a build by clang, or clang-tidy, would find in changed files, where clang 14 is installed. It runs from the start
# in the time that tests of devices leave idle.
foreach(check changed self-test)
  set(options --${check} --build ${PROJECT_BINARY_DIR})
  if(check STREQUAL changed)
    list(APPEND options --compile --at-most 8)
  endif()
  add_test(NAME tidy.${check} COMMAND nice -n 10 ${PROJECT_SOURCE_DIR}/scripts/tidy ${options})
  set_tests_properties(tidy.${check} PROPERTIES LABELS clang SKIP_RETURN_CODE 77 COST 1000 TIMEOUT 1800)
endforeach()

# Formatters, linters and a speller over Python and Markdown files and the program of a page, where they are installed; and that each finds what
# it is there for.
foreach(check python page markdown spelling)
  foreach(mode "" --self-test)
    add_test(NAME hygiene.${check}${mode}
             COMMAND /usr/bin/python3 ${PROJECT_SOURCE_DIR}/scripts/hygiene ${mode} ${check})
    set_tests_properties(hygiene.${check}${mode} PROPERTIES LABELS unit SKIP_RETURN_CODE 77)
  endforeach()
endforeach()
