# Turns kernels/<name>.cl into a header with the Kernel of it: name, text with includes expanded, SHA-256.
# Called as: cmake -DNAME=... -DKERNELS=folder -DOUT=file -P embed_kernels.cmake
cmake_minimum_required(VERSION 3.25)

# file(STRINGS) would drop empty lines and eat brackets; a regular expression on the whole text does not.
function(expand path out)
  file(READ "${path}" text)
  while(text MATCHES "#include \"([a-z0-9_]+\\.clh)\"\n")
    set(line "${CMAKE_MATCH_0}")
    set(name "${CMAKE_MATCH_1}")
    file(READ "${KERNELS}/${name}" included)
    string(REPLACE "${line}" "${included}" text "${text}")
  endwhile()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

expand("${KERNELS}/${NAME}.cl" text)
# Of a native kernel the text is in other files: `// runs PATH` lines name them from the root.
string(REGEX MATCHALL "// runs [^\n]+" lines "${text}")
set(hashed "${text}")
foreach(line IN LISTS lines)
  string(REPLACE "// runs " "" path "${line}")
  file(READ "${KERNELS}/../${path}" native)
  string(APPEND hashed "${native}")
endforeach()
string(SHA256 hash "${hashed}")
file(WRITE "${OUT}" "// Generated from kernels/${NAME}.cl.
#pragma once

#include \"variants/internal/reference.h\"

namespace loratune::${NAME} {

extern const Variant variant;
void reference(const Problem&, const Config&, const DeviceInfo&, const HostTensors&);

inline constexpr Kernel kKernel = {\"${NAME}\", R\"CL(${text})CL\", \"${hash}\"};

}  // namespace loratune::${NAME}
")
