#include "sql/state_io.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace honryu::sql {
namespace {

void AppendFixed(std::uint64_t value, std::string& out) {
  char bytes[8];
  for (char& byte : bytes) {
    byte = static_cast<char>(value & 0xff);
    value >>= 8;
  }
  out.append(bytes, sizeof bytes);
}

std::uint64_t ReadFixed(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

void StateWriter::U64(std::uint64_t value) { AppendFixed(value, out_); }
void StateWriter::F64(double value) { U64(std::bit_cast<std::uint64_t>(value)); }

void StateWriter::Text(std::string_view value) {
  U64(value.size());
  out_ += value;
}

void StateWriter::Put(const Value& value) {
  U8(static_cast<std::uint8_t>(value.tag()));
  switch (value.tag()) {
    case Value::Tag::kNull:
      break;
    case Value::Tag::kBool:
    case Value::Tag::kInt:
      I64(value.as_int());
      break;
    case Value::Tag::kDouble:
      F64(value.as_double());
      break;
    case Value::Tag::kText:
      Text(value.text());
  }
}

void StateWriter::Put(const Row& row) {
  I64(row.time);
  U8(row.final ? 1 : 0);
  U64(row.revision);
  U64(row.id);
  U64(row.values.size());
  for (const Value& value : row.values) Put(value);
}

std::uint8_t StateReader::U8() {
  if (rest_.empty()) ok_ = false;
  if (!ok_) return 0;
  const auto value = static_cast<std::uint8_t>(rest_[0]);
  rest_.remove_prefix(1);
  return value;
}

std::uint64_t StateReader::U64() {
  if (rest_.size() < 8) ok_ = false;
  if (!ok_) return 0;
  const std::uint64_t value = ReadFixed(rest_);
  rest_.remove_prefix(8);
  return value;
}

double StateReader::F64() { return std::bit_cast<double>(U64()); }

std::string_view StateReader::Text() {
  const std::uint64_t size = U64();
  if (size > rest_.size()) ok_ = false;
  if (!ok_) return {};
  const std::string_view text = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return text;
}

std::uint64_t StateReader::Count(std::size_t least) {
  const std::uint64_t count = U64();
  if (count > rest_.size() / least) ok_ = false;
  return ok_ ? count : 0;
}

void StateReader::Take(Value& value) {
  switch (static_cast<Value::Tag>(U8())) {
    case Value::Tag::kNull:
      return value.SetNull();
    case Value::Tag::kBool:
      return value.SetBool(I64() != 0);
    case Value::Tag::kInt:
      return value.SetInt(I64());
    case Value::Tag::kDouble:
      return value.SetDouble(F64());
    case Value::Tag::kText:
      return value.SetText(Text());
  }
  ok_ = false;
}

void StateReader::Take(Row& row) {
  row.time = I64();
  row.final = U8() != 0;
  row.revision = static_cast<std::uint32_t>(U64());
  row.id = U64();
  row.values.resize(Count());
  for (Value& value : row.values) Take(value);
}

void AppendKey(const Value& value, std::string& out) {
  out += static_cast<char>(value.tag());
  switch (value.tag()) {
    case Value::Tag::kNull:
      return;
    case Value::Tag::kBool:
    case Value::Tag::kInt:
      return AppendFixed(static_cast<std::uint64_t>(value.as_int()), out);
    case Value::Tag::kDouble: {
      double real = value.as_double();
      if (real == 0) real = 0;
      if (std::isnan(real)) real = std::numeric_limits<double>::quiet_NaN();
      return AppendFixed(std::bit_cast<std::uint64_t>(real), out);
    }
    case Value::Tag::kText: {
      std::size_t size = value.text().size();
      for (; size >= 0x80; size >>= 7) out += static_cast<char>(size | 0x80);
      out += static_cast<char>(size);
      out += value.text();
    }
  }
}

bool TakeKey(std::string_view* bytes, Value& out) {
  if (bytes->empty()) return false;
  const auto tag = static_cast<Value::Tag>((*bytes)[0]);
  bytes->remove_prefix(1);
  if (tag == Value::Tag::kNull) {
    out.SetNull();
    return true;
  }
  if (tag == Value::Tag::kText) {
    std::size_t size = 0;
    for (int shift = 0;; shift += 7) {
      if (bytes->empty() || shift > 56) return false;
      const auto byte = static_cast<unsigned char>((*bytes)[0]);
      bytes->remove_prefix(1);
      size |= std::size_t{byte & 0x7fu} << shift;
      if (byte < 0x80) break;
    }
    if (size > bytes->size()) return false;
    out.SetText(bytes->substr(0, size));
    bytes->remove_prefix(size);
    return true;
  }
  if (bytes->size() < 8) return false;
  const std::uint64_t fixed = ReadFixed(*bytes);
  bytes->remove_prefix(8);
  if (tag == Value::Tag::kDouble) {
    out.SetDouble(std::bit_cast<double>(fixed));
  } else if (tag == Value::Tag::kBool) {
    out.SetBool(fixed != 0);
  } else {
    out.SetInt(static_cast<std::int64_t>(fixed));
  }
  return tag <= Value::Tag::kText;
}

}  // namespace honryu::sql
