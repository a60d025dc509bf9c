#pragma once

#include "honryu/search/store.h"
#include "search/index/segment_builder.h"
#include "search/query/query.h"
#include "search/query/searcher.h"
#include "search/store/catalogue.h"

#include <compare>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace honryu::search {

/// An index's day: its segments are merged with each other only, and dropped together.
struct GroupKey {
  std::string index;
  std::int64_t day = 0;  ///< Days since 1970.
  auto operator<=>(const GroupKey&) const = default;
};

/// A visible segment.
struct Entry {
  std::shared_ptr<const Segment> segment;  // shared with the searches that use it
  std::uint64_t number = 0;                ///< 0: in memory only.
  bool verified = false;                   ///< Its checksums were compared since it was opened.
};

/// Locks, in this order: `maintenance` (one refresh, flush, merge, erasure at a time; catalogue), `writer`
/// (documents being added), `view` (what searches see; a leaf).
struct Store::Impl {
  Impl(StoreConfig c, const Clock& k) : config(std::move(c)), clock(k) {}

  // Adding (store.cc).
  struct Open {
    std::shared_ptr<Mapping> mapping;  // shared with the view; the builder refers to it
    std::unique_ptr<SegmentBuilder> builder;
  };
  GroupKey GroupOf(std::string_view index, std::int64_t time_ms) const;
  Result<void> AddOne(std::string_view shard, const StoreDocument& document, AddResult& result,
                      std::size_t place);
  std::shared_ptr<Mapping> MappingOf(std::string_view index, bool make);

  // Maintenance (maintenance.cc); `maintenance` is held.
  Result<void> Load();
  Result<void> Refresh();
  Result<void> Flush();
  Result<void> MergeMemory(const GroupKey& key);
  Result<void> MergeDisk();
  Result<void> Retain();
  Result<void> VerifyOne();
  /// False when the segment was corrupt, and is now in quarantine.
  Result<bool> Verify(const GroupKey& key, const Entry& entry);
  Result<void> Quarantine(const GroupKey& key, std::uint64_t number, const Error& why);
  Result<Entry> Write(const GroupKey& key, BytesView bytes, Catalogue::Change& change);
  /// Takes the entries with these segments out of the view and puts others in.
  void Replace(const GroupKey& key, const std::vector<std::shared_ptr<const Segment>>& out,
               std::vector<Entry> in);
  std::vector<GroupKey> Groups() const;
  std::vector<Entry> Entries(const GroupKey& key) const;
  std::string SegmentPath(std::uint64_t number) const;
  std::uint64_t MemoryBytes() const;

  // Reading (store.cc).
  std::vector<std::string> Names() const;
  Result<std::vector<IndexedSegment>> Visible(std::string_view indices, const SearchOptions& options) const;

  const StoreConfig config;
  const Clock& clock;

  mutable std::mutex maintenance;
  std::unique_ptr<Catalogue> catalogue;
  std::map<std::string, std::uint64_t, std::less<>> refreshed;  ///< Positions that the view covers.
  std::optional<MonoTime> oldest_in_memory, next_merge, next_retention;

  mutable std::mutex writer;
  std::map<GroupKey, Open> open;
  DocumentParser parser;
  std::map<std::string, std::uint64_t, std::less<>> added;  ///< Positions of all that was added.
  std::uint64_t waiting = 0, open_bytes = 0;
  std::optional<MonoTime> waiting_since;

  mutable std::mutex view;
  std::map<GroupKey, std::vector<Entry>> groups;
  std::map<std::string, std::shared_ptr<Mapping>, std::less<>> mappings;
  std::uint64_t memory_segment_bytes = 0;
  StoreStatistics statistics;
};

}  // namespace honryu::search
