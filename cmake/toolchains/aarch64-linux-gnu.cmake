# Debian's cross compiler for 64-bit ARM, with the libraries of LORATUNE_SYSROOT, which
# scripts/aarch64 makes. Programs of the target run under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(LORATUNE_SYSROOT "" CACHE PATH "A Debian of the target, with the libraries that are needed")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LORATUNE_SYSROOT)
set(CMAKE_SYSROOT ${LORATUNE_SYSROOT})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_DIR} "")
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${LORATUNE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
    "${LORATUNE_SYSROOT}/usr/lib/aarch64-linux-gnu/openblas-pthread/pkgconfig:${LORATUNE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${LORATUNE_SYSROOT}/usr/share/pkgconfig")
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-aarch64;-L;${LORATUNE_SYSROOT}")
