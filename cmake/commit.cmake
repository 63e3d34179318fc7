# Writes the commit that is being built into the header OUTPUT, where it is another than there is;
# `-dirty` where the working tree has changes of its own. A new file is one too, since the build takes
# in every source and kernel that it finds; a file that git ignores is none.
set(commit unknown)
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --short=12 HEAD
                  OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(head)
    set(commit ${head})
    execute_process(COMMAND ${GIT} -C ${SOURCE} diff --quiet HEAD RESULT_VARIABLE changed
                    OUTPUT_QUIET ERROR_QUIET)
    execute_process(COMMAND ${GIT} -C ${SOURCE} ls-files --others --exclude-standard
                    OUTPUT_VARIABLE new_files ERROR_QUIET)
    if(changed OR new_files)
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
