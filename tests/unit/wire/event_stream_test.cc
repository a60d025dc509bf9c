#include "honryu/wire/event_stream.h"

#include "honryu/codec/cbor.h"
#include "honryu/codec/endian.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>

namespace honryu::wire {
namespace {

template <std::size_t N>
std::string Literal(const char (&text)[N]) {
  return std::string(text, N - 1);
}

// Frames that AWS's clients (botocore, the Java and C SDKs) test their decoders with.
const std::string kEmpty = Literal("\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8\xff");
const std::string kPayloadOnly = Literal("\0\0\0\x1d\0\0\0\0\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36");
const std::string kOneHeader = Literal(
    "\0\0\0=\0\0\0 \x07\xfd\x83\x96\x0c"
    "content-type\x07\0\x10"
    "application/json{'foo':'bar'}\x8d\x9c\x08\xb1");
const std::string kAllTypes = Literal(
    "\0\0\0\x62\0\0\0\x52\x03\xb5\xcb\x9c"
    "\x01\x30\0\x01\x31\x01\x01\x32\x02\x02\x01\x33\x03\0\x03"
    "\x01\x34\x04\0\0\0\x04\x01\x35\x05\0\0\0\0\0\0\0\x05"
    "\x01\x36\x06\0\x05"
    "bytes\x01\x37\x07\0\x04utf8"
    "\x01\x38\x08\0\0\0\0\0\0\0\x08\x01\x39\x09"
    "0123456789abcdef"
    "\x63\x35\x36\x71");

std::vector<EventHeader> AllTypes() {
  EventHeader::Uuid uuid;
  std::memcpy(uuid.data(), "0123456789abcdef", uuid.size());
  return {{"0", true},
          {"1", false},
          {"2", std::int8_t{2}},
          {"3", std::int16_t{3}},
          {"4", std::int32_t{4}},
          {"5", std::int64_t{5}},
          {"6", Bytes::Copy("bytes")},
          {"7", std::string("utf8")},
          {"8", TimestampFromMs(8)},
          {"9", uuid}};
}

std::string Frame(const std::vector<EventHeader>& headers, BytesView payload) {
  std::string out;
  EXPECT_TRUE(AppendEventFrame(headers, payload, out).ok());
  return out;
}

std::string ErrorOf(const std::string& bytes) {
  EventStreamDecoder decoder;
  decoder.Feed(bytes);
  const Result<std::optional<EventFrame>> frame = decoder.Next();
  if (frame.ok()) return frame->has_value() ? "a frame" : "more";
  EXPECT_FALSE(decoder.Next().ok());
  return frame.error().ToString();
}

TEST(EventStream, WritesTheKnownFrames) {
  EXPECT_EQ(Frame({}, ""), kEmpty);
  EXPECT_EQ(Frame({}, "{'foo':'bar'}"), kPayloadOnly);
  EXPECT_EQ(Frame({{"content-type", std::string("application/json")}}, "{'foo':'bar'}"), kOneHeader);
  EXPECT_EQ(Frame(AllTypes(), ""), kAllTypes);
}

TEST(EventStream, ReadsTheKnownFramesInPiecesOfAnySize) {
  const std::string stream = kEmpty + kPayloadOnly + kOneHeader + kAllTypes;
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    EventStreamDecoder decoder;
    std::vector<EventFrame> frames;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      decoder.Feed(BytesView(stream).substr(at, piece));
      for (;;) {
        Result<std::optional<EventFrame>> frame = decoder.Next();
        ASSERT_TRUE(frame.ok());
        if (!frame->has_value()) break;
        frames.push_back(std::move(**frame));
      }
    }
    ASSERT_EQ(frames.size(), 4U);
    EXPECT_EQ(decoder.pending(), 0U);
    EXPECT_EQ(frames[1].payload, "{'foo':'bar'}");
    EXPECT_EQ(frames[2].Text("content-type"), "application/json");
    EXPECT_EQ(Frame(frames[3].headers, frames[3].payload), kAllTypes);
    EXPECT_EQ(std::get<std::int16_t>(frames[3].headers[3].value), 3);
    EXPECT_EQ(frames[3].Text("0"), "");
  }
}

TEST(EventStream, NegativeNumbersComeBack) {
  const std::vector<EventHeader> headers = {{"a", std::int8_t{-2}},
                                            {"b", std::int16_t{-300}},
                                            {"c", std::int32_t{-70000}},
                                            {"d", std::int64_t{-5000000000}}};
  EventStreamDecoder decoder;
  decoder.Feed(Frame(headers, "x"));
  const EventFrame frame = decoder.Next().value().value();
  for (std::size_t i = 0; i < headers.size(); ++i) EXPECT_EQ(frame.headers[i].value, headers[i].value);
}

TEST(EventStream, EveryFlippedBitIsFound) {
  for (std::size_t bit = 0; bit < kOneHeader.size() * 8; ++bit) {
    std::string bytes = kOneHeader;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(ErrorOf(bytes).substr(0, 23), "corrupt: event stream: ") << bit;
  }
}

// A frame with right checksums around whatever lengths and headers.
std::string Framed(std::uint32_t total, std::uint32_t header_size, const std::string& rest) {
  std::string frame;
  codec::AppendBigEndian32(frame, total);
  codec::AppendBigEndian32(frame, header_size);
  const auto append_crc = [&frame] {
    const auto* bytes = reinterpret_cast<const unsigned char*>(frame.data());
    codec::AppendBigEndian32(frame, static_cast<std::uint32_t>(crc32_z(0, bytes, frame.size())));
  };
  append_crc();
  frame.append(rest);
  append_crc();
  return frame;
}

TEST(EventStream, BrokenStructuresBehindRightChecksums) {
  EXPECT_EQ(ErrorOf(kOneHeader.substr(0, kOneHeader.size() - 1)), "more");
  EXPECT_EQ(ErrorOf(Framed(19, 3, Literal("\x01n\0"))), "a frame");
  const std::string name = "\x01n";
  for (const std::string& header :
       {Literal("\0\0"), Literal("\x05x"), name, name + '\x0a', name + '\x07', name + Literal("\x07\0\x05x"),
        name + Literal("\x04\0\0\0"), name + '\xff', name + Literal("\x06\xff\xff"),
        name + Literal("\0\x01")}) {
    const auto size = static_cast<std::uint32_t>(header.size());
    EXPECT_EQ(ErrorOf(Framed(16 + size, size, header)), "corrupt: event stream: a broken header");
  }
  EXPECT_EQ(ErrorOf(Framed(15, 0, "")), "corrupt: event stream: wrong lengths");
  EXPECT_EQ(ErrorOf(Framed(0, 0, "")), "corrupt: event stream: wrong lengths");
  EXPECT_EQ(ErrorOf(Framed(18, 3, "abc")), "corrupt: event stream: wrong lengths");
  EXPECT_EQ(ErrorOf(Framed(1 << 20, (128 << 10) + 1, "")), "corrupt: event stream: wrong lengths");
  EXPECT_EQ(ErrorOf(Framed(~0U, 0, "")), "corrupt: event stream: wrong lengths");
}

TEST(EventStream, TooMuchIsRefused) {
  std::string out = "kept";
  EXPECT_EQ(AppendEventFrame({{"", true}}, "", out).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(AppendEventFrame({{std::string(256, 'n'), true}}, "", out).error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(AppendEventFrame({{"n", std::string(32768, 'v')}}, "", out).error().code(), ErrorCode::kTooLarge);
  EXPECT_EQ(AppendEventFrame({}, std::string(kMaxEventPayload + 1, 'p'), out).error().code(),
            ErrorCode::kTooLarge);
  const std::vector<EventHeader> many(5, EventHeader{"n", std::string(32767, 'v')});
  EXPECT_EQ(AppendEventFrame(many, "", out).error().code(), ErrorCode::kTooLarge);
  EXPECT_EQ(out, "kept");
  EXPECT_TRUE(AppendEventFrame({{std::string(255, 'n'), std::string(32767, 'v')}}, "", out).ok());
}

EventFrame Only(const std::string& bytes) {
  EventStreamDecoder decoder;
  decoder.Feed(bytes);
  Result<std::optional<EventFrame>> frame = decoder.Next();
  EXPECT_TRUE(frame.ok() && frame->has_value());
  EXPECT_EQ(decoder.pending(), 0U);
  return frame.ok() && frame->has_value() ? std::move(**frame) : EventFrame();
}

TEST(EventStream, FramesOfASubscription) {
  const EventFrame first = Only(InitialResponseFrame(Format::kJson));
  EXPECT_EQ(first.Text(":message-type"), "event");
  EXPECT_EQ(first.Text(":event-type"), "initial-response");
  EXPECT_EQ(first.Text(":content-type"), "application/x-amz-json-1.1");
  EXPECT_EQ(first.payload, "{}");
  EXPECT_EQ(Only(InitialResponseFrame(Format::kCbor)).payload, "\xbf\xff");

  const EventFrame event =
      Only(SubscribeToShardEventFrame(R"({"MillisBehindLatest":0})", Format::kJson).value());
  EXPECT_EQ(event.Text(":message-type"), "event");
  EXPECT_EQ(event.Text(":event-type"), "SubscribeToShardEvent");
  EXPECT_EQ(event.payload, R"({"MillisBehindLatest":0})");
  const EventFrame binary =
      Only(SubscribeToShardEventFrame(R"({"Records":[{"Data":"AP8="}]})", Format::kCbor).value());
  EXPECT_EQ(binary.Text(":content-type"), "application/x-amz-cbor-1.1");
  const codec::Json tree = codec::ParseCbor(binary.payload).value();
  EXPECT_EQ(tree.Find("Records")->array().at(0).Find("Data")->BlobOr("none"), Literal("\0\xff"));

  const EventFrame failure =
      Only(ExceptionFrame({FaultName::kResourceInUseException, "taken \"over\""}, Format::kJson));
  EXPECT_EQ(failure.Text(":message-type"), "exception");
  EXPECT_EQ(failure.Text(":exception-type"), "ResourceInUseException");
  EXPECT_EQ(failure.payload, R"({"message":"taken \"over\""})");
  EXPECT_EQ(Only(ExceptionFrame({FaultName::kInternalFailure, std::string(100000, 'x')}, Format::kCbor))
                .Text(":exception-type"),
            "InternalFailure");
}

}  // namespace
}  // namespace honryu::wire
