#pragma once

#include "honryu/search/store.h"
#include "search/aggs/agg_cache.h"
#include "search/index/segment_builder.h"
#include "search/query/query.h"
#include "search/query/searcher.h"
#include "search/store/catalogue.h"
#include "search/store/id_filter.h"

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
  /// When its checksums were compared last; none: not since it was opened.
  std::optional<MonoTime> verified{};
  std::shared_ptr<const DocSet> deleted;  ///< Replaced or deleted documents; null: none. Shared like segment.
  std::int64_t sealed_ms = 0;             ///< When its newest document became visible.
  std::shared_ptr<const IdFilter> ids;    ///< Made when first needed. Shared like segment.
  std::uint32_t saved_deletes = 0;        ///< How many of the deleted ones the catalogue knows.

  std::uint32_t living() const { return segment->doc_count() - (deleted != nullptr ? deleted->size() : 0); }
};

/// What a search looks at, and what it would have looked at if it were not corrupt.
struct SegmentView {
  std::vector<IndexedSegment> segments;
  std::vector<LostSegment> lost;
};

/// What a search may look at again.
class Snapshot {
 public:
  explicit Snapshot(SegmentView view) : view_(std::move(view)) {}
  const SegmentView& view() const { return view_; }

 private:
  SegmentView view_;
};

/// A write that says what is to happen to other documents with its id.
struct IdWrite {
  std::string id;
  WriteKind kind = WriteKind::kIndex;
  std::int64_t day = 0;   ///< Of the group its document went to,
  std::uint32_t doc = 0;  ///< and its number there. Meaningless for deletions.
  bool windowed = false;  ///< Looks no further back than StoreConfig::id_window.
};
using IdWrites = std::map<std::string, std::vector<IdWrite>, std::less<>>;  // by index

/// What was erased, for whatever brings it back: a segment rebuilt from the log, or a whole store.
struct Erasure {
  std::string id;
  std::int64_t at_ms = 0;
  std::vector<std::string> indices;  ///< Sorted.
  std::string body;                  ///< {"query":…}
  /// Of the shards at that time: later documents are no matter of it.
  std::map<std::string, std::uint64_t, std::less<>> positions;
  bool done = false;

  std::string Encode(bool with_done) const;
  /// `name`: its id when the text has none (notes of the first kind, all done).
  static Result<Erasure> Decode(std::string_view text, std::string_view name = {});
  /// Its query, of documents up to its positions.
  Result<Query> Bounded() const;
};

/// Locks, in this order: `housekeeping` (one flush, merge, erasure at a time; held while files are written),
/// `maintenance` (one refresh or change of the catalogue at a time; held shortly), `writer` (documents being
/// added), `view` (what searches see; a leaf).
struct Store::Impl {
  Impl(StoreConfig c, const Clock& k) : config(std::move(c)), clock(k) {}

  // Adding (store.cc).
  struct Open {
    std::shared_ptr<Mapping> mapping;  // shared with the view; the builder refers to it
    std::unique_ptr<SegmentBuilder> builder;
    bool perhaps_erased = false;  ///< Holds documents of before an erasure.
  };
  /// With `writer`. May make the index.
  GroupKey GroupOf(std::string_view index, std::int64_t time_ms);
  /// How long an index is kept; 0: for ever.
  Duration RetentionOf(std::string_view index) const;
  Result<void> AddOne(std::string_view shard, const StoreDocument& document, AddResult& result,
                      std::size_t place);
  std::shared_ptr<Mapping> MappingOf(std::string_view index, bool make);

  // Refreshing (refresh.cc); `maintenance` is held.
  Result<void> Refresh();
  struct Sealed {
    GroupKey key;
    Entry entry;
  };
  /// Visible segments of an index that hold ids, with their filters. Needs no lock.
  std::vector<Sealed> WithIds(std::string_view index);
  /// Finds the documents that `writes` replace or delete: in `sealed`, which are about to become visible, and
  /// in older segments, whose entries with what is deleted now are returned.
  std::vector<Sealed> ApplyIds(const IdWrites& writes, std::vector<Sealed>& sealed);

  // Upkeep (maintenance.cc); `housekeeping` is held, and `maintenance` where it says so.
  Result<void> Load();
  Result<void> Flush();
  /// Merges segments in memory among each other, so that searches under load do not see ever more of them.
  Result<void> MergeMemory();
  Result<void> MergeDisk();
  Result<void> Retain();
  /// Sets aside what searches found to be corrupt, and compares the checksums of those segments that were not
  /// compared for longest, as many as its share of reading allows.
  Result<void> VerifySome();
  /// Compares the checksums. False when the segment was corrupt, and is now in quarantine.
  Result<bool> Verify(const GroupKey& key, const Entry& entry);
  /// With `maintenance`.
  Result<void> Quarantine(const GroupKey& key, std::uint64_t number, std::string reason);
  /// Writes a segment that takes the place of `from` (documents that are deleted in them left out).
  Result<Entry> Write(const GroupKey& key, BytesView bytes, const std::vector<Entry>& from,
                      Catalogue::Change& change);
  /// Segments taken out and what came in their place, on disk and not yet committed.
  struct Replacement {
    GroupKey key;
    std::vector<Entry> out, in;
  };
  /// Documents deleted while their segments were being rewritten are deleted in what came of them, too; those
  /// on disk are noted in `change`. With `maintenance`.
  void CarryDeletes(std::vector<Replacement>& replacements, Catalogue::Change& change);
  /// Commits the change and makes the replacements visible, with documents deleted since `out` was read. With
  /// `maintenance`.
  Result<void> CommitReplacements(std::vector<Replacement> replacements, Catalogue::Change change);
  /// Takes the entries with these segments out of the view and puts others in.
  void Replace(const GroupKey& key, const std::vector<std::shared_ptr<const Segment>>& out,
               std::vector<Entry> in);
  std::vector<GroupKey> Groups() const;
  std::vector<Entry> Entries(const GroupKey& key) const;
  std::optional<Entry> Find(const GroupKey& key, const std::shared_ptr<const Segment>& segment) const;
  std::string SegmentPath(std::uint64_t number) const;
  std::string QuarantinePath(std::uint64_t number) const;
  std::uint64_t MemoryBytes() const;

  // Erasing (erasure.cc); `housekeeping` is held, and `maintenance` where it says so.
  /// Rewrites the segments of these indices that hold matches, as the query understood it at `now_ms`.
  Result<EraseReceipt> EraseMatches(const std::vector<std::string>& names, const Query& query,
                                    std::int64_t now_ms);
  /// Keeps it in mind from now on.
  Result<void> Remember(Erasure erasure);
  /// Erases what it is about, wherever it is, and notes that this was done.
  Result<EraseReceipt> Carry(const Erasure& erasure, const Query& query);
  /// Carries out what a crash or a full disk interrupted.
  Result<void> FinishErasures();
  /// Erases once more what was erased before, where a rebuilt segment has brought it back.
  Result<void> EraseAgain();
  void LoadErasures();
  /// With `maintenance`: takes out of a new segment what was erased before it was read again from the log.
  void LeaveOutErased(Sealed& sealed) const;

  // Reading (store.cc).
  std::vector<std::string> Names() const;
  Result<SegmentView> Visible(std::string_view indices, const SearchOptions& options) const;

  const StoreConfig config;
  const Clock& clock;
  mutable AggCache agg_cache;
  /// Shared with the segments, which searches and snapshots keep longer than the store lives.
  const std::shared_ptr<UnpackedBlocks> unpacked = std::make_shared<UnpackedBlocks>();

  mutable std::mutex housekeeping;
  std::optional<MonoTime> next_merge, next_retention, next_check;

  mutable std::mutex maintenance;
  std::unique_ptr<Catalogue> catalogue;
  std::map<std::string, std::uint64_t, std::less<>> refreshed;  ///< Positions that the view covers.
  std::optional<MonoTime> oldest_in_memory;
  std::map<std::string, Erasure> erasures;  ///< By id.

  mutable std::mutex writer;
  std::map<GroupKey, Open> open;
  /// Empty builders for the next events: they have their memory already, of the size that it was needed in.
  std::vector<Open> spare;
  IdWrites id_writes;
  std::map<std::string, std::uint64_t, std::less<>>
      erased_through;  ///< Up to where erasures reach, by shard.
  DocumentParser parser;
  std::map<std::string, std::uint64_t, std::less<>> added;  ///< Positions of all that was added.
  std::uint64_t waiting = 0, open_bytes = 0;
  std::optional<MonoTime> waiting_since;

  mutable std::mutex view;
  std::map<GroupKey, std::vector<Entry>> groups;
  std::map<std::uint64_t, LostSegment> lost;  ///< In quarantine.
  std::map<std::string, std::shared_ptr<Mapping>, std::less<>> mappings;
  std::map<std::string, Duration, std::less<>> retentions;  ///< Of indices that have their own.
  std::function<NewIndex(std::string_view)> new_index;
  std::uint64_t memory_segment_bytes = 0;
  StoreStatistics statistics;
};

}  // namespace honryu::search
