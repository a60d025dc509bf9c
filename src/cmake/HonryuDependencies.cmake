# Third-party packages, all from Debian 12, as honryu-named imported targets.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(simdjson REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(ZIP REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(PNG REQUIRED IMPORTED_TARGET libpng)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(ICU REQUIRED IMPORTED_TARGET icu-uc icu-i18n)
# Debian's RocksDB ships a CMake config that wants every optional library's
# development package; the shared library needs none of them.
find_library(HONRYU_ROCKSDB_LIBRARY rocksdb REQUIRED)
add_library(honryu_rocksdb INTERFACE)
target_link_libraries(honryu_rocksdb INTERFACE ${HONRYU_ROCKSDB_LIBRARY})

# Asio and Beast are compiled once, in src/async and src/http.
add_library(honryu_boost INTERFACE)
target_link_libraries(honryu_boost INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(honryu_boost INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
if(HONRYU_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(HONRYU_BENCH)
  find_package(benchmark REQUIRED)
endif()
