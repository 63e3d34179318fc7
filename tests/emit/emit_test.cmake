# Emits the plans of a few problems of every type, compiles what came with a C compiler and nothing of
# ours, and runs it on PoCL.
# cmake -DBENCH=... -DSOURCE_DIR=... -DWORK_DIR=... -DCC=... -DFLAGS=... -P emit_test.cmake
include(${SOURCE_DIR}/tests/package/run.cmake)

set(platform "Portable Computing Language")
file(REMOVE_RECURSE ${WORK_DIR})
set(selection --device ${platform} --tokens 1,5,33 --in 64,131 --out-features 96 --ranks 3,16)
execute_process(COMMAND ${BENCH} --emit ${WORK_DIR}/emitted ${selection} --dtypes f32,f16
                RESULT_VARIABLE result ERROR_VARIABLE said)
if(result EQUAL 77 OR said MATCHES "no device")
  message("skipped: no PoCL here")
  return()
endif()
if(NOT result EQUAL 0)
  message(FATAL_ERROR "--emit ended with ${result}: ${said}")
endif()
run(${CC} -std=c99 -Wall -Wextra -Werror ${FLAGS} -I${WORK_DIR}/emitted ${SOURCE_DIR}/tests/emit/run_emitted.c
    ${WORK_DIR}/emitted/lora_plans.c -lOpenCL -o ${WORK_DIR}/run_emitted)
run(${WORK_DIR}/run_emitted ${WORK_DIR}/emitted ${platform})

# The same folder is written again; somebody else's is not.
run(${BENCH} --emit ${WORK_DIR}/emitted ${selection} --dtypes f32)
file(WRITE ${WORK_DIR}/foreign/file "mine")
execute_process(COMMAND ${BENCH} --emit ${WORK_DIR}/foreign ${selection} RESULT_VARIABLE result ERROR_QUIET)
if(NOT result EQUAL 2 OR EXISTS ${WORK_DIR}/foreign/lora_plans.h)
  message(FATAL_ERROR "--emit into a folder of somebody else's ended with ${result}")
endif()

# A tuned file of ours holds problems that the table has no word for: they are named, and left out.
set(tuned --tuned ${SOURCE_DIR}/results/tuned/pocl-epyc-2-cores.json)
execute_process(COMMAND ${BENCH} --emit ${WORK_DIR}/tuned --device ${platform} ${tuned}
                RESULT_VARIABLE result ERROR_VARIABLE said)
file(READ ${WORK_DIR}/tuned/lora_plans.c table)
if(NOT result EQUAL 0 OR NOT said MATCHES "left out: [1-9][0-9]* of [0-9]+ problems, the first fwd_" OR
   NOT table MATCHES "fwd_m1_k1024_n1024_r8_f32_acc\"" OR table MATCHES "\"fwd_[^\"]*(dora|_a[1-9]|[+])")
  message(FATAL_ERROR "--emit of a whole tuned file ended with ${result}: ${said}")
endif()
foreach(kind r8_f32_acc_a2 r8_f32_acc_dora)
  execute_process(COMMAND ${BENCH} --emit ${WORK_DIR}/none --device ${platform} --problem m16_k64_n32_${kind}
                  RESULT_VARIABLE result ERROR_VARIABLE said)
  if(NOT result EQUAL 2 OR NOT said MATCHES "nothing to emit" OR EXISTS ${WORK_DIR}/none)
    message(FATAL_ERROR "--emit of ${kind} ended with ${result}: ${said}")
  endif()
endforeach()

# Plans that are wrong are found, here kernels that forget what y held: the program can fail.
file(READ ${WORK_DIR}/emitted/lora_plans.c table)
string(REPLACE "ACCUMULATE=1" "ACCUMULATE=0" table "${table}")
file(WRITE ${WORK_DIR}/emitted/lora_plans.c "${table}")
run(${CC} -std=c99 ${FLAGS} -I${WORK_DIR}/emitted ${SOURCE_DIR}/tests/emit/run_emitted.c
    ${WORK_DIR}/emitted/lora_plans.c -lOpenCL -o ${WORK_DIR}/run_emitted)
execute_process(COMMAND ${WORK_DIR}/run_emitted ${WORK_DIR}/emitted ${platform} RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
if(result EQUAL 0)
  message(FATAL_ERROR "plans that are wrong were not found")
endif()
