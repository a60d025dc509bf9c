#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/wire/fault.h"
#include "honryu/wire/format.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// application/vnd.amazon.eventstream, the framing of SubscribeToShard. One frame, all numbers big-endian:
//
//   u32 total length | u32 length of headers | u32 CRC of these 8 bytes | headers | payload | u32 CRC of all
//   before
//
// with the CRC-32 of zlib (ISO-HDLC). A header: u8 length of name, name, u8 type, value; see EventHeader.
// Source: AWS's description of the encoding in the Transcribe developer guide, and Smithy's event stream
// page.
namespace honryu::wire {

inline constexpr std::string_view kEventStreamType = "application/vnd.amazon.eventstream";
inline constexpr std::size_t kMaxEventHeaders = 128 << 10;  ///< Bytes of all headers of a frame.
inline constexpr std::size_t kMaxEventPayload = 24 << 20;   ///< Bytes.

/// A header's value; in a frame: 0 true, 1 false, 2 int8, 3 int16, 4 int32, 5 int64, 6 bytes (u16 length), 7
/// text (u16 length), 8 time (i64 milliseconds), 9 UUID (16 bytes).
struct EventHeader {
  using Uuid = std::array<std::uint8_t, 16>;
  using Value = std::variant<bool, std::int8_t, std::int16_t, std::int32_t, std::int64_t, Bytes, std::string,
                             Timestamp, Uuid>;
  std::string name;  ///< 1..255 bytes.
  Value value;       ///< Bytes and texts: at most 32767 bytes.
};

struct EventFrame {
  std::vector<EventHeader> headers;
  std::string payload;
  /// The text of that header; empty when there is none or it is of another type.
  std::string_view Text(std::string_view name) const;
};

/// Appends one frame. kTooLarge or kInvalidArgument: a name, value, the headers or the payload beyond its
/// bound; `out` is then as it was.
Result<void> AppendEventFrame(const std::vector<EventHeader>& headers, BytesView payload, std::string& out);

/// The first frame of every subscription: clients refuse a stream that does not begin with it.
std::string InitialResponseFrame(Format format);
/// One SubscribeToShardEvent with a payload made as JSON. kTooLarge; kInternal as EncodeBody.
Result<std::string> SubscribeToShardEventFrame(std::string json, Format format);
/// The end of a subscription by an error.
std::string ExceptionFrame(const Fault& fault, Format format);

/// Cuts a stream of bytes into frames, whatever the pieces in which it comes. Not thread-safe.
class EventStreamDecoder {
 public:
  void Feed(BytesView bytes);
  /// The next whole frame; nullopt: feed more. kCorrupt: a wrong CRC or length, an unknown header; the stream
  /// cannot be read further, every later call fails too.
  Result<std::optional<EventFrame>> Next();
  /// Bytes held that are not a whole frame yet.
  std::size_t pending() const { return buffer_.size() - begin_; }

 private:
  std::string buffer_;
  std::size_t begin_ = 0;
  std::optional<Error> broken_;
};

}  // namespace honryu::wire
