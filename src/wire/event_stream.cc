#include "honryu/wire/event_stream.h"

#include "honryu/base/check.h"
#include "honryu/codec/endian.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

namespace honryu::wire {

namespace {

using codec::AppendBigEndian32;
using codec::AppendBigEndian64;
using codec::LoadBigEndian32;
using codec::LoadBigEndian64;

constexpr std::size_t kPrelude = 12;
constexpr std::size_t kTrailer = 4;
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxValue = 32767;

std::uint32_t Crc(BytesView bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

Error Corrupt(const char* what) { return Error(ErrorCode::kCorrupt, std::string("event stream: ") + what); }

void AppendBigEndian16(std::string& out, std::uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value));
}

class ValueWriter {
 public:
  explicit ValueWriter(std::string& out) : out_(out) {}
  bool operator()(bool v) const { return Type(v ? 0 : 1); }
  bool operator()(std::int8_t v) const {
    Type(2);
    out_.push_back(static_cast<char>(v));
    return true;
  }
  bool operator()(std::int16_t v) const {
    Type(3);
    AppendBigEndian16(out_, static_cast<std::uint16_t>(v));
    return true;
  }
  bool operator()(std::int32_t v) const {
    Type(4);
    AppendBigEndian32(out_, static_cast<std::uint32_t>(v));
    return true;
  }
  bool operator()(std::int64_t v) const { return Long(5, v); }
  bool operator()(const Bytes& v) const { return Counted(6, v.view()); }
  bool operator()(const std::string& v) const { return Counted(7, v); }
  bool operator()(Timestamp v) const { return Long(8, ToMs(v)); }
  bool operator()(const EventHeader::Uuid& v) const {
    Type(9);
    for (const std::uint8_t byte : v) out_.push_back(static_cast<char>(byte));
    return true;
  }

 private:
  bool Type(char type) const {
    out_.push_back(type);
    return true;
  }
  bool Long(char type, std::int64_t value) const {
    Type(type);
    AppendBigEndian64(out_, static_cast<std::uint64_t>(value));
    return true;
  }
  bool Counted(char type, BytesView value) const {
    if (value.size() > kMaxValue) return false;
    Type(type);
    AppendBigEndian16(out_, static_cast<std::uint16_t>(value.size()));
    out_.append(value);
    return true;
  }
  std::string& out_;
};

class HeaderReader {
 public:
  explicit HeaderReader(BytesView rest) : rest_(rest) {}

  Result<std::vector<EventHeader>> All() {
    std::vector<EventHeader> headers;
    while (!rest_.empty()) {
      EventHeader header;
      const std::size_t size = static_cast<std::uint8_t>(*Take(1));
      const char* name = Take(size);
      const char* type = Take(1);
      if (size == 0 || name == nullptr || type == nullptr) return Corrupt("a broken header");
      header.name.assign(name, size);
      if (!Value(*type, header.value)) return Corrupt("a broken header");
      headers.push_back(std::move(header));
    }
    return headers;
  }

 private:
  const char* Take(std::size_t size) {
    if (rest_.size() < size) return nullptr;
    const char* at = rest_.data();
    rest_.remove_prefix(size);
    return at;
  }

  bool Counted(BytesView& out) {
    const char* length = Take(2);
    if (length == nullptr) return false;
    const auto size = static_cast<std::size_t>(static_cast<std::uint8_t>(length[0]) << 8 |
                                               static_cast<std::uint8_t>(length[1]));
    const char* at = size > kMaxValue ? nullptr : Take(size);
    if (at == nullptr) return false;
    out = BytesView(at, size);
    return true;
  }

  bool Value(char type, EventHeader::Value& out) {
    if (type == 0 || type == 1) {
      out = type == 0;
      return true;
    }
    if (type == 6 || type == 7) {
      BytesView text;
      if (!Counted(text)) return false;
      if (type == 6) out = Bytes::Copy(text);
      if (type == 7) out = std::string(text);
      return true;
    }
    constexpr std::size_t kSizes[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
    if (type < 0 || static_cast<std::size_t>(type) >= std::size(kSizes)) return false;
    const char* at = Take(kSizes[static_cast<std::size_t>(type)]);
    if (at == nullptr) return false;
    switch (type) {
      case 2:
        out = static_cast<std::int8_t>(*at);
        return true;
      case 3:
        out = static_cast<std::int16_t>(static_cast<std::uint8_t>(at[0]) << 8 |
                                        static_cast<std::uint8_t>(at[1]));
        return true;
      case 4:
        out = static_cast<std::int32_t>(LoadBigEndian32(at));
        return true;
      case 5:
        out = static_cast<std::int64_t>(LoadBigEndian64(at));
        return true;
      case 8:
        out = TimestampFromMs(static_cast<std::int64_t>(LoadBigEndian64(at)));
        return true;
      default: {
        EventHeader::Uuid uuid;
        std::transform(at, at + uuid.size(), uuid.begin(),
                       [](char c) { return static_cast<std::uint8_t>(c); });
        out = uuid;
        return true;
      }
    }
  }

  BytesView rest_;
};

// The headers of everything that a subscription sends.
std::vector<EventHeader> MessageHeaders(const char* message_type, const char* type_name,
                                        std::string_view type, Format format) {
  std::vector<EventHeader> headers;
  headers.push_back(EventHeader{type_name, std::string(type)});
  headers.push_back(EventHeader{":content-type", std::string(ContentType(format))});
  headers.push_back(EventHeader{":message-type", std::string(message_type)});
  return headers;
}

}  // namespace

std::string_view EventFrame::Text(std::string_view name) const {
  for (const EventHeader& header : headers) {
    const auto* text = std::get_if<std::string>(&header.value);
    if (header.name == name && text != nullptr) return *text;
  }
  return {};
}

Result<void> AppendEventFrame(const std::vector<EventHeader>& headers, BytesView payload, std::string& out) {
  std::string block;
  for (const EventHeader& header : headers) {
    if (header.name.empty() || header.name.size() > kMaxName) {
      return Error(ErrorCode::kInvalidArgument, "event header name of " + std::to_string(header.name.size()) +
                                                    " bytes, expected 1 to 255");
    }
    block.push_back(static_cast<char>(header.name.size()));
    block.append(header.name);
    if (!std::visit(ValueWriter(block), header.value)) {
      return Error(ErrorCode::kTooLarge, "event header " + header.name + " is longer than 32767 bytes");
    }
  }
  if (block.size() > kMaxEventHeaders || payload.size() > kMaxEventPayload) {
    return Error(ErrorCode::kTooLarge, "event of " + std::to_string(block.size()) + " bytes of headers and " +
                                           std::to_string(payload.size()) + " of payload is too large");
  }
  const std::size_t begin = out.size();
  const std::size_t total = kPrelude + block.size() + payload.size() + kTrailer;
  out.reserve(begin + total);
  AppendBigEndian32(out, static_cast<std::uint32_t>(total));
  AppendBigEndian32(out, static_cast<std::uint32_t>(block.size()));
  AppendBigEndian32(out, Crc(BytesView(out).substr(begin)));
  out.append(block);
  out.append(payload);
  AppendBigEndian32(out, Crc(BytesView(out).substr(begin)));
  return Ok();
}

std::string InitialResponseFrame(Format format) {
  std::string frame;
  const std::string_view payload = format == Format::kCbor ? "\xbf\xff" : "{}";
  const Result<void> made =
      AppendEventFrame(MessageHeaders("event", ":event-type", "initial-response", format), payload, frame);
  HONRYU_CHECK(made.ok(), "a constant frame does not fit");
  return frame;
}

Result<std::string> SubscribeToShardEventFrame(std::string json, Format format) {
  HONRYU_TRY(const std::string payload, EncodeBody(std::move(json), format));
  std::string frame;
  HONRYU_TRY_VOID(AppendEventFrame(MessageHeaders("event", ":event-type", "SubscribeToShardEvent", format),
                                   payload, frame));
  return frame;
}

std::string ExceptionFrame(const Fault& fault, Format format) {
  std::string json;
  codec::JsonWriter writer(json);
  writer.BeginObject();
  writer.Key("message");
  writer.String(BytesView(fault.message).substr(0, 4096));
  writer.EndObject();
  const Result<std::string> payload = EncodeBody(std::move(json), format);
  HONRYU_CHECK(payload.ok(), "a fault's message is no json");
  std::string frame;
  const Result<void> made = AppendEventFrame(
      MessageHeaders("exception", ":exception-type", TraitsOf(fault.name).name, format), *payload, frame);
  HONRYU_CHECK(made.ok(), "a fault's frame does not fit");
  return frame;
}

void EventStreamDecoder::Feed(BytesView bytes) {
  // What was read is dropped before the buffer grows, so that it holds at most one frame and a piece.
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  buffer_.append(bytes);
}

Result<std::optional<EventFrame>> EventStreamDecoder::Next() {
  if (broken_) return *broken_;
  const auto fail = [this](const char* what) {
    broken_ = Corrupt(what);
    return *broken_;
  };
  const BytesView input = BytesView(buffer_).substr(begin_);
  if (input.size() < kPrelude) return std::optional<EventFrame>();
  const std::size_t total = LoadBigEndian32(input.data());
  const std::size_t header_size = LoadBigEndian32(input.data() + 4);
  if (Crc(input.substr(0, 8)) != LoadBigEndian32(input.data() + 8)) return fail("wrong crc of a prelude");
  if (header_size > kMaxEventHeaders || total < kPrelude + header_size + kTrailer ||
      total - kPrelude - header_size - kTrailer > kMaxEventPayload) {
    return fail("wrong lengths");
  }
  if (input.size() < total) return std::optional<EventFrame>();
  const std::size_t body = total - kTrailer;
  if (Crc(input.substr(0, body)) != LoadBigEndian32(input.data() + body)) return fail("wrong crc of a frame");
  Result<std::vector<EventHeader>> headers = HeaderReader(input.substr(kPrelude, header_size)).All();
  if (!headers.ok()) return fail("a broken header");
  EventFrame frame;
  frame.headers = std::move(*headers);
  frame.payload.assign(input.substr(kPrelude + header_size, body - kPrelude - header_size));
  begin_ += total;
  return std::optional(std::move(frame));
}

}  // namespace honryu::wire
