#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/codec/json.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace honryu::alerting {

/// Which records of a result stream count.
enum class Reading : std::uint8_t {
  kRow,    ///< Every record, early ones of open windows too.
  kFinal,  ///< Records whose `final` is true.
  /// What records add to their windows' values, by time of arrival: an early row of a one-minute window tells
  /// after a second what it has gained. For values that only grow (counts, sums).
  kIncrement,
};

/// How numbers are found in the JSON records of a stream. Fields are dotted paths.
struct SeriesSpec {
  std::vector<std::string> match;  ///< "field=value" or "field!=value", * and ? in the value; all must hold.
  std::vector<std::string> key;    ///< Fields that tell series apart, in this order; none: one series.
  std::string value = "value";     ///< Field of the number; empty: each record counts as 1.
  /// When set, the value is divided by that of the record of the same key and window that this matches; where
  /// records have a number `revision`, of the same revision (for kIncrement it does not matter).
  std::vector<std::string> per_match;
  std::string per_value = "value";
  double per_least = 0;  ///< No number while the divisor is below it.
  Reading reading = Reading::kRow;
  std::string window_start = "start";  ///< Epoch milliseconds or a date-time; absent: one endless window.
  std::string final_field = "final";
  Duration resolution = std::chrono::seconds(5);  ///< kIncrement: length of a bucket, 100 ms or more.
  std::size_t max_keys = 1000;                    ///< The one not seen for longest makes room.

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// One number of one series.
struct Sample {
  std::string key;  ///< "field=value,field=value"; empty without key fields.
  Timestamp time;   ///< kIncrement: end of its bucket; else arrival of the record.
  double value = 0;
  std::string row;  ///< The record it comes from (kIncrement: the last one), at most 4 KiB.
};

/// True if `text` fits the pattern, where * stands for any characters and ? for one.
bool GlobMatch(std::string_view pattern, std::string_view text);
/// Member by dotted path; null pointer if absent. A member whose own name has the dots wins.
const codec::Json* FindPath(const codec::Json& record, std::string_view path);
/// What the field (epoch milliseconds or a date-time) says; nothing when it is absent or neither of them.
std::optional<Timestamp> WindowStart(const codec::Json& record, std::string_view field);
/// A JSON value as plain text: strings without quotes, the rest as JSON writes it; empty for absent ones.
std::string PlainText(const codec::Json* value);

/// Takes the numbers of one SeriesSpec out of a stream's records. Value type; not thread-safe.
///
/// Increments are spread evenly over the time since the key's previous record (at most two buckets), so that
/// records which come once a second do not make steps at the edges of buckets. A bucket is given out when a
/// record or Advance passes its end by `kBucketGrace`; buckets without records then give 0.
class SeriesReader {
 public:
  static constexpr Duration kBucketGrace = std::chrono::milliseconds(1500);

  /// `spec` must be valid.
  explicit SeriesReader(SeriesSpec spec);

  /// Appends what `record` gives. Arrivals may repeat; one that goes back counts as the latest.
  void Read(const codec::Json& record, BytesView text, Timestamp arrival, std::vector<Sample>& out);
  /// Time has come to `now` without a record (kIncrement: gives the buckets that ended).
  void Advance(Timestamp now, std::vector<Sample>& out);
  /// When Advance has something to give: the end and grace of the bucket under way; empty: never.
  std::optional<Timestamp> NextBucket() const;

  const SeriesSpec& spec() const { return spec_; }
  std::size_t keys() const { return keys_.size(); }
  /// Keys that had to make room.
  std::uint64_t evicted() const { return evicted_; }

 private:
  struct Window {
    std::int64_t start_ms = 0;
    double value = 0;
    double per = 0;
    std::optional<double> value_revision, per_revision;
  };
  struct Bucket {
    double value = 0;
    double per = 0;
  };
  struct Key {
    std::deque<Window> windows;  ///< Oldest first, few.
    Timestamp seen;              ///< Arrival of the last record.
    Timestamp value_seen, per_seen;
    std::int64_t next_bucket = 0;  ///< Number of the first bucket not given out.
    std::deque<Bucket> buckets;    ///< From next_bucket on.
    std::string row;
  };
  struct Clause {
    std::string field, pattern;
    bool negated = false;
  };
  static std::vector<Clause> Clauses(const std::vector<std::string>& texts);
  static bool Matches(const std::vector<Clause>& clauses, const codec::Json& record);
  Key& KeyOf(const std::string& name, Timestamp now, bool* fresh);
  void Add(Key& key, double amount, bool per, Timestamp from, Timestamp to);
  void GiveBuckets(const std::string& name, Key& key, Timestamp now, std::vector<Sample>& out);

  SeriesSpec spec_;
  std::vector<Clause> match_, per_match_;
  std::map<std::string, Key> keys_;
  Timestamp now_{};
  std::uint64_t evicted_ = 0;
};

}  // namespace honryu::alerting
