// Base64 beside memcpy. Data: bytes of a seeded generator, 64 B to 1 MiB. Rates count the base64 characters
// (for memcpy: the same number of bytes), so the lines compare directly.
#include "honryu/base/check.h"
#include "honryu/base/random.h"
#include "honryu/codec/base64.h"

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

namespace {

std::string RandomBytes(std::size_t size) {
  honryu::Random random(1);
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(random.Next());
  return bytes;
}

void Count(benchmark::State& state, const std::string& text) {
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}

void BM_Decode(benchmark::State& state) {
  const std::string text = honryu::codec::Base64Encode(RandomBytes(static_cast<std::size_t>(state.range(0))));
  std::string out(honryu::codec::Base64DecodedBound(text.size()), '\0');
  for (auto _ : state) {
    const auto size = honryu::codec::Base64Decode(text, out.data());
    HONRYU_CHECK(size.ok(), "the text is base64");
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  Count(state, text);
}

void BM_Encode(benchmark::State& state) {
  const std::string bytes = RandomBytes(static_cast<std::size_t>(state.range(0)));
  std::string out;
  for (auto _ : state) {
    out.clear();
    honryu::codec::AppendBase64(bytes, out);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  Count(state, out);
}

void BM_Memcpy(benchmark::State& state) {
  const std::string text = honryu::codec::Base64Encode(RandomBytes(static_cast<std::size_t>(state.range(0))));
  std::string out(text.size(), '\0');
  for (auto _ : state) {
    std::memcpy(out.data(), text.data(), text.size());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  Count(state, text);
}

BENCHMARK(BM_Decode)->Arg(64)->Arg(1024)->Arg(65536)->Arg(1 << 20);
BENCHMARK(BM_Encode)->Arg(64)->Arg(1024)->Arg(65536)->Arg(1 << 20);
BENCHMARK(BM_Memcpy)->Arg(64)->Arg(1024)->Arg(65536)->Arg(1 << 20);

}  // namespace
