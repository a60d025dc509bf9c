#include "honryu/config/schema.h"

#include "honryu/base/check.h"
#include "node.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace honryu::config {
namespace {

using internal::Node;
using internal::Value;

template <class T>
std::string NumberText(T number) {
  char buffer[40];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

std::string RangeText(std::string_view what, const std::string& min, const std::string& max) {
  std::string text(what);
  if (!min.empty() && !max.empty()) return text + " from " + min + " to " + max;
  if (!min.empty()) return text + " of at least " + min;
  if (!max.empty()) return text + " of at most " + max;
  return text;
}

// Type<T> knows how a T is read, written and explained.
template <class T>
struct Type {
  using Rule = Between<T>;
  static bool Parse(std::string_view text, const Rule& rule, T* out) {
    T number{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc() || end != text.data() + text.size()) return false;
    if (!(number >= rule.min && number <= rule.max)) return false;  // so that NaN is refused
    *out = number;
    return true;
  }
  static std::string Format(T number) { return NumberText(number); }
  static void Explain(const Rule& rule, Value* value) {
    constexpr bool kWhole = std::is_integral_v<T>;
    value->json_type = kWhole ? "integer" : "number";
    if (rule.min != Between<T>{}.min || std::is_unsigned_v<T>) value->json_min = NumberText(rule.min);
    if (rule.max != Between<T>{}.max || sizeof(T) < 4) value->json_max = NumberText(rule.max);
    value->expected = RangeText(kWhole ? "a whole number" : "a number", value->json_min, value->json_max);
  }
};

struct NoRule {};
template <>
struct Type<bool> {
  using Rule = NoRule;
  static bool Parse(std::string_view text, const Rule&, bool* out) {
    if (text != "true" && text != "false") return false;
    *out = text == "true";
    return true;
  }
  static std::string Format(bool flag) { return flag ? "true" : "false"; }
  static void Explain(const Rule&, Value* value) {
    value->json_type = "boolean";
    value->expected = "true or false";
  }
};

template <>
struct Type<Duration> {
  using Rule = Between<Duration>;
  static bool Parse(std::string_view text, const Rule& rule, Duration* out) {
    const Result<Duration> parsed = ParseDuration(text);
    if (!parsed.ok() || *parsed < rule.min || *parsed > rule.max) return false;
    *out = *parsed;
    return true;
  }
  static std::string Format(Duration duration) { return FormatDuration(duration); }
  static void Explain(const Rule& rule, Value* value) {
    value->json_type = "string";
    value->expected = RangeText("a duration", rule.min > Duration::zero() ? FormatDuration(rule.min) : "",
                                rule.max < Duration::max() ? FormatDuration(rule.max) : "") +
                      " (such as 250ms, 5s or 1h30m)";
  }
};

template <>
struct Type<ByteSize> {
  using Rule = Between<ByteSize>;
  static bool Parse(std::string_view text, const Rule& rule, ByteSize* out) {
    const Result<ByteSize> parsed = ParseByteSize(text);
    if (!parsed.ok() || *parsed < rule.min || *parsed > rule.max) return false;
    *out = *parsed;
    return true;
  }
  static std::string Format(ByteSize size) { return FormatByteSize(size); }
  static void Explain(const Rule& rule, Value* value) {
    value->json_type = "string";
    value->expected = RangeText("a size", rule.min > ByteSize{0} ? FormatByteSize(rule.min) : "",
                                rule.max < Between<ByteSize>{}.max ? FormatByteSize(rule.max) : "") +
                      " (such as 512KiB or 64MiB)";
  }
};

// UTF-8 continuation bytes are not counted.
std::size_t CharacterCount(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string OneOf(const std::vector<std::string>& names) {
  std::string text = "one of ";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return text;
}

template <>
struct Type<std::string> {
  using Rule = TextRule;
  static bool Parse(std::string_view text, const Rule& rule, std::string* out) {
    if (!rule.allowed.empty()) {
      if (std::find(rule.allowed.begin(), rule.allowed.end(), text) == rule.allowed.end()) return false;
    } else {
      const std::size_t length = CharacterCount(text);
      if (length < rule.min_length || length > rule.max_length) return false;
    }
    *out = text;
    return true;
  }
  static std::string Format(const std::string& text) { return text; }
  static void Explain(const Rule& rule, Value* value) {
    value->json_type = "string";
    value->text = true;
    value->allowed = rule.allowed;
    if (!rule.allowed.empty()) {
      value->expected = OneOf(rule.allowed);
    } else if (rule.min_length != 0 && rule.max_length != TextRule{}.max_length) {
      value->expected =
          "text of " + NumberText(rule.min_length) + " to " + NumberText(rule.max_length) + " characters";
    } else if (rule.min_length != 0) {
      value->expected = rule.min_length == 1
                            ? "text that is not empty"
                            : "text of at least " + NumberText(rule.min_length) + " characters";
    } else if (rule.max_length != TextRule{}.max_length) {
      value->expected = "text of at most " + NumberText(rule.max_length) + " characters";
    } else {
      value->expected = "text";
    }
  }
};

template <class T>
Value MakeValue(T* target, typename Type<T>::Rule rule) {
  Value value;
  Type<T>::Explain(rule, &value);
  value.set = [target, rule](std::string_view text) { return Type<T>::Parse(text, rule, target); };
  value.get = [target] { return Type<T>::Format(*target); };
  return value;
}

template <class T>
Value MakeValue(std::optional<T>* target, typename Type<T>::Rule rule) {
  Value value;
  Type<T>::Explain(rule, &value);
  value.optional = true;
  value.set = [target, rule](std::string_view text) {
    T parsed{};
    if (!Type<T>::Parse(text, rule, &parsed)) return false;
    *target = std::move(parsed);
    return true;
  };
  value.reset = [target] { target->reset(); };
  value.is_set = [target] { return target->has_value(); };
  value.get = [target] { return target->has_value() ? Type<T>::Format(**target) : std::string(); };
  return value;
}

bool IsSnakeCase(std::string_view key) {
  if (key.empty() || key.front() < 'a' || key.front() > 'z' || key.find("__") != std::string_view::npos)
    return false;
  return std::all_of(key.begin(), key.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

}  // namespace

Section::Section() = default;
Section::~Section() = default;
Section::Section(Section&&) noexcept = default;
Section& Section::operator=(Section&&) noexcept = default;

Node& Section::Add(std::string_view key, const FieldDoc& doc) {
  HONRYU_CHECK(IsSnakeCase(key), "a configuration key is not snake_case");
  for (const auto& node : nodes_) HONRYU_CHECK(node->key != key, "a configuration key is described twice");
  nodes_.push_back(std::make_unique<Node>());
  nodes_.back()->key = key;
  nodes_.back()->doc = doc;
  return *nodes_.back();
}

// NOLINTBEGIN(bugprone-easily-swappable-parameters)
void Section::Field(std::string_view key, bool* target, const FieldDoc& doc) {
  Add(key, doc).value = MakeValue(target, NoRule{});
}
void Section::Field(std::string_view key, int* target, const FieldDoc& doc, Between<int> range) {
  Add(key, doc).value = MakeValue(target, range);
}
void Section::Field(std::string_view key, std::int64_t* target, const FieldDoc& doc,
                    Between<std::int64_t> range) {
  Add(key, doc).value = MakeValue(target, range);
}
void Section::Field(std::string_view key, std::uint16_t* target, const FieldDoc& doc,
                    Between<std::uint16_t> range) {
  Add(key, doc).value = MakeValue(target, range);
}
void Section::Field(std::string_view key, std::uint32_t* target, const FieldDoc& doc,
                    Between<std::uint32_t> range) {
  Add(key, doc).value = MakeValue(target, range);
}
void Section::Field(std::string_view key, std::uint64_t* target, const FieldDoc& doc,
                    Between<std::uint64_t> range) {
  Add(key, doc).value = MakeValue(target, range);
}
void Section::Field(std::string_view key, double* target, const FieldDoc& doc, Between<double> range) {
  Add(key, doc).value = MakeValue(target, range);
}
void Section::Field(std::string_view key, Duration* target, const FieldDoc& doc, Between<Duration> range) {
  Add(key, doc).value = MakeValue(target, range);
}
void Section::Field(std::string_view key, ByteSize* target, const FieldDoc& doc, Between<ByteSize> range) {
  Add(key, doc).value = MakeValue(target, range);
}
void Section::Field(std::string_view key, std::string* target, const FieldDoc& doc, const TextRule& rule) {
  Add(key, doc).value = MakeValue(target, rule);
}
void Section::Field(std::string_view key, std::optional<std::uint64_t>* target, const FieldDoc& doc,
                    Between<std::uint64_t> range) {
  Add(key, doc).value = MakeValue(target, range);
}
void Section::Field(std::string_view key, std::optional<Duration>* target, const FieldDoc& doc,
                    Between<Duration> range) {
  Add(key, doc).value = MakeValue(target, range);
}
void Section::Field(std::string_view key, std::optional<ByteSize>* target, const FieldDoc& doc,
                    Between<ByteSize> range) {
  Add(key, doc).value = MakeValue(target, range);
}
void Section::Field(std::string_view key, std::optional<std::string>* target, const FieldDoc& doc,
                    const TextRule& rule) {
  Add(key, doc).value = MakeValue(target, rule);
}
// NOLINTEND(bugprone-easily-swappable-parameters)

void Section::Field(std::string_view key, std::vector<std::string>* target, const FieldDoc& doc,
                    const TextRule& rule) {
  Node& node = Add(key, doc);
  node.kind = Node::Kind::kTexts;
  node.texts = target;
  Type<std::string>::Explain(rule, &node.value);
  node.value.set = [rule](std::string_view text) {
    std::string checked;
    return Type<std::string>::Parse(text, rule, &checked);
  };
}

void Section::AddEnum(std::string_view key, const FieldDoc& doc, std::vector<std::string> names,
                      std::function<std::size_t()> get, std::function<void(std::size_t)> set) {
  Value& value = Add(key, doc).value;
  value.json_type = "string";
  value.expected = OneOf(names);
  value.allowed = names;
  value.set = [names, set = std::move(set)](std::string_view text) {
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) return false;
    set(static_cast<std::size_t>(found - names.begin()));
    return true;
  };
  value.get = [names, get = std::move(get)] {
    const std::size_t index = get();
    HONRYU_CHECK(index < names.size(), "an enumerator has no name in its configuration table");
    return names[index];
  };
}

void Section::Sub(std::string_view key, std::string_view doc, const std::function<void(Section&)>& describe) {
  Node& node = Add(key, FieldDoc{doc});
  node.kind = Node::Kind::kSection;
  node.section = std::make_unique<Section>();
  describe(*node.section);
}

void Section::AddList(std::string_view key, const FieldDoc& doc, internal::ListAccess access) {
  Node& node = Add(key, doc);
  node.kind = Node::Kind::kList;
  node.list = std::move(access);
}

void Section::Check(std::function<Result<void>()> check) { checks_.push_back(std::move(check)); }

}  // namespace honryu::config
