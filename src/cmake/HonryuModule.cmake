# honryu_module(NAME SOURCES a.cc … [PUBLIC targets…] [PRIVATE targets…])
#   One static library honryu_NAME (alias honryu::NAME). PUBLIC: appears in the
#   module's public headers. The allowed edges stand in src/cmake/layers.txt and
#   are checked by tests/lint/layers.py.
function(honryu_module name)
  cmake_parse_arguments(arg "BOOST_PCH" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  string(REPLACE "/" "_" target "honryu_${name}")
  add_library(${target} STATIC ${arg_SOURCES})
  string(REPLACE "/" "::" alias "honryu::${name}")
  add_library(${alias} ALIAS ${target})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/include PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} PUBLIC ${arg_PUBLIC} PRIVATE honryu_compile_options ${arg_PRIVATE})
  if(arg_BOOST_PCH)
    target_precompile_headers(${target} PRIVATE
      <boost/asio.hpp> <boost/asio/experimental/awaitable_operators.hpp> <boost/beast/core.hpp> <boost/beast/http.hpp>
      <string> <vector> <memory> <functional> <chrono> <optional> <unordered_map>)
  endif()
endfunction()

# Builds the programs of the unit tests and nothing else (sanitizer runs need no more).
if(HONRYU_TESTS)
  add_custom_target(honryu_unit_tests)
endif()

# honryu_test(NAME SOURCES a_test.cc … LINK targets… [LABELS …] [TIMEOUT s])
#   A GoogleTest program NAME, registered with ctest as one entry per test case.
function(honryu_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gmock_main GTest::gtest honryu_compile_options)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if("unit" IN_LIST arg_LABELS)
    add_dependencies(honryu_unit_tests ${name})
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()
