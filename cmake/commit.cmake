# Writes the commit that is being built into the header OUTPUT, where it is another than there is;
# `-dirty` where the working tree has changes of its own.
set(commit unknown)
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --short=12 HEAD
                  OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(head)
    set(commit ${head})
    execute_process(COMMAND ${GIT} -C ${SOURCE} diff --quiet HEAD RESULT_VARIABLE changed
                    OUTPUT_QUIET ERROR_QUIET)
    if(changed)
      set(commit ${head}-dirty)
    endif()
  endif()
endif()
set(text "#pragma once\n\n#define LORATUNE_COMMIT \"${commit}\"\n")
set(before "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${OUTPUT} "${text}")
endif()
