#include "honryu/wire/format.h"

#include "honryu/base/check.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/cbor.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace honryu::wire {

namespace {

namespace dom = simdjson::dom;
using codec::CborWriter;

constexpr std::string_view kJsonType = "application/x-amz-json-1.1";
constexpr std::string_view kCborType = "application/x-amz-cbor-1.1";
// A hundred times what the largest sensible request has: 500 records of four values. Forty bytes a value.
constexpr std::size_t kMaxItems = 200'000;

// The members that JSON has no type for. No answer has a map whose keys a client chooses, so a name decides.
constexpr std::string_view kBlobs[] = {"Data", "State"};
constexpr std::string_view kTimes[] = {"ApproximateArrivalTimestamp",
                                       "StreamCreationTimestamp",
                                       "ConsumerCreationTimestamp",
                                       "StartedAt",
                                       "EndedAt",
                                       "EarliestAllowedEndAt",
                                       "Expires",
                                       "Timestamp"};

bool IsIn(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

class Transcoder {
 public:
  explicit Transcoder(std::string& out) : cbor_(out) {}

  bool Value(dom::element value, std::string_view name) {
    switch (value.type()) {
      case dom::element_type::OBJECT:
        cbor_.BeginMap();
        for (const dom::key_value_pair member : dom::object(value.get_object().value_unsafe())) {
          cbor_.Text(member.key);
          if (!Value(member.value, member.key)) return false;
        }
        cbor_.End();
        return true;
      case dom::element_type::ARRAY:
        cbor_.BeginArray();
        for (const dom::element item : dom::array(value.get_array().value_unsafe())) {
          if (!Value(item, {})) return false;
        }
        cbor_.End();
        return true;
      case dom::element_type::STRING:
        return Text(value.get_string().value_unsafe(), name);
      case dom::element_type::BOOL:
        cbor_.Bool(value.get_bool().value_unsafe());
        return true;
      case dom::element_type::NULL_VALUE:
        cbor_.Null();
        return true;
      default:
        Number(value, name);
        return true;
    }
  }

 private:
  bool Text(std::string_view text, std::string_view name) {
    if (!IsIn(kBlobs, name)) {
      cbor_.Text(text);
      return true;
    }
    scratch_.resize(codec::Base64DecodedBound(text.size()));
    const Result<std::size_t> size = codec::Base64Decode(text, scratch_.data());
    if (!size.ok()) return false;
    cbor_.Blob(BytesView(scratch_).substr(0, *size));
    return true;
  }

  void Number(dom::element value, std::string_view name) {
    if (IsIn(kTimes, name)) {
      return cbor_.Time(TimestampFromMs(std::llround(value.get_double().value_unsafe() * 1000.0)));
    }
    if (value.is_uint64()) return cbor_.Uint(value.get_uint64().value_unsafe());
    if (value.is_int64()) return cbor_.Int(value.get_int64().value_unsafe());
    cbor_.Double(value.get_double().value_unsafe());
  }

  CborWriter cbor_;
  std::string scratch_;
};

}  // namespace

std::string_view ContentType(Format format) { return format == Format::kCbor ? kCborType : kJsonType; }

std::optional<Format> FindFormat(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!content_type.empty() && blank(content_type.front())) content_type.remove_prefix(1);
  while (!content_type.empty() && blank(content_type.back())) content_type.remove_suffix(1);
  if (content_type == kJsonType) return Format::kJson;
  if (content_type == kCborType) return Format::kCbor;
  return std::nullopt;
}

Result<codec::Json> ParseBody(BytesView body, Format format) {
  if (format == Format::kCbor) return codec::ParseCbor(body, codec::CborLimits{.max_items = kMaxItems});
  return codec::Json::Parse(body, kMaxItems);
}

Result<std::string> EncodeBody(std::string json, Format format) {
  if (format == Format::kJson || json.empty()) return json;
  dom::parser parser;
  dom::element root;
  if (parser.parse(json).get(root) != simdjson::SUCCESS)
    return Error(ErrorCode::kInternal, "answer is no json");
  std::string out;
  out.reserve(json.size());
  if (!Transcoder(out).Value(root, {})) return Error(ErrorCode::kInternal, "answer with a broken blob");
  return out;
}

std::string FaultBody(const Fault& fault, Format format) {
  Result<std::string> body = EncodeBody(FaultBody(fault), format);
  // The writer of faults makes valid JSON whatever the message holds.
  HONRYU_CHECK(body.ok(), "a fault's body is no json");
  return std::move(*body);
}

}  // namespace honryu::wire
