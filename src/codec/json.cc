#include "honryu/codec/json.h"

#include "honryu/codec/base64.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

namespace honryu::codec {
namespace {

constexpr std::size_t kMaxDepth = 64;
// A parser keeps some twelve bytes for each byte of the longest text it has met.
constexpr std::size_t kLargestOfKeptParser = 1 << 20;

bool IsEscaped(const char* begin, const char* at) {
  const char* first = at;
  while (first != begin && first[-1] == '\\') --first;
  return (at - first) % 2 != 0;
}

// Whether a text holds more than `limit` values; exact for valid JSON, the parser judges the rest. Strings
// are skipped and nothing is built, so refusing costs no more than reading that far.
bool HasMoreItems(std::string_view text, std::size_t limit) {
  if (text.size() / 2 < limit) return false;  // n values take 2n - 1 bytes at least: [0,0]
  const char* const end = text.data() + text.size();
  std::size_t items = 1;
  bool opened = false;  // a '[' or '{' came, and nothing since
  for (const char* p = text.data(); p != end; ++p) {
    switch (*p) {
      case ' ':
      case '\n':
      case '\r':
      case '\t':
        continue;
      case ',':
        ++items;
        break;
      case ']':
      case '}':
        opened = false;
        break;
      default:
        if (opened) ++items;
        opened = *p == '[' || *p == '{';
        if (*p != '"') break;
        do {  // to the quote with an even number of backslashes before it
          p = static_cast<const char*>(std::memchr(p + 1, '"', static_cast<std::size_t>(end - p - 1)));
          if (p == nullptr) return items > limit;
        } while (IsEscaped(text.data(), p));
    }
    if (items > limit) return true;
  }
  return items > limit;
}

Json Convert(simdjson::dom::element element) {
  switch (element.type()) {
    case simdjson::dom::element_type::OBJECT: {
      Json::Object object;
      for (const auto& field : element.get_object().value_unsafe())
        object.emplace_back(std::string(field.key), Convert(field.value));
      return Json(Json::Value(std::move(object)));
    }
    case simdjson::dom::element_type::ARRAY: {
      Json::Array array;
      for (const simdjson::dom::element item : element.get_array().value_unsafe())
        array.push_back(Convert(item));
      return Json(Json::Value(std::move(array)));
    }
    case simdjson::dom::element_type::STRING:
      return Json(Json::Value(std::string(element.get_string().value_unsafe())));
    case simdjson::dom::element_type::INT64:
      return Json(Json::Value(element.get_int64().value_unsafe()));
    case simdjson::dom::element_type::UINT64:
      return Json(Json::Value(element.get_uint64().value_unsafe()));
    case simdjson::dom::element_type::DOUBLE:
      return Json(Json::Value(element.get_double().value_unsafe()));
    case simdjson::dom::element_type::BOOL:
      return Json(Json::Value(element.get_bool().value_unsafe()));
    case simdjson::dom::element_type::NULL_VALUE:
      break;
  }
  return Json();
}

}  // namespace

Result<Json> Json::Parse(std::string_view text, std::size_t max_items) {
  if (HasMoreItems(text, max_items)) {
    return Error(ErrorCode::kTooLarge, "JSON has more than " + std::to_string(max_items) + " values");
  }
  thread_local simdjson::dom::parser kept;
  simdjson::dom::parser own;
  simdjson::dom::parser& parser = text.size() > kLargestOfKeptParser ? own : kept;
  if (parser.max_depth() != kMaxDepth) {
    const auto error = parser.allocate(std::max<std::size_t>(text.size(), 4096), kMaxDepth);
    if (error != simdjson::SUCCESS) return Error(ErrorCode::kInternal, simdjson::error_message(error));
  }
  simdjson::dom::element root;
  const auto error = parser.parse(text.data(), text.size()).get(root);
  if (error != simdjson::SUCCESS)
    return Error(ErrorCode::kInvalidArgument,
                 std::string("not valid JSON: ") + simdjson::error_message(error));
  return Convert(root);
}

const Json* Json::Find(std::string_view key) const {
  const auto* object = std::get_if<Object>(&value_);
  if (object == nullptr) return nullptr;
  for (const Member& member : *object) {
    if (member.first == key) return member.second.is_null() ? nullptr : &member.second;
  }
  return nullptr;
}

std::string_view Json::StringOr(std::string_view fallback) const {
  const auto* text = std::get_if<std::string>(&value_);
  return text != nullptr ? std::string_view(*text) : fallback;
}

std::int64_t Json::IntOr(std::int64_t fallback) const {
  if (const auto* number = std::get_if<std::int64_t>(&value_)) return *number;
  const double real = DoubleOr(static_cast<double>(fallback));
  if (std::holds_alternative<double>(value_) && real >= -9.2e18 && real <= 9.2e18)
    return static_cast<std::int64_t>(real);
  return fallback;
}

double Json::DoubleOr(double fallback) const {
  if (const auto* number = std::get_if<double>(&value_)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*number);
  return fallback;
}

bool Json::BoolOr(bool fallback) const {
  const auto* flag = std::get_if<bool>(&value_);
  return flag != nullptr ? *flag : fallback;
}

std::string_view Json::BlobOr(std::string_view fallback) const {
  const auto* blob = std::get_if<Blob>(&value_);
  return blob != nullptr ? std::string_view(blob->bytes) : fallback;
}

const Json::Array& Json::array() const {
  static const Array empty;
  const auto* array = std::get_if<Array>(&value_);
  return array != nullptr ? *array : empty;
}

const Json::Object& Json::object() const {
  static const Object empty;
  const auto* object = std::get_if<Object>(&value_);
  return object != nullptr ? *object : empty;
}

void Json::DumpTo(JsonWriter& writer) const {
  struct Visitor {
    JsonWriter& writer;
    void operator()(std::monostate) const { writer.Null(); }
    void operator()(bool v) const { writer.Bool(v); }
    void operator()(std::int64_t v) const { writer.Int(v); }
    void operator()(std::uint64_t v) const { writer.Uint(v); }
    void operator()(double v) const { writer.Double(v); }
    void operator()(const std::string& v) const { writer.String(v); }
    void operator()(const Blob& v) const { writer.PlainString(Base64Encode(v.bytes)); }
    void operator()(const Array& v) const {
      writer.BeginArray();
      for (const Json& item : v) item.DumpTo(writer);
      writer.EndArray();
    }
    void operator()(const Object& v) const {
      writer.BeginObject();
      for (const Member& member : v) {
        writer.Key(member.first);
        member.second.DumpTo(writer);
      }
      writer.EndObject();
    }
  };
  std::visit(Visitor{writer}, value_);
}

std::string Json::Dump() const {
  std::string out;
  JsonWriter writer(out);
  DumpTo(writer);
  return out;
}

}  // namespace honryu::codec
