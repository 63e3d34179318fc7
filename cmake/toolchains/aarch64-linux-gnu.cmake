# Debian's cross compiler for 64-bit ARM, with the libraries of LORATUNE_SYSROOT, a Debian which
# scripts/aarch64 makes. Programs of the target run under qemu-user.
include(${CMAKE_CURRENT_LIST_DIR}/sysroot.cmake)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(CMAKE_SYSROOT ${LORATUNE_SYSROOT})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(ENV{PKG_CONFIG_LIBDIR}
    "${LORATUNE_SYSROOT}/usr/lib/aarch64-linux-gnu/openblas-pthread/pkgconfig:${LORATUNE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${LORATUNE_SYSROOT}/usr/share/pkgconfig")
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-aarch64;-L;${LORATUNE_SYSROOT}")
