# Part of the matrix on other OpenCL implementations: one test an implementation and variant.
file(GLOB kernels CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/kernels ${PROJECT_SOURCE_DIR}/kernels/*.cl)
if(NOT kernels)
  message(FATAL_ERROR "no kernels in ${PROJECT_SOURCE_DIR}/kernels")
endif()
foreach(kind rusticl intel oclgrind)
  foreach(kernel IN LISTS kernels)
    string(REGEX REPLACE "\\.cl$" "" variant ${kernel})
    add_test(NAME ${kind}.${variant}
             COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/other_device.sh ${kind} $<TARGET_FILE:lora-bench> ${variant})
    set_tests_properties(${kind}.${variant} PROPERTIES LABELS other_devices SKIP_RETURN_CODE 77 TIMEOUT 900)
  endforeach()
endforeach()
