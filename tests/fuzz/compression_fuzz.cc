// Decompress on foreign bytes: never more than the limit, and what is compressed opens again. The first byte
// picks the format, the second the limit.
#include "honryu/base/check.h"
#include "honryu/codec/compression.h"

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using honryu::codec::Compress;
  using honryu::codec::Compression;
  using honryu::codec::Decompress;
  if (size < 2) return 0;
  const auto codec = static_cast<Compression>(data[0] % 4);
  const std::size_t limit = static_cast<std::size_t>(data[1]) * 257;
  const std::string_view input(reinterpret_cast<const char*>(data + 2), size - 2);
  const auto opened = Decompress(codec, input, limit);
  HONRYU_CHECK(!opened.ok() || opened->size() <= limit, "more than the limit was opened");
  const auto packed = Compress(codec, input);
  HONRYU_CHECK(packed.ok(), "compression failed");
  const auto back = Decompress(codec, *packed, input.size());
  HONRYU_CHECK(back.ok() && *back == input, "what was compressed opens to something else");
  if (!input.empty() && codec != Compression::kLz4)
    HONRYU_CHECK(!Decompress(codec, *packed, input.size() - 1).ok(), "the limit is not exact");
  return 0;
}
