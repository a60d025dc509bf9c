#pragma once

#include "honryu/base/result.h"
#include "honryu/search/analyzer.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

/// What a field holds. On disk (the catalogue keeps mappings as JSON with these names).
enum class FieldType : std::uint8_t {
  kText,     ///< A string: analysed under its own name, exact under `name.keyword`.
  kKeyword,  ///< A string, exact only.
  kLong,     ///< A whole number of 64 bits.
  kDouble,   ///< Any other number.
  kBoolean,
  kDate,      ///< Milliseconds since 1970; from ISO 8601 strings or numbers.
  kGeoPoint,  ///< Strings and arrays become the doubles `name.lat` and `name.lon`, objects keep their
              ///< members.
  kDisabled,  ///< Kept in the source only.
};
std::string_view FieldTypeName(FieldType type);

/// A further analysed view of a string field, under `field.name`.
struct TextFieldView {
  std::string name;
  AnalyzerKind analyzer = AnalyzerKind::kStandard;
};

struct FieldSpec {
  FieldType type = FieldType::kText;
  AnalyzerKind analyzer = AnalyzerKind::kStandard;
  std::vector<TextFieldView> views;
  std::string format;        ///< Of a date: Java patterns; empty: ISO 8601 and epoch milliseconds.
  bool conflicting = false;  ///< Values of another type came: they are kept, each found by its own type.
};

/// What a new field becomes, by its name and the kind of its first value ("dynamic_templates"). Patterns may
/// hold
/// `*`; empty ones fit everything.
struct DynamicTemplate {
  std::string name;
  std::string match, unmatch;            ///< The last part of the path.
  std::string path_match, path_unmatch;  ///< All of it.
  std::string kind;                      ///< "string", "long", "double", "boolean", "date"; empty: any.
  std::string mapping;                   ///< JSON of the field; "{dynamic_type}" and "{name}" are filled in.
  std::string body;                      ///< As it was given, for ToJson.
};

/// The kind of a JSON value, for choosing a type the first time a field is seen.
enum class ValueKind : std::uint8_t { kString, kDateString, kLong, kDouble, kBoolean };

struct MappingLimits {
  std::size_t fields = 1000;      ///< Beyond it new fields are stored but cannot be searched.
  std::size_t name_bytes = 512;   ///< Of a dotted name; longer ones likewise.
  std::size_t depth = 20;         ///< Of nested objects.
  std::size_t exact_bytes = 256;  ///< Longer strings leave the exact column; exact queries read the source.
  std::size_t tokens = 10'000;    ///< Of one string.
};

/// Names that the store or its API uses for every document: a document's own members of these names are kept
/// in the source only.
bool IsStoreField(std::string_view name);

/// The fields of an index, explicit and learnt. Thread-safe.
class Mapping {
 public:
  explicit Mapping(MappingLimits limits = {});
  /// Takes the `properties`, `dynamic` (true; false: new fields are kept in the source only; strict:
  /// documents with new fields are refused, see Allows; also of single objects) and `dynamic_templates` of an
  /// OpenSearch mapping (JSON text of {"properties":{…}}, or of the whole
  /// {"mappings":…}) over what is known: a field's format, analyser and further views stay where it names
  /// none. kInvalidArgument for unknown types, analysers and date formats, and for a type other than the one
  /// that documents have already.
  Result<void> Merge(std::string_view json);
  /// {"properties":{…}} with everything known, dotted names as nested objects. Objects whose members make a
  /// place ({latitude, longitude}, GeoJSON …) have the type geo_point, too: queries take them as one.
  std::string ToJson() const;

  /// The field of `path`, made from the first value's kind when it is new. False when a limit forbids a new
  /// one, the name has an empty part ("", "a..b", ".a"), or the store has a field of that name
  /// (IsStoreField).
  bool Resolve(std::string_view path, ValueKind kind, FieldSpec* spec);
  /// False when no field was declared a geo_point, so that arrays are no places.
  bool has_points() const { return has_points_.load(std::memory_order_relaxed); }
  /// False when nothing is strict, so that Allows need not be asked.
  bool strict() const { return strict_.load(std::memory_order_relaxed); }
  /// Whether a document may have a member at `path`: false where the object that holds it (`parent`; "" is
  /// the document) is strict and knows none of that name.
  bool Allows(std::string_view parent, std::string_view path) const;
  /// False when there is no such field.
  bool Find(std::string_view path, FieldSpec* spec) const;
  void MarkConflicting(std::string_view path);
  std::map<std::string, FieldSpec> Fields() const;
  std::size_t size() const;
  /// Some names, at most 8, of members that are kept in the source only because Resolve forbade a field; the
  /// first since the process began.
  std::vector<std::string> LeftOut() const;
  /// Remembers that strings of this field are hardly ever the same twice (ids, messages), for the segments to
  /// come: these store such strings once. Learnt anew by each process; a few fields, further ones are not
  /// kept.
  void MarkUnique(std::string_view path);
  /// These fields, the first learnt first.
  std::vector<std::string> Unique() const;
  const MappingLimits& limits() const { return limits_; }

 private:
  MappingLimits limits_;
  FieldSpec MakeField(std::string_view path, ValueKind kind) const;
  mutable std::mutex mutex_;  // leaf: nothing is called while it is held
  std::map<std::string, FieldSpec, std::less<>> fields_;
  std::vector<DynamicTemplate> templates_;
  enum class Dynamic : std::uint8_t { kTrue, kFalse, kStrict };
  Dynamic DynamicOf(std::string_view object) const;
  bool date_detection_ = true;                           // strings that look like dates make date fields
  std::map<std::string, Dynamic, std::less<>> dynamic_;  // by object; those inside have it, too
  std::set<std::string, std::less<>> objects_;           // declared ones
  std::atomic<bool> strict_{false}, has_points_{false};
  std::vector<std::string> unique_;
  std::vector<std::string> left_out_;
};

}  // namespace honryu::search
