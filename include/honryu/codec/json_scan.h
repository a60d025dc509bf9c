#pragma once

#include "honryu/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::codec {

enum class JsonKind : std::uint8_t { kObject, kArray, kString, kNumber, kBool, kNull };

/// A member of the outermost object of a scanned value.
struct JsonMember {
  BytesView key;    ///< Without quotes, escapes resolved. Valid until the next Scan.
  BytesView value;  ///< As written; strings with their quotes.
  JsonKind kind = JsonKind::kNull;
};

/// Limits of what a value may look like.
struct JsonLimits {
  int max_depth = 32;                     ///< Objects and arrays inside each other, the outermost counted.
  std::size_t max_members = 10000;        ///< Of one object.
  std::size_t max_value_bytes = 1 << 20;  ///< Larger values are scanned, but not searched for duplicate keys.
};

/// Rules beyond RFC 8259's grammar that a well-formed value may break.
enum class JsonRule : std::uint8_t {
  kNone,
  kDuplicateKey,
  kTooDeep,
  kTooManyMembers,
  kLoneSurrogate,
  kInvalidUtf8
};

/// Checks JSON values in place, one after the other, in one pass and without building a tree: the grammar of
/// RFC 8259 in full, UTF-8, unpaired surrogates, duplicate keys at every level, depth. A value that only
/// breaks a rule is read to its end, so that its neighbours are not lost. Not thread-safe; reuse it, its
/// buffers stay allocated.
///
/// Why not simdjson's on-demand parser: it checks only what is visited, while a record must be valid as a
/// whole because its bytes are stored as they came; and one invalid byte fails its whole input, neighbours
/// included.
class JsonScanner {
 public:
  explicit JsonScanner(const JsonLimits& limits = {}) : limits_(limits) {}
  void SetLimits(const JsonLimits& limits) { limits_ = limits; }

  /// Scans the value that begins at text[from] (blanks before it are skipped). True: it is well formed;
  /// begin(), end() and kind() tell where and what, rule() whether it broke a rule. False: error_at() and
  /// error_reason() tell why.
  bool Scan(BytesView text, std::size_t from);

  std::size_t begin() const { return begin_; }
  std::size_t end() const { return end_; }
  JsonKind kind() const { return kind_; }
  /// Members of the value when it is an object.
  const std::vector<JsonMember>& members() const { return members_; }

  /// The first rule that the value breaks.
  JsonRule rule() const { return rule_; }
  /// Dotted path of the member that breaks it; empty for the value as a whole.
  const std::string& rule_field() const { return rule_field_; }

  std::size_t error_at() const { return error_at_; }
  std::string_view error_reason() const { return error_reason_; }

 private:
  struct KeyEntry {
    std::uint64_t mark;  // cheap signature: equal keys have equal marks
    BytesView text;
  };

  bool Value(int depth, JsonKind* kind);
  bool Object(int depth);
  bool Array(int depth);
  bool String(bool* escaped);
  bool Escape();
  bool Number();
  bool Literal(std::string_view word);
  void SkipBlanks();
  bool Fail(std::string_view reason);
  void Break(JsonRule rule, BytesView last_key = {});
  void CheckKeys(std::size_t base);
  bool HexDigits(std::uint32_t* value);

  JsonLimits limits_;
  const char* start_ = nullptr;
  const char* p_ = nullptr;
  const char* stop_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  JsonKind kind_ = JsonKind::kNull;
  JsonRule rule_ = JsonRule::kNone;
  std::string rule_field_;
  std::size_t error_at_ = 0;
  std::string_view error_reason_;
  std::vector<JsonMember> members_;
  std::vector<KeyEntry> keys_;         // of the objects that are open, innermost last
  std::vector<BytesView> path_;        // keys on the way to where we are
  std::deque<std::string> unescaped_;  // owners of keys that were written with escapes
};

/// The text of a scanned JSON string (with its quotes), escapes resolved. `text` must have passed
/// JsonScanner.
std::string UnescapeJsonString(BytesView text);
/// The same without a copy when there are no escapes: a view into `text` or into `*buffer`.
BytesView JsonStringView(BytesView text, std::string* buffer);
/// Number of Unicode characters in valid UTF-8.
std::size_t CountCharacters(BytesView utf8);
/// Finds a member by dotted path inside a scanned object: `found` gets its value as written. False when
/// absent.
bool FindMember(BytesView object, std::string_view dotted_path, BytesView* found);

}  // namespace honryu::codec
