#pragma once

#include "honryu/alerting/condition.h"
#include "honryu/anomaly/series_detector.h"
#include "honryu/client/stream_client.h"
#include "honryu/processors/detector/detector.h"

#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace honryu::processors::detector {

/// What a watch has found odd; with grade 0 the end of it.
struct Anomaly {
  std::string watch, stream, key;
  Timestamp from, to;  ///< The time of arrival of what the value stands for.
  Timestamp raw_from;  ///< The raw events behind it came in [raw_from, to).
  double value = 0;
  anomaly::SeriesScore score;
  std::string cause;            ///< The view of the forests, or the name of the condition.
  std::optional<double> limit;  ///< Of a condition.
  anomaly::ExpectedValue expected;
  std::string row;
  std::string shard;          ///< Of the watched stream; empty when time alone told.
  SequenceNumber sequence{};  ///< Of the row.

  std::string id() const;
};

/// All series of one watch. Pure; not thread-safe.
class SeriesWatch {
 public:
  explicit SeriesWatch(Watch watch);

  /// A record of the stream. `report`: false while history is read again, which is learned only.
  void Read(const codec::Json& json, const client::StreamRecord& record, const std::string& shard,
            bool report, std::vector<Anomaly>& out);
  /// Time has come to `now` and no record before it is missing.
  void Advance(Timestamp now, bool report, std::vector<Anomaly>& out);

  std::size_t series() const { return detectors_.size(); }
  std::size_t memory_bytes() const;
  std::uint64_t evicted() const { return evicted_; }
  std::uint64_t scored() const { return scored_; }

 private:
  struct Series {
    anomaly::SeriesDetector detector;
    std::list<std::string>::iterator place;
    std::vector<alerting::ConditionState> conditions;  ///< One each of the watch.
    Timestamp seen{};                                  ///< The last sample.
    bool odd = false;                                  ///< It was.
    bool absent = false;                               ///< That none comes was told.
  };
  Series& SeriesOf(const std::string& key);
  bool FarFromUsual(const alerting::Sample& sample, const anomaly::ExpectedValue& expected) const;
  bool OddByForest(Series& series, const alerting::Sample& sample, Anomaly& found);
  bool OddByCondition(Series& series, const alerting::Sample& sample, Anomaly& found) const;
  Anomaly About(const std::string& key, const Series& series, Timestamp to) const;
  void Score(const alerting::Sample& sample, std::optional<Timestamp> window, bool report,
             std::vector<Anomaly>& out);
  void TellOfTheAbsent(Timestamp now, bool report, std::vector<Anomaly>& out);

  Watch watch_;
  alerting::SeriesReader reader_;
  std::map<std::string, Series> detectors_;
  std::list<std::string> used_;  // the most recently used first
  std::uint64_t evicted_ = 0;
  std::uint64_t scored_ = 0;
};

/// A record of the stream `anomalies` (docs/formats/anomalies.md). `raw`: ready-made JSON about the raw
/// events behind it; may be empty.
std::string ToJson(const Anomaly& anomaly, const std::string& raw);

}  // namespace honryu::processors::detector
