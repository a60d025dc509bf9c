#pragma once

#include "honryu/broker/broker.h"
#include "honryu/broker/sequence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace honryu::broker {

/// A record that a put promised to keep.
struct HistoryRecord {
  std::string key, data;
  SequenceNumber sequence;
  Timestamp arrival;
};

/// What a stream must hold, as plainly as it can be said: every shard that ever was, with all its records in
/// order, also those that retention has dropped since. The reference of history_test.cc.
class HistoryModel {
 public:
  /// Every key has one hash for ever, so that its order is defined: keys "h…" by explicit hash key.
  static std::optional<UInt128> ExplicitHash(const std::string& key) {
    if (key.front() != 'h') return std::nullopt;
    const auto eighth = static_cast<UInt128::Native>(key.back() - '0');
    return UInt128::FromNative(eighth << 125);
  }
  static UInt128 HashOf(const std::string& key) {
    const std::optional<UInt128> given = ExplicitHash(key);
    return given ? *given : Md5HashKey(key);
  }

  /// Records of one moment, of any shards; each key's in the order in which they were put. Those of a shard
  /// lie behind all that it has.
  void Add(std::vector<std::pair<std::uint32_t, HistoryRecord>> fresh) {
    for (const auto& [shard, record] : fresh) {
      by_key[record.key].push_back(record.data);
      arrivals[record.key].push_back(record.arrival);
    }
    std::sort(fresh.begin(), fresh.end(),
              [](const auto& a, const auto& b) { return a.second.sequence < b.second.sequence; });
    for (auto& [shard, record] : fresh) {
      std::vector<HistoryRecord>& all = records[shard];
      SequenceNumber& newest = newest_issued[shard];
      EXPECT_LT(newest, record.sequence) << ShardIdText(shard) << ": a sequence number does not rise";
      newest = record.sequence;
      EXPECT_TRUE(all.empty() || all.back().arrival <= record.arrival) << "time falls along a shard";
      all.push_back(std::move(record));
    }
  }

  /// Takes over a description of the stream: checks that it continues what was known.
  void Learn(const Stream& stream) {
    std::vector<const Shard*> open;
    for (const Shard& shard : stream.shards) {
      const auto [place, fresh] = shards.try_emplace(shard.index, shard);
      if (fresh) {
        CheckLineage(shard);
      } else if (place->second.ending) {
        EXPECT_EQ(place->second.ending, shard.ending) << "the end of a shard moves";
      } else if (shard.ending) {
        place->second.ending = shard.ending;
      }
      if (!shard.ending) open.push_back(&shard);
      if (shard.ending) EXPECT_LT(newest_issued[shard.index], *shard.ending);
    }
    std::sort(open.begin(), open.end(),
              [](const Shard* a, const Shard* b) { return a->hash_start < b->hash_start; });
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(open.front()->hash_start, UInt128());
    EXPECT_EQ(open.back()->hash_end, UInt128::Max());
    for (std::size_t i = 1; i < open.size(); ++i)
      EXPECT_EQ(open[i]->hash_start, UInt128::FromNative(open[i - 1]->hash_end.native() + 1));
  }

  std::vector<std::uint32_t> ChildrenOf(std::uint32_t parent) const {
    std::vector<std::uint32_t> out;
    for (const auto& [index, shard] : shards) {
      if (shard.parent == parent || shard.adjacent_parent == parent) out.push_back(index);
    }
    return out;
  }

  /// Index of the first record of `shard` that is not before `time`.
  std::size_t FirstAt(std::uint32_t shard, Timestamp time) {
    const std::vector<HistoryRecord>& all = records[shard];
    return static_cast<std::size_t>(
        std::partition_point(all.begin(), all.end(), [&](const auto& r) { return r.arrival < time; }) -
        all.begin());
  }

  std::map<std::uint32_t, Shard> shards;  ///< All that ever were, as last seen.
  std::map<std::uint32_t, std::vector<HistoryRecord>> records;
  std::map<std::uint32_t, SequenceNumber> newest_issued;
  std::map<std::string, std::vector<std::string>> by_key;
  std::map<std::string, std::vector<Timestamp>> arrivals;  ///< Of by_key's.
  Timestamp floor;  ///< Records before it may be gone for ever; never falls.

 private:
  void CheckLineage(const Shard& shard) {
    if (!shard.parent) return;
    UInt128 start = UInt128::Max(), end;
    for (const std::optional<std::uint32_t>& index : {shard.parent, shard.adjacent_parent}) {
      if (!index) continue;
      ASSERT_TRUE(shards.contains(*index)) << "the parent of a shard was never seen";
      const Shard& parent = shards.at(*index);
      ASSERT_TRUE(parent.ending.has_value()) << "a child of an open shard";
      EXPECT_LT(*parent.ending, shard.starting) << "a child's numbers do not lie above its parent's";
      start = std::min(start, parent.hash_start);
      end = std::max(end, parent.hash_end);
    }
    if (shard.adjacent_parent) {
      EXPECT_TRUE(shard.hash_start == start && shard.hash_end == end);
    } else {
      EXPECT_TRUE(start <= shard.hash_start && shard.hash_end <= end);
    }
  }
};

}  // namespace honryu::broker
