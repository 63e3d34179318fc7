# The page of --report in a real browser, where Debian's chromium, chromium-driver and python3-selenium are installed.
add_executable(expected_picks ${CMAKE_CURRENT_LIST_DIR}/browser/expected_picks.cpp)
target_link_libraries(expected_picks PRIVATE loratune_dispatcher loratune_internal)
add_test(NAME browser.report COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/browser/check_report.py
  ${PROJECT_SOURCE_DIR} $<TARGET_FILE:lora-bench> $<TARGET_FILE:expected_picks>)
set_tests_properties(browser.report PROPERTIES LABELS browser SKIP_RETURN_CODE 77 TIMEOUT 900)
