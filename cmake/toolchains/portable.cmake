# Zig's clang and libc++ for x86-64 Linux, linked to the glibc that LORATUNE_GLIBC names: what is built runs on
# every Linux whose glibc is that one or a newer one. LORATUNE_ZIG is the program, LORATUNE_SYSROOT the folder
# of the libraries: Highway, Benchmark and the headers and archives of Debian. scripts/wheel gets both.
include(${CMAKE_CURRENT_LIST_DIR}/sysroot.cmake)
set(LORATUNE_ZIG "" CACHE FILEPATH "The program zig")
set(LORATUNE_GLIBC "2.28" CACHE STRING "The oldest glibc that is served")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LORATUNE_ZIG LORATUNE_GLIBC)

set(CMAKE_C_COMPILER ${LORATUNE_ZIG} cc -target x86_64-linux-gnu.${LORATUNE_GLIBC})
set(CMAKE_CXX_COMPILER ${LORATUNE_ZIG} c++ -target x86_64-linux-gnu.${LORATUNE_GLIBC})
set(CMAKE_LIBRARY_ARCHITECTURE x86_64-linux-gnu)
# Not CMAKE_SYSROOT: the C library is zig's own.
set(CMAKE_FIND_ROOT_PATH ${LORATUNE_SYSROOT})
set(libraries ${LORATUNE_SYSROOT}/usr/lib/x86_64-linux-gnu)
set(ENV{PKG_CONFIG_LIBDIR} "${libraries}/openblas-pthread/pkgconfig:${LORATUNE_SYSROOT}/usr/share/pkgconfig")
# libOpenCL and others of the system that runs it may need a newer glibc; they are not of this link.
set(CMAKE_EXE_LINKER_FLAGS_INIT -Wl,--allow-shlib-undefined)
set(CMAKE_SHARED_LINKER_FLAGS_INIT -Wl,--allow-shlib-undefined)
