// EventStreamDecoder. The input is read as it is, and once more with its checksums put right, in pieces whose
// size the first byte gives. Checked beside "no crash": a frame that is read is written again byte by byte
// the same.
#include "honryu/base/check.h"
#include "honryu/codec/endian.h"
#include "honryu/wire/event_stream.h"

#include <zlib.h>

#include <cstdint>
#include <string>

namespace {

using namespace honryu;
using namespace honryu::wire;

void Read(BytesView input, std::size_t piece) {
  EventStreamDecoder decoder;
  std::string written;
  for (std::size_t at = 0; at < input.size(); at += piece) {
    decoder.Feed(input.substr(at, piece));
    for (;;) {
      const Result<std::optional<EventFrame>> frame = decoder.Next();
      if (!frame.ok()) return;
      if (!frame->has_value()) break;
      HONRYU_CHECK(AppendEventFrame((*frame)->headers, (*frame)->payload, written).ok(),
                   "a read frame is too large");
      HONRYU_CHECK(input.starts_with(written), "a frame is written as another");
    }
  }
  HONRYU_CHECK(written.size() + decoder.pending() == input.size(), "bytes were lost");
}

// Puts the lengths' and the frame's checksum right, as if all of it were one frame.
std::string WithChecksums(BytesView input) {
  std::string frame(input);
  if (frame.size() < 16) return frame;
  const auto put = [&frame](std::size_t at) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(frame.data());
    std::string crc;
    codec::AppendBigEndian32(crc, static_cast<std::uint32_t>(crc32_z(0, bytes, at)));
    frame.replace(at, 4, crc);
  };
  std::string size;
  codec::AppendBigEndian32(size, static_cast<std::uint32_t>(frame.size()));
  frame.replace(0, 4, size);
  put(8);
  put(frame.size() - 4);
  return frame;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const BytesView input(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t piece = data[0] == 0 ? 256 : data[0];
  Read(input, piece);
  Read(WithChecksums(input), piece);
  return 0;
}
