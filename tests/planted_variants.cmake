# What is no variant fails the build, with a line that says what to do.
add_test(NAME planted-variants
         COMMAND ${CMAKE_CURRENT_LIST_DIR}/planted_variants.sh ${PROJECT_SOURCE_DIR} ${CMAKE_CXX_COMPILER})
set_tests_properties(planted-variants PROPERTIES LABELS unit)
