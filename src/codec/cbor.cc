#include "honryu/codec/cbor.h"

#include <simdjson.h>

#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace honryu::codec {

namespace {

using Kind = CborItem::Kind;

constexpr unsigned kIndefinite = 31;

Error Broken(const char* what) {
  return Error(ErrorCode::kInvalidArgument, std::string("not valid cbor: ") + what);
}

// RFC 8949 appendix D.
double FromHalf(std::uint16_t half) {
  const int exponent = half >> 10 & 0x1f;
  const int mantissa = half & 0x3ff;
  double value = 0;
  if (exponent == 0) {
    value = std::ldexp(mantissa, -24);
  } else if (exponent != 31) {
    value = std::ldexp(mantissa + 1024, exponent - 25);
  } else {
    value =
        mantissa == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  return (half & 0x8000) != 0 ? -value : value;
}

// The half that is exactly `value`, if there is one. `value` is no NaN.
std::optional<std::uint16_t> ToHalf(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t mantissa = bits & 0x7fffff;
  const int exponent = static_cast<int>(bits >> 23 & 0xff) - 127;
  if (exponent == 128) return static_cast<std::uint16_t>(sign | 0x7c00);
  if (exponent == -127) return mantissa == 0 ? std::optional(sign) : std::nullopt;
  if (exponent > 15 || exponent < -24) return std::nullopt;
  if (exponent >= -14) {
    if ((mantissa & 0x1fff) != 0) return std::nullopt;
    return static_cast<std::uint16_t>(sign | static_cast<unsigned>(exponent + 15) << 10 | mantissa >> 13);
  }
  // Subnormal: the implicit bit is written out and shifted into place.
  const std::uint32_t full = mantissa | 0x800000;
  const int shift = -exponent - 1;
  if ((full & ((1U << shift) - 1)) != 0) return std::nullopt;
  return static_cast<std::uint16_t>(sign | full >> shift);
}

class TreeReader {
 public:
  TreeReader(BytesView input, const CborLimits& limits) : reader_(input), limits_(limits) {}

  Result<Json> One() {
    HONRYU_TRY(const CborItem item, reader_.Next());
    HONRYU_TRY(Json value, Value(item, 0));
    if (!reader_.AtEnd()) return Broken("bytes behind the item");
    return value;
  }

 private:
  Result<void> Count(std::size_t depth) {
    if (depth > limits_.max_depth) {
      return Error(ErrorCode::kTooLarge,
                   "cbor is nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    }
    if (++items_ > limits_.max_items) {
      return Error(ErrorCode::kTooLarge,
                   "cbor has more than " + std::to_string(limits_.max_items) + " items");
    }
    return Ok();
  }

  Result<Json> Value(const CborItem& item, std::size_t depth) {
    HONRYU_TRY_VOID(Count(depth));
    switch (item.kind) {
      case Kind::kUnsigned:
        return Unsigned(item.number);
      case Kind::kNegative:
        if (item.number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
          return Json(Json::Value(-1.0 - static_cast<double>(item.number)));
        }
        return Json(Json::Value(-1 - static_cast<std::int64_t>(item.number)));
      case Kind::kBytes:
        return Json(Json::Value(Json::Blob{std::string(item.text)}));
      case Kind::kText:
        return Json(Json::Value(std::string(item.text)));
      case Kind::kArray:
        return Array(item, depth);
      case Kind::kMap:
        return Map(item, depth);
      case Kind::kTag:
        return Tagged(item.number, depth);
      case Kind::kBool:
        return Json(Json::Value(item.number != 0));
      case Kind::kNull:
        return Json();
      case Kind::kFloat:
        return Json(Json::Value(item.real));
      case Kind::kBreak:
        break;
    }
    return Broken("a break where an item should be");
  }

  static Json Unsigned(std::uint64_t number) {
    if (number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return Json(Json::Value(static_cast<std::int64_t>(number)));
    }
    return Json(Json::Value(number));
  }

  Result<Json> Tagged(std::uint64_t tag, std::size_t depth) {
    HONRYU_TRY(const CborItem item, reader_.Next());
    const bool integer = item.kind == Kind::kUnsigned || item.kind == Kind::kNegative;
    HONRYU_TRY(Json value, Value(item, depth + 1));
    if (tag == 1 && integer) return Json(Json::Value(value.DoubleOr(0) / 1000.0));
    return value;
  }

  Result<Json> Array(const CborItem& head, std::size_t depth) {
    // Each item takes a byte at least: a longer array is a lie, told before anything is reserved for it.
    if (!head.indefinite && head.number > reader_.remaining()) return Broken("cut short");
    Json::Array array;
    for (std::uint64_t i = 0; head.indefinite || i < head.number; ++i) {
      HONRYU_TRY(const CborItem item, reader_.Next());
      if (head.indefinite && item.kind == Kind::kBreak) break;
      HONRYU_TRY(Json value, Value(item, depth + 1));
      array.push_back(std::move(value));
    }
    return Json(Json::Value(std::move(array)));
  }

  Result<Json> Map(const CborItem& head, std::size_t depth) {
    if (!head.indefinite && head.number > reader_.remaining()) return Broken("cut short");
    Json::Object object;
    for (std::uint64_t i = 0; head.indefinite || i < head.number; ++i) {
      HONRYU_TRY(const CborItem key, reader_.Next());
      if (head.indefinite && key.kind == Kind::kBreak) break;
      if (key.kind != Kind::kText) return Broken("a map key that is no text");
      std::string name(key.text);
      HONRYU_TRY(const CborItem item, reader_.Next());
      HONRYU_TRY(Json value, Value(item, depth + 1));
      object.emplace_back(std::move(name), std::move(value));
    }
    return Json(Json::Value(std::move(object)));
  }

  CborReader reader_;
  const CborLimits& limits_;
  std::size_t items_ = 0;
};

}  // namespace

Result<std::uint64_t> CborReader::Argument(unsigned info) {
  if (info < 24) return std::uint64_t{info};
  if (info > 27) return Broken("reserved additional information");
  const std::size_t size = std::size_t{1} << (info - 24);
  if (rest_.size() < size) return Broken("cut short");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<std::uint8_t>(rest_[i]);
  rest_.remove_prefix(size);
  return value;
}

// The chunks of a string of indefinite length: definite strings of the same major type, up to a break.
Result<void> CborReader::JoinChunks(unsigned major) {
  joined_.clear();
  for (;;) {
    if (rest_.empty()) return Broken("cut short");
    const auto initial = static_cast<std::uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    if (initial == 0xff) return Ok();
    if (initial >> 5 != major || (initial & 31) == kIndefinite) return Broken("a wrong chunk of a string");
    HONRYU_TRY(const std::uint64_t size, Argument(initial & 31));
    if (size > rest_.size()) return Broken("cut short");
    const BytesView chunk = rest_.substr(0, size);
    if (major == 3 && !simdjson::validate_utf8(chunk.data(), chunk.size()))
      return Broken("text that is no utf-8");
    joined_.append(chunk);
    rest_.remove_prefix(chunk.size());
  }
}

Result<CborItem> CborReader::Next() {
  if (rest_.empty()) return Broken("cut short");
  const auto initial = static_cast<std::uint8_t>(rest_[0]);
  rest_.remove_prefix(1);
  const unsigned major = initial >> 5;
  const unsigned info = initial & 31;
  CborItem item;
  if (major == 7) {
    if (info >= 20 && info <= 23) {
      item.kind = info < 22 ? Kind::kBool : Kind::kNull;
      item.number = info == 21 ? 1 : 0;
      return item;
    }
    if (info == kIndefinite) {
      item.kind = Kind::kBreak;
      return item;
    }
    if (info < 25 || info > 27) return Broken("an unassigned simple value");
    HONRYU_TRY(const std::uint64_t bits, Argument(info));
    item.kind = Kind::kFloat;
    if (info == 25) item.real = FromHalf(static_cast<std::uint16_t>(bits));
    if (info == 26) item.real = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    if (info == 27) item.real = std::bit_cast<double>(bits);
    return item;
  }
  constexpr Kind kKinds[] = {Kind::kUnsigned, Kind::kNegative, Kind::kBytes, Kind::kText,
                             Kind::kArray,    Kind::kMap,      Kind::kTag};
  item.kind = kKinds[major];
  const bool string = item.kind == Kind::kBytes || item.kind == Kind::kText;
  if (info == kIndefinite) {
    if (string) {
      HONRYU_TRY_VOID(JoinChunks(major));
      item.text = joined_;
      return item;
    }
    if (item.kind != Kind::kArray && item.kind != Kind::kMap)
      return Broken("reserved additional information");
    item.indefinite = true;
    return item;
  }
  HONRYU_TRY(item.number, Argument(info));
  if (!string) return item;
  if (item.number > rest_.size()) return Broken("cut short");
  item.text = rest_.substr(0, item.number);
  rest_.remove_prefix(item.text.size());
  if (item.kind == Kind::kText && !simdjson::validate_utf8(item.text.data(), item.text.size())) {
    return Broken("text that is no utf-8");
  }
  return item;
}

Result<Json> ParseCbor(BytesView input, const CborLimits& limits) { return TreeReader(input, limits).One(); }

void CborWriter::Head(unsigned major, std::uint64_t argument) {
  const auto initial = [major](unsigned info) { return static_cast<char>(major << 5 | info); };
  if (argument < 24) {
    out_.push_back(initial(static_cast<unsigned>(argument)));
    return;
  }
  const unsigned log = argument <= 0xff ? 0 : argument <= 0xffff ? 1 : argument <= 0xffffffff ? 2 : 3;
  char bytes[9];
  bytes[0] = initial(24 + log);
  const std::size_t size = std::size_t{1} << log;
  for (std::size_t i = 0; i < size; ++i) bytes[1 + i] = static_cast<char>(argument >> (8 * (size - 1 - i)));
  out_.append(bytes, 1 + size);
}

void CborWriter::Begin(unsigned major, std::optional<std::size_t> count) {
  if (count) return Head(major, *count);
  out_.push_back(static_cast<char>(major << 5 | kIndefinite));
}

void CborWriter::Text(BytesView utf8) {
  Head(3, utf8.size());
  out_.append(utf8);
}

void CborWriter::Blob(BytesView bytes) {
  Head(2, bytes.size());
  out_.append(bytes);
}

void CborWriter::Int(std::int64_t value) {
  if (value >= 0) return Head(0, static_cast<std::uint64_t>(value));
  Head(1, static_cast<std::uint64_t>(-(value + 1)));
}

void CborWriter::Double(double value) {
  const auto put = [this](char initial, std::uint64_t bits, std::size_t size) {
    char bytes[9];
    bytes[0] = initial;
    for (std::size_t i = 0; i < size; ++i) bytes[1 + i] = static_cast<char>(bits >> (8 * (size - 1 - i)));
    out_.append(bytes, 1 + size);
  };
  if (std::isnan(value)) return put('\xf9', 0x7e00, 2);
  // Only a double in the range of floats may be converted to one.
  const bool in_range =
      std::isinf(value) || std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max());
  const float single = in_range ? static_cast<float>(value) : 0.0F;
  if (!in_range || static_cast<double>(single) != value)
    return put('\xfb', std::bit_cast<std::uint64_t>(value), 8);
  if (const auto half = ToHalf(single)) return put('\xf9', *half, 2);
  put('\xfa', std::bit_cast<std::uint32_t>(single), 4);
}

void CborWriter::Time(Timestamp time) {
  Tag(1);
  Int(ToMs(time));
}

}  // namespace honryu::codec
