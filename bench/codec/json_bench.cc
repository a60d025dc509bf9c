// Escaping of JSON strings beside a plain append. Data: 1 KiB of ASCII without escapes, of ASCII with a quote
// every 32 bytes, and of Japanese text.
#include "honryu/codec/json.h"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

namespace {

constexpr std::size_t kSize = 1023;  // divisible by three: whole characters of Japanese

std::string Repeat(const std::string& piece) {
  std::string text;
  while (text.size() < kSize) text += piece;
  text.resize(kSize);
  return text;
}

void Escape(benchmark::State& state, const std::string& text) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    honryu::codec::AppendJsonString(text, out);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}

void BM_EscapeAscii(benchmark::State& state) { Escape(state, Repeat("x")); }
void BM_EscapeQuotes(benchmark::State& state) { Escape(state, Repeat("0123456789012345678901234567890\"")); }
void BM_EscapeJapanese(benchmark::State& state) { Escape(state, Repeat("渋谷")); }
void BM_PlainAppend(benchmark::State& state) {
  const std::string text = Repeat("x");
  std::string out;
  for (auto _ : state) {
    out.clear();
    out += text;
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}

BENCHMARK(BM_EscapeAscii);
BENCHMARK(BM_EscapeQuotes);
BENCHMARK(BM_EscapeJapanese);
BENCHMARK(BM_PlainAppend);

}  // namespace
