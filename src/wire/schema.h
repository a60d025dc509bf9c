#pragma once

#include "honryu/codec/json.h"
#include "honryu/wire/fault.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace honryu::wire {

enum class FieldType : std::uint8_t {
  kString,
  kInteger,
  kBoolean,
  kBlob,
  kTimestamp,
  kList,
  kMap,
  kStructure
};

/// A regular expression of the service model: its text for messages, and a hand-written matcher (std::regex
/// is recursive and slow on hostile input).
struct Pattern {
  std::string_view text;
  bool (*matches)(std::string_view value);
};
extern const Pattern kNamePattern;       // [a-zA-Z0-9_.-]+
extern const Pattern kStreamArnPattern;  // arn:aws.*:kinesis:.*:\d{12}:stream/\S+
extern const Pattern kHashKeyPattern;    // 0|([1-9]\d{0,38})
extern const Pattern kSequencePattern;   // 0|([1-9]\d{0,128})

/// One member of a request and the rules of the service model about it. Rules are judged in the order
/// notNull, pattern or enum, length, value: the order in which Kinesis lists them.
struct Field {
  std::string_view name;
  FieldType type = FieldType::kString;
  bool not_null = false;
  std::string_view unless{};  ///< not_null is waived when this sibling is given.
  const Pattern* pattern = nullptr;
  std::span<const std::string_view> enumeration{};
  std::optional<std::int64_t> min_length{}, max_length{};  ///< Characters, bytes of a blob, items of a list.
  std::optional<std::int64_t> min_value{}, max_value{};
  std::span<const Field>
      children{};                ///< Members of a structure; of a list or map one nameless field: the item.
  std::string_view item_text{};  ///< How a structure prints as an item of a list in messages.
  std::optional<std::int64_t> map_key_max{},
      map_value_max{};                     ///< Lengths of map keys (from 1) and values (from 0).
  std::optional<std::int64_t> item_max{};  ///< Of a list of strings: their lengths, from 1.
};

/// Type errors (SerializationException) of the first member that has one, in schema order, depth first.
std::optional<Fault> CheckTypes(const codec::Json& body, std::span<const Field> fields);
/// All broken constraints in one ValidationException, at most 10 listed. `body` must have passed CheckTypes.
std::optional<Fault> CheckConstraints(const codec::Json& body, std::span<const Field> fields);

/// A number as Kinesis's Integer: floored, clamped to 32 bits. Not a number gives 0.
std::int32_t ToInteger(const codec::Json& number);
/// Unicode code points of valid UTF-8.
std::size_t CountCharacters(std::string_view utf8);
/// Size of a blob, be it bytes or a well-formed base64 text.
std::size_t BlobSize(const codec::Json& blob);

}  // namespace honryu::wire
