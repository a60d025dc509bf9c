#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace honryu::search {

struct Query;

/// A value as a query gives it. Numbers may come as strings and the reverse: each column takes what it can
/// read.
using Scalar = std::variant<std::string, std::int64_t, double, bool>;

/// A list whose copies share its elements, so that each word of a text can have the list of fields. Value
/// type.
template <class T>
class SharedList {
 public:
  SharedList() = default;
  SharedList(std::initializer_list<T> items) : SharedList(std::vector<T>(items)) {}
  explicit SharedList(std::vector<T> items) : items_(std::make_shared<std::vector<T>>(std::move(items))) {}
  bool empty() const { return items_ == nullptr || items_->empty(); }
  std::size_t size() const { return items_ == nullptr ? 0 : items_->size(); }
  const T& operator[](std::size_t i) const { return (*items_)[i]; }
  const T* begin() const { return items_ == nullptr ? nullptr : items_->data(); }
  const T* end() const { return items_ == nullptr ? nullptr : items_->data() + items_->size(); }
  /// Other copies do not see it.
  void push_back(T item) {
    if (items_ == nullptr || items_.use_count() > 1)
      items_ = std::make_shared<std::vector<T>>(begin(), end());
    items_->push_back(std::move(item));
  }

 private:
  std::shared_ptr<std::vector<T>> items_;  // shared: written only while this is its one owner
};

struct MatchAllQuery {};
struct MatchNoneQuery {};

/// All of must and filter, none of must_not, and `minimum` of should (by default one when there is nothing
/// in must and filter, otherwise none).
struct BoolQuery {
  std::vector<Query> must, filter, should, must_not;
  std::string minimum;  ///< "2", "-1", "75%", "-25%"; empty: the default.
};

/// One of these exact values (in an analysed view: of these tokens).
struct TermsQuery {
  std::string field;
  std::vector<Scalar> values;
  bool case_insensitive = false;
};

struct IdsQuery {
  std::vector<std::string> ids;
};

struct ExistsQuery {
  std::string field;
};

/// Strings (in an analysed view: tokens) that a pattern fits wholly.
struct PatternQuery {
  enum class Kind : std::uint8_t {
    kPrefix,
    kWildcard,  ///< `*`, `?` and `\` before a character that is meant as it is.
    kRegexp,    ///< As ICU has it, anchored at both ends.
    kFuzzy,     ///< Within `edits` of `pattern`.
  };
  std::string field;
  Kind kind = Kind::kPrefix;
  std::string pattern;
  bool case_insensitive = false;
  unsigned edits = 2;
};

struct RangeQuery {
  std::string field;
  std::optional<Scalar> low, high;
  bool include_low = true, include_high = true;
  std::string format, time_zone;
};

/// Analysed text.
struct MatchQuery {
  enum class Kind : std::uint8_t {
    kTerms,         ///< Any (or all, or `minimum`) of the words.
    kPhrase,        ///< The words one behind the other, `slop` moves allowed.
    kPhrasePrefix,  ///< As kPhrase; the last word need only begin so.
    kBoolPrefix,    ///< As kTerms; the last word need only begin so.
    kWildcard,      ///< A pattern for a token (where nothing is analysed: for a value), folded like it.
    kRegexp,        ///< A regular expression for the same.
    kFuzzy,         ///< A word within `slop` edits.
  };
  struct Field {
    std::string name;  ///< May hold `*`.
    double boost = 1;
  };
  using Fields = SharedList<Field>;
  Fields fields;  ///< The best one counts; empty: every text field.
  std::string text;
  Kind kind = Kind::kTerms;
  bool all = false;
  std::string minimum;
  std::uint32_t slop = 0;
};

/// Points inside, edges included. Longitudes may pass the date line (left > right).
struct GeoBoxQuery {
  std::string field;
  double top = 90, left = -180, bottom = -90, right = 180;
};

struct GeoDistanceQuery {
  std::string field;
  double lat = 0, lon = 0, metres = 0;
};

/// Matches as its inner query; every match scores 1.
struct ConstantScoreQuery {
  std::vector<Query> inner;  ///< Exactly one; a vector because Query is incomplete here.
};

/// A query tree. Value type.
struct Query {
  using Node =
      std::variant<MatchAllQuery, MatchNoneQuery, BoolQuery, TermsQuery, IdsQuery, ExistsQuery, PatternQuery,
                   RangeQuery, MatchQuery, GeoBoxQuery, GeoDistanceQuery, ConstantScoreQuery>;
  Node node;
  double boost = 1;
};

/// When to give up.
struct SearchLimits {
  const Clock* clock = nullptr;  ///< Null pointer: no deadline.
  MonoTime deadline{};
  const std::atomic<bool>* cancelled = nullptr;  ///< kCancelled once true.
  class AggCache* aggs = nullptr;                ///< Remembers aggregations; null: nothing does.

  /// kCancelled, kDeadlineExceeded.
  Result<void> Check() const {
    if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed))
      return Error(ErrorCode::kCancelled, "the search was cancelled");
    if (clock != nullptr && clock->Mono() >= deadline)
      return Error(ErrorCode::kDeadlineExceeded, "the search took too long");
    return Ok();
  }
};

/// What does not depend on the segment.
struct QueryContext {
  std::int64_t now_ms = 0;
  SearchLimits limits{};  ///< Looked at between the parts of a query, and while dictionaries are scanned.
};

}  // namespace honryu::search
