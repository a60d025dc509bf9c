#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/base/units.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace honryu::config {

enum class Audience : std::uint8_t {
  kUser,        ///< Everybody may want to set it.
  kTunable,     ///< For measured tuning; the default suits nearly everybody.
  kDeprecated,  ///< Still read, with a warning.
};

/// What people are told about a field. The texts must outlive the Section (use literals).
struct FieldDoc {
  std::string_view doc;        ///< One sentence, e.g. "Port to listen on; 0 picks a free one."
  std::string_view example{};  ///< Shown where the default is empty or unset.
  bool secret = false;         ///< Never printed. A secret text `x` may be given as `x_file: path` instead.
  bool required = false;       ///< Must be given; for the fields of list items.
  bool reloadable = false;     ///< Takes effect without a restart.
  Audience audience = Audience::kUser;
  std::string_view former_key{};  ///< An older name that is still read, with a warning.
};

/// Closed range of a field. The default is all that the type holds; times and sizes are never negative.
template <class T>
struct Between {
  T min = std::numeric_limits<T>::lowest();
  T max = std::numeric_limits<T>::max();
};
template <>
struct Between<Duration> {
  Duration min = Duration::zero();
  Duration max = Duration::max();
};
template <>
struct Between<ByteSize> {
  ByteSize min{0};
  ByteSize max{std::numeric_limits<std::uint64_t>::max()};
};

/// What a text may be: one of `allowed` if there are any, else any text of so many characters (UTF-8).
struct TextRule {
  std::vector<std::string> allowed{};
  std::size_t min_length = 0;
  std::size_t max_length = 4096;
};

class Section;

namespace internal {
struct Node;
/// How a list of structs is read and shown without its type.
struct ListAccess {
  std::function<void()> clear;
  std::function<std::size_t()> size;
  std::function<void(Section&)> append;  ///< Adds one item and describes it.
  std::function<void(std::size_t, Section&)> describe_at;
  std::function<void(Section&)> describe_sample;  ///< Describes an item that belongs to no list.
};
}  // namespace internal

/// A group of settings, filled by a describe function that binds keys to the members of a config struct:
///
///   void Describe(ServerConfig& config, Section& section) {
///     section.Field("port", &config.port, {.doc = "Port to listen on."}, {1, 65535});
///     section.Field("idle_timeout", &config.idle_timeout, {.doc = "Closes idle connections."}, {1s, 1h});
///     section.Sub("tls", "Encryption.", [&](Section& s) { Describe(config.tls, s); });
///     section.List("api_keys", &config.api_keys, {.doc = "Who may write."}, DescribeApiKey);
///     section.Check([&config] { return config.Validate(); });
///   }
///
/// The values found in the struct are the defaults. Keys are snake_case, unique in their section (broken ones
/// abort: they are bugs). The targets must outlive the section. Not thread-safe.
class Section {
 public:
  Section();
  ~Section();
  Section(Section&&) noexcept;
  Section& operator=(Section&&) noexcept;

  void Field(std::string_view key, bool* target, const FieldDoc& doc);
  void Field(std::string_view key, int* target, const FieldDoc& doc, Between<int> range = {});
  void Field(std::string_view key, std::int64_t* target, const FieldDoc& doc,
             Between<std::int64_t> range = {});
  void Field(std::string_view key, std::uint16_t* target, const FieldDoc& doc,
             Between<std::uint16_t> range = {});
  void Field(std::string_view key, std::uint32_t* target, const FieldDoc& doc,
             Between<std::uint32_t> range = {});
  void Field(std::string_view key, std::uint64_t* target, const FieldDoc& doc,
             Between<std::uint64_t> range = {});
  void Field(std::string_view key, double* target, const FieldDoc& doc, Between<double> range = {});
  void Field(std::string_view key, Duration* target, const FieldDoc& doc, Between<Duration> range = {});
  void Field(std::string_view key, ByteSize* target, const FieldDoc& doc, Between<ByteSize> range = {});
  void Field(std::string_view key, std::string* target, const FieldDoc& doc, const TextRule& rule = {});
  /// A list of texts; `rule` holds for each. In an override: "a,b,c" or "[a, b]".
  void Field(std::string_view key, std::vector<std::string>* target, const FieldDoc& doc,
             const TextRule& rule = {});
  /// Optional fields: null (or nothing) unsets them.
  void Field(std::string_view key, std::optional<std::uint64_t>* target, const FieldDoc& doc,
             Between<std::uint64_t> range = {});
  void Field(std::string_view key, std::optional<Duration>* target, const FieldDoc& doc,
             Between<Duration> range = {});
  void Field(std::string_view key, std::optional<ByteSize>* target, const FieldDoc& doc,
             Between<ByteSize> range = {});
  void Field(std::string_view key, std::optional<std::string>* target, const FieldDoc& doc,
             const TextRule& rule = {});

  /// An enumeration by its names: section.Enum("durability", &c.durability, {.doc = …}, {{"fsync",
  /// Durability::kFsync}, …}).
  template <class E>
    requires std::is_enum_v<E>
  void Enum(std::string_view key, E* target, const FieldDoc& doc,
            std::initializer_list<std::pair<std::string_view, std::type_identity_t<E>>> names) {
    const std::vector<std::pair<std::string_view, E>> table(names.begin(), names.end());
    std::vector<std::string> texts;
    for (const auto& entry : table) texts.emplace_back(entry.first);
    AddEnum(
        key, doc, std::move(texts),
        [target, table] {
          for (std::size_t i = 0; i < table.size(); ++i) {
            if (table[i].second == *target) return i;
          }
          return table.size();
        },
        [target, table](std::size_t index) { *target = table[index].second; });
  }

  /// A nested section.
  void Sub(std::string_view key, std::string_view doc, const std::function<void(Section&)>& describe);

  /// A list of structs; `describe_one(T&, Section&)` describes an item. A list that is given replaces the
  /// default one. In faults and overrides items are counted from 0: api_keys[0].name, api_keys.0.name=x.
  template <class T, class DescribeOne>
  void List(std::string_view key, std::vector<T>* target, const FieldDoc& doc, DescribeOne describe_one) {
    internal::ListAccess access;
    access.clear = [target] { target->clear(); };
    access.size = [target] { return target->size(); };
    access.append = [target, describe_one](Section& section) {
      target->emplace_back();
      describe_one(target->back(), section);
    };
    access.describe_at = [target, describe_one](std::size_t index, Section& section) {
      describe_one((*target)[index], section);
    };
    access.describe_sample = [sample = std::make_shared<T>(), describe_one](Section& section) {
      describe_one(*sample, section);
    };
    AddList(key, doc, std::move(access));
  }

  /// A rule over several fields, run after the section has been read without a fault. Each line of its
  /// message becomes a fault of its own.
  void Check(std::function<Result<void>()> check);

  const std::vector<std::unique_ptr<internal::Node>>& nodes() const { return nodes_; }
  const std::vector<std::function<Result<void>()>>& checks() const { return checks_; }

 private:
  internal::Node& Add(std::string_view key, const FieldDoc& doc);
  void AddEnum(std::string_view key, const FieldDoc& doc, std::vector<std::string> names,
               std::function<std::size_t()> get, std::function<void(std::size_t)> set);
  void AddList(std::string_view key, const FieldDoc& doc, internal::ListAccess access);

  std::vector<std::unique_ptr<internal::Node>> nodes_;
  std::vector<std::function<Result<void>()>> checks_;
};

/// Binds a whole configuration to its root section.
using DescribeFunction = std::function<void(Section&)>;

}  // namespace honryu::config
