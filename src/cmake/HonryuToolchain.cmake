# Compiler, warnings, sanitizers and the linker. Every honryu target gets
# honryu_compile_options; third-party headers are SYSTEM and exempt.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# g++ 12 miscompiles ordinary coroutine code; see docs/adr/0001-clang-19.md.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "honryu is built with clang 19 (use a preset: cmake --preset release)")
endif()

add_library(honryu_compile_options INTERFACE)
target_compile_options(honryu_compile_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  -Wno-sign-conversion
  -fstack-protector-strong)
target_compile_definitions(honryu_compile_options INTERFACE _GLIBCXX_ASSERTIONS)
if(HONRYU_FAILPOINTS)
  target_compile_definitions(honryu_compile_options INTERFACE HONRYU_FAILPOINTS=1)
endif()
if(HONRYU_SANITIZE)
  target_compile_options(honryu_compile_options INTERFACE -fsanitize=${HONRYU_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(honryu_compile_options INTERFACE -fsanitize=${HONRYU_SANITIZE})
  if(HONRYU_SANITIZE MATCHES "undefined")
    target_compile_options(honryu_compile_options INTERFACE -fno-sanitize-recover=all)
  endif()
endif()
if(HONRYU_FUZZ)
  # Coverage feedback from our libraries too, not only from the fuzz targets' own files.
  target_compile_options(honryu_compile_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(honryu_compile_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(HONRYU_COVERAGE)
  target_compile_options(honryu_compile_options INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(honryu_compile_options INTERFACE -fprofile-instr-generate)
endif()
target_link_options(honryu_compile_options INTERFACE -fuse-ld=lld-19 -Wl,-z,relro,-z,now)

find_program(HONRYU_CCACHE ccache)
if(HONRYU_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${HONRYU_CCACHE})
endif()
set_property(GLOBAL PROPERTY JOB_POOLS link=1)
set(CMAKE_JOB_POOL_LINK link)
