#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/codec/json.h"

#include <cstdint>
#include <optional>
#include <string>

namespace honryu::codec {

/// One head of a CBOR data item (RFC 8949 §3): a whole scalar or string, or the start of an array, map or
/// tag.
struct CborItem {
  enum class Kind : std::uint8_t {
    kUnsigned,  ///< `number`
    kNegative,  ///< -1 - `number`
    kBytes,     ///< `text`
    kText,      ///< `text`, valid UTF-8
    kArray,     ///< `number` items follow, or any up to a break when `indefinite`
    kMap,       ///< `number` pairs follow, or any up to a break when `indefinite`
    kTag,       ///< `number`; the tagged item follows
    kBool,      ///< `number` is 0 or 1
    kNull,      ///< null or undefined
    kFloat,     ///< `real`; half, single or double on the wire
    kBreak,     ///< the end of an array or map of indefinite length
  };
  Kind kind = Kind::kNull;
  bool indefinite = false;
  std::uint64_t number = 0;
  double real = 0;
  BytesView text;
};

/// Reads CBOR item by item without building anything. Not thread-safe.
class CborReader {
 public:
  /// `input` must outlive the reader.
  explicit CborReader(BytesView input) : rest_(input) {}
  /// The next head. Strings of indefinite length come joined. `text` points into the input, or for a joined
  /// string into the reader, until the next call. kInvalidArgument: cut short, reserved additional
  /// information, a text that is no UTF-8, an unassigned simple value. Nesting and the place of breaks are
  /// the caller's to judge.
  Result<CborItem> Next();
  bool AtEnd() const { return rest_.empty(); }
  /// Bytes not yet read.
  std::size_t remaining() const { return rest_.size(); }

 private:
  Result<std::uint64_t> Argument(unsigned info);
  Result<void> JoinChunks(unsigned major);

  BytesView rest_;
  std::string joined_;
};

/// Bounds of ParseCbor; both protect memory, since one byte of input can become one value.
struct CborLimits {
  std::size_t max_depth = 64;
  std::size_t max_items = 1 << 18;
};

/// Reads exactly one CBOR item into the tree that JSON is read into. Byte strings become Json::Blob. Tag 1
/// (an epoch time) becomes seconds as a number: of an integer it is taken to hold milliseconds, as AWS SDKs
/// send it, of a float seconds, as RFC 8949 has it. Other tags are dropped, undefined is null, negative
/// integers below -2^63 become doubles. kInvalidArgument: not well-formed, a map key that is no text, bytes
/// behind the item; kTooLarge: nested deeper or more items than the limits.
Result<Json> ParseCbor(BytesView input, const CborLimits& limits = {});

/// Writes CBOR by appending to one growing string, numbers in their shortest form (RFC 8949 §4.1). The caller
/// keeps maps and arrays balanced. Not thread-safe.
class CborWriter {
 public:
  explicit CborWriter(std::string& out) : out_(out) {}
  /// Without a size: of indefinite length, to be closed by End().
  void BeginArray(std::optional<std::size_t> items = std::nullopt) { Begin(4, items); }
  void BeginMap(std::optional<std::size_t> pairs = std::nullopt) { Begin(5, pairs); }
  void End() { out_.push_back('\xff'); }
  void Text(BytesView utf8);  ///< Must be valid UTF-8.
  void Blob(BytesView bytes);
  void Uint(std::uint64_t value) { Head(0, value); }
  void Int(std::int64_t value);
  void Double(double value);
  void Bool(bool value) { out_.push_back(value ? '\xf5' : '\xf4'); }
  void Null() { out_.push_back('\xf6'); }
  void Tag(std::uint64_t tag) { Head(6, tag); }
  /// As AWS writes times: tag 1 around integer milliseconds.
  void Time(Timestamp time);
  /// Ready-made items in place of one.
  void Raw(BytesView cbor) { out_.append(cbor); }

 private:
  void Head(unsigned major, std::uint64_t argument);
  void Begin(unsigned major, std::optional<std::size_t> count);
  std::string& out_;
};

}  // namespace honryu::codec
