#include "wire/schema.h"

#include "honryu/codec/base64.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace honryu::wire {

namespace {

using codec::Json;

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-';
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool MatchesName(std::string_view v) { return !v.empty() && std::all_of(v.begin(), v.end(), IsNameChar); }

bool MatchesDecimal(std::string_view v, std::size_t max_digits) {
  if (v == "0") return true;
  return !v.empty() && v.size() <= max_digits && v[0] != '0' && std::all_of(v.begin(), v.end(), IsDigit);
}
bool MatchesHashKey(std::string_view v) { return MatchesDecimal(v, 39); }
bool MatchesSequence(std::string_view v) { return MatchesDecimal(v, 129); }

// arn:aws.*:kinesis:.*:\d{12}:stream/\S+ ; what stands for .* here has no colon, as in every real ARN.
bool MatchesStreamArn(std::string_view v) {
  if (!v.starts_with("arn:aws")) return false;
  std::size_t at = v.find(':', 4);
  if (at == std::string_view::npos || !v.substr(at).starts_with(":kinesis:")) return false;
  at = v.find(':', at + 9);
  if (at == std::string_view::npos) return false;
  const std::string_view rest = v.substr(at + 1);
  if (rest.size() < 21 || !std::all_of(rest.begin(), rest.begin() + 12, IsDigit)) return false;
  if (!rest.substr(12).starts_with(":stream/")) return false;
  const std::string_view name = rest.substr(20);
  return std::none_of(name.begin(), name.end(), [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
}

Fault TypeFault(std::string message) { return Fault{FaultName::kSerializationException, std::move(message)}; }

enum class Kind { kBool, kNumber, kString, kBytes, kList, kObject };
Kind KindOf(const Json& value) {
  if (value.is_bool()) return Kind::kBool;
  if (value.is_number()) return Kind::kNumber;
  if (value.is_string()) return Kind::kString;
  if (value.is_blob()) return Kind::kBytes;
  return value.is_array() ? Kind::kList : Kind::kObject;
}

constexpr std::string_view kStartOfList = "Start of list found where not expected";
constexpr std::string_view kStartOfMap = "Start of structure or map found where not expected.";
constexpr std::string_view kJavaClass[] = {"class java.lang.Boolean",
                                           "class com.amazon.coral.value.json.numbers.TruncatingBigNumber",
                                           "class java.lang.String", "class java.nio.HeapByteBuffer"};

std::string NotConvertible(Kind kind, std::string_view to) {
  std::string text(kJavaClass[static_cast<std::size_t>(kind)]);
  return text.append(" can not be converted to ").append(to);
}

std::optional<Fault> CheckBlobText(std::string_view text) {
  const auto fault = [text](std::string_view reason) {
    std::string message = "'";
    return TypeFault(message.append(text).append("' can not be converted to a Blob: ").append(reason));
  };
  const std::size_t length = CountCharacters(text);
  if (length % 4 != 0) {
    return fault("Base64 encoded length is expected a multiple of 4 bytes but found: " +
                 std::to_string(length));
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool letter =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c) || c == '+' || c == '/';
    if (letter || (c == '=' && (i + 1 == text.size() || text[i + 1] == '='))) continue;
    std::size_t end = i + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    std::string reason = "Invalid Base64 character: '";
    return fault(reason.append(text.substr(i, end - i)).append("'"));
  }
  std::string scratch(codec::Base64DecodedBound(text.size()), '\0');
  if (!codec::Base64Decode(text, scratch.data()).ok()) {
    return fault("Invalid last non-pad Base64 character dectected");  // the service's own spelling
  }
  return std::nullopt;
}

std::optional<Fault> CheckType(const Json& value, const Field& field) {
  const Kind kind = KindOf(value);
  switch (field.type) {
    case FieldType::kList:
      if (kind == Kind::kObject) return TypeFault(std::string(kStartOfMap));
      if (kind != Kind::kList) return TypeFault("Expected list or null");
      for (const Json& item : value.array()) {
        if (item.is_null()) continue;
        if (auto fault = CheckType(item, field.children[0])) return fault;
      }
      return std::nullopt;
    case FieldType::kMap:
      if (kind == Kind::kList) return TypeFault(std::string(kStartOfList));
      if (kind != Kind::kObject) return TypeFault("Expected map or null");
      for (const Json::Member& member : value.object()) {
        if (member.second.is_null()) continue;
        if (auto fault = CheckType(member.second, field.children[0])) return fault;
      }
      return std::nullopt;
    case FieldType::kStructure:
      if (kind == Kind::kList) return TypeFault(std::string(kStartOfList));
      if (kind != Kind::kObject) return TypeFault("Expected null");
      return CheckTypes(value, field.children);
    default:
      break;
  }
  if (kind == Kind::kList) return TypeFault(std::string(kStartOfList));
  if (kind == Kind::kObject) return TypeFault(std::string(kStartOfMap));
  // CBOR can say NaN and infinity where a number is due; JSON cannot, so Kinesis has no words of its own for
  // it.
  const bool number = kind == Kind::kNumber && std::isfinite(value.DoubleOr(0));
  switch (field.type) {
    case FieldType::kString:
      if (kind != Kind::kString) return TypeFault(NotConvertible(kind, "an String"));
      break;
    case FieldType::kInteger:
      if (!number) return TypeFault(NotConvertible(kind, "an Integer"));
      break;
    case FieldType::kBoolean:
      if (kind == Kind::kNumber || kind == Kind::kBytes) return TypeFault(NotConvertible(kind, "an Boolean"));
      if (kind == Kind::kString) {
        std::string text(value.StringOr(""));
        for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        return TypeFault("'" + text + "' can not be converted to an Boolean");
      }
      break;
    case FieldType::kBlob:
      if (kind == Kind::kBytes) break;
      if (kind != Kind::kString) return TypeFault(NotConvertible(kind, "a Blob"));
      return CheckBlobText(value.StringOr(""));
    case FieldType::kTimestamp:
      if (!number) return TypeFault(NotConvertible(kind, "milliseconds since epoch"));
      break;
    default:
      break;
  }
  return std::nullopt;
}

// How the service prints a value inside a constraint message.
std::string Printed(const Json& value, const Field& field) {
  switch (field.type) {
    case FieldType::kString:
      return std::string(value.StringOr(""));
    case FieldType::kInteger:
      return std::to_string(ToInteger(value));
    case FieldType::kBoolean:
      return value.BoolOr(false) ? "true" : "false";
    case FieldType::kTimestamp:
      return value.Dump();
    case FieldType::kBlob: {
      const std::string size = std::to_string(BlobSize(value));
      return "java.nio.HeapByteBuffer[pos=0 lim=" + size + " cap=" + size + "]";
    }
    case FieldType::kList: {
      std::string text = "[";
      for (const Json& item : value.array()) {
        if (text.size() > 1) text.append(", ");
        text.append(item.is_null() ? "null" : Printed(item, field.children[0]));
      }
      return text.append("]");
    }
    case FieldType::kMap: {
      std::string text = "{";
      for (const Json::Member& member : value.object()) {
        if (text.size() > 1) text.append(", ");
        text.append(member.first).append("=");
        text.append(member.second.is_null() ? "null" : Printed(member.second, field.children[0]));
      }
      return text.append("}");
    }
    case FieldType::kStructure:
      return std::string(field.item_text);
  }
  return {};
}

constexpr std::size_t kMaxReported = 10;

class ConstraintCheck {
 public:
  void Members(const Json* parent, std::span<const Field> fields, const std::string& path) {
    for (const Field& field : fields) {
      const Json* value = parent == nullptr ? nullptr : parent->Find(field.name);
      const bool waived = !field.unless.empty() && parent != nullptr && parent->Find(field.unless) != nullptr;
      std::string name(field.name);
      if (name[0] >= 'A' && name[0] <= 'Z') name[0] = static_cast<char>(name[0] - 'A' + 'a');
      One(value, field, waived, path.empty() ? name : path + "." + name);
    }
  }

  std::optional<Fault> Finish() {
    if (errors_.empty()) return std::nullopt;
    std::string message = std::to_string(errors_.size());
    message.append(errors_.size() > 1 ? " validation errors detected: " : " validation error detected: ");
    for (std::size_t i = 0; i < errors_.size(); ++i) {
      if (i > 0) message.append("; ");
      message.append(errors_[i]);
    }
    return Fault{FaultName::kValidationException, std::move(message)};
  }

 private:
  void Broken(const Json* value, const Field& field, const std::string& path, std::string_view rule) {
    if (errors_.size() >= kMaxReported) return;
    std::string text = "Value ";
    if (value == nullptr) {
      text.append("null");
    } else {
      text.append("'").append(Printed(*value, field)).append("'");
    }
    errors_.push_back(
        text.append(" at '").append(path).append("' failed to satisfy constraint: ").append(rule));
  }

  static std::int64_t Length(const Json& value, const Field& field) {
    if (field.type == FieldType::kBlob) return static_cast<std::int64_t>(BlobSize(value));
    if (field.type == FieldType::kList) return static_cast<std::int64_t>(value.array().size());
    if (field.type == FieldType::kMap) return static_cast<std::int64_t>(value.object().size());
    return static_cast<std::int64_t>(CountCharacters(value.StringOr("")));
  }

  void One(const Json* value, const Field& field, bool waived, const std::string& path) {
    if (errors_.size() >= kMaxReported) return;
    if (value == nullptr || value->is_null()) {
      if (field.not_null && !waived) Broken(nullptr, field, path, "Member must not be null");
      return;
    }
    if (field.pattern != nullptr && !field.pattern->matches(value->StringOr(""))) {
      std::string rule = "Member must satisfy regular expression pattern: ";
      Broken(value, field, path, rule.append(field.pattern->text));
    }
    if (!field.enumeration.empty() &&
        std::ranges::find(field.enumeration, value->StringOr("")) == field.enumeration.end()) {
      std::string rule = "Member must satisfy enum value set: [";
      for (std::size_t i = 0; i < field.enumeration.size(); ++i) {
        rule.append(i > 0 ? ", " : "").append(field.enumeration[i]);
      }
      Broken(value, field, path, rule.append("]"));
    }
    if (field.min_length && Length(*value, field) < *field.min_length) {
      Broken(value, field, path,
             "Member must have length greater than or equal to " + std::to_string(*field.min_length));
    }
    if (field.max_length && Length(*value, field) > *field.max_length) {
      Broken(value, field, path,
             "Member must have length less than or equal to " + std::to_string(*field.max_length));
    }
    if (field.min_value && ToInteger(*value) < *field.min_value) {
      Broken(value, field, path,
             "Member must have value greater than or equal to " + std::to_string(*field.min_value));
    }
    if (field.max_value && ToInteger(*value) > *field.max_value) {
      Broken(value, field, path,
             "Member must have value less than or equal to " + std::to_string(*field.max_value));
    }
    Nested(*value, field, path);
  }

  void Nested(const Json& value, const Field& field, const std::string& path) {
    if (field.type == FieldType::kStructure) return Members(&value, field.children, path);
    if (field.type == FieldType::kMap) return MapEntries(value, field, path);
    if (field.type != FieldType::kList) return;
    if (field.item_max) return ItemLengths(value, field, path);
    std::size_t index = 0;
    for (const Json& item : value.array()) {
      if (errors_.size() >= kMaxReported) return;
      const std::string item_path = path + "." + std::to_string(++index) + ".member";
      One(&item, field.children[0], false, item_path);
    }
  }

  static std::string LengthRule(std::string_view what, std::int64_t max, std::int64_t min) {
    return std::string(what) + " must satisfy constraint: [Member must have length less than or equal to " +
           std::to_string(max) + ", Member must have length greater than or equal to " + std::to_string(min) +
           "]";
  }

  // Reported once for the whole list, as the service does.
  void ItemLengths(const Json& value, const Field& field, const std::string& path) {
    for (const Json& item : value.array()) {
      const auto length = static_cast<std::int64_t>(CountCharacters(item.StringOr("")));
      if (length >= 1 && length <= *field.item_max) continue;
      return Broken(&value, field, path, LengthRule("Member", *field.item_max, 1));
    }
  }

  void MapEntries(const Json& value, const Field& field, const std::string& path) {
    for (const Json::Member& member : value.object()) {
      const auto key_length = static_cast<std::int64_t>(CountCharacters(member.first));
      if (field.map_key_max && (key_length < 1 || key_length > *field.map_key_max)) {
        Broken(&value, field, path, LengthRule("Map keys", *field.map_key_max, 1));
        break;
      }
    }
    for (const Json::Member& member : value.object()) {
      const auto length = static_cast<std::int64_t>(CountCharacters(member.second.StringOr("")));
      if (field.map_value_max && length > *field.map_value_max) {
        Broken(&value, field, path, LengthRule("Map value", *field.map_value_max, 0));
        break;
      }
    }
  }

  std::vector<std::string> errors_;
};

}  // namespace

const Pattern kNamePattern{"[a-zA-Z0-9_.-]+", &MatchesName};
const Pattern kStreamArnPattern{"arn:aws.*:kinesis:.*:\\d{12}:stream/\\S+", &MatchesStreamArn};
const Pattern kHashKeyPattern{"0|([1-9]\\d{0,38})", &MatchesHashKey};
const Pattern kSequencePattern{"0|([1-9]\\d{0,128})", &MatchesSequence};

std::optional<Fault> CheckTypes(const Json& body, std::span<const Field> fields) {
  for (const Field& field : fields) {
    const Json* value = body.Find(field.name);
    if (value == nullptr) continue;
    if (auto fault = CheckType(*value, field)) return fault;
  }
  return std::nullopt;
}

std::optional<Fault> CheckConstraints(const Json& body, std::span<const Field> fields) {
  ConstraintCheck check;
  check.Members(&body, fields, "");
  return check.Finish();
}

std::int32_t ToInteger(const Json& number) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int32_t>::max();
  constexpr std::int64_t kMin = std::numeric_limits<std::int32_t>::min();
  if (const auto* d = std::get_if<double>(&number.value())) {
    if (std::isnan(*d)) return 0;  // CheckTypes refuses it; the cast below must not meet it all the same
    return static_cast<std::int32_t>(
        std::clamp(std::floor(*d), static_cast<double>(kMin), static_cast<double>(kMax)));
  }
  if (const auto* u = std::get_if<std::uint64_t>(&number.value())) {
    return static_cast<std::int32_t>(std::min(*u, static_cast<std::uint64_t>(kMax)));
  }
  return static_cast<std::int32_t>(std::clamp(number.IntOr(0), kMin, kMax));
}

std::size_t CountCharacters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::size_t BlobSize(const Json& blob) {
  if (blob.is_blob()) return blob.BlobOr("").size();
  const std::string_view base64 = blob.StringOr("");
  std::size_t size = base64.size() / 4 * 3;
  for (std::size_t i = base64.size(); i > 0 && base64[i - 1] == '='; --i) --size;
  return size;
}

}  // namespace honryu::wire
