# What both toolchains include: the libraries, headers and packages of LORATUNE_SYSROOT alone are found, and the
# programs of this machine. try_compile reads a toolchain file too, so it is told the folder.
set(LORATUNE_SYSROOT "" CACHE PATH "The target's libraries, as Debian's packages lay them out")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LORATUNE_SYSROOT)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_DIR} "")
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${LORATUNE_SYSROOT})
