#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/search/logged_document.h"
#include "honryu/search/mapping.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

struct StoreConfig {
  std::string path;  ///< Folder; made when missing.
  /// Dotted names of the fields that may hold an event's time; the first that does counts, else its arrival.
  std::vector<std::string> time_fields = {"@timestamp", "timestamp", "time", "date"};
  Duration refresh_interval = std::chrono::milliseconds(500);  ///< Added events are found after at most this.
  std::uint64_t flush_bytes = 256ULL << 20;                    ///< Held in memory before it goes to disk.
  Duration flush_age = std::chrono::seconds(60);               ///< The oldest event in memory.
  std::uint64_t max_memory_bytes = 768ULL << 20;               ///< Beyond it Add refuses (kOverloaded).
  std::uint32_t max_segment_docs = 1'000'000;                  ///< Merging stops there.
  std::uint64_t merge_bytes_per_second = 32ULL << 20;          ///< What merging may write.
  Duration retention = std::chrono::hours(24 * 7);             ///< Whole days older than this go; 0: none.
  /// How long the `_id` of an event is looked for among those stored before it (StoreDocument::id_field); the
  /// ids of documents that name theirs are looked for everywhere.
  Duration id_window = std::chrono::hours(1);
  MappingLimits limits;
};

/// Of the string in an event that is its id (as of the ids that clients give).
inline constexpr std::size_t kMaxEventIdBytes = 512;

/// One event for the store. Views need to live only for the call.
struct StoreDocument {
  std::string_view index;
  std::uint64_t sequence = 0;  ///< Position in its shard.
  std::uint32_t part = 0;      ///< Within an aggregated record.
  std::string_view id;         ///< The client's; empty: by id_field, else shard:sequence.
  BytesView source;            ///< A JSON object.
  std::int64_t arrival_ms = 0;
  std::string_view id_field{};  ///< Dotted name of a string of the source that is its id; empty: none.
  WriteKind kind = WriteKind::kAppend;  ///< What to do when the id is there already.
};

/// Events of one shard in order.
struct StoreBatch {
  std::string_view shard;
  std::vector<StoreDocument> documents;
  std::uint64_t through =
      0;  ///< Everything of the shard up to and with here is in this batch or earlier ones.
};

struct AddResult {
  std::uint64_t added = 0;
  std::uint64_t duplicates = 0;  ///< Were in the store: a replay.
  struct Refusal {
    std::size_t document = 0;  ///< Place in the batch.
    Error error;
  };
  std::vector<Refusal> refused;  ///< No JSON object.
};

struct IndexStatistics {
  std::string name;
  std::uint64_t documents = 0;  ///< Visible ones.
  std::uint64_t deleted = 0;    ///< Replaced or deleted, still in their segments.
  std::uint64_t bytes = 0;      ///< Of their segments, in memory and on disk.
  std::uint64_t segments = 0;
  std::uint64_t lost_segments = 0;      ///< Corrupt ones whose events are not back from the log yet.
  std::uint64_t fields = 0;             ///< Of its mapping.
  std::vector<std::string> left_out{};  ///< Some members that cannot be searched: see Mapping::LeftOut.
};

struct StoreStatistics {
  std::uint64_t memory_bytes = 0;  ///< Not on disk yet, about.
  std::uint64_t waiting = 0;       ///< Added and not yet visible.
  std::uint64_t refreshes = 0, flushes = 0, merges = 0, merged_bytes = 0;
  std::uint64_t dropped_segments = 0;  ///< By retention.
  std::uint64_t quarantined = 0;       ///< Segments set aside because they were corrupt.
  std::uint64_t refused = 0, duplicates = 0;
  std::uint64_t ignored_values = 0;      ///< Kept in the source only: beyond a limit of the mapping.
  std::uint64_t conflicting_values = 0;  ///< Of another type than their field.
  std::uint64_t overlong_values = 0;     ///< Strings too long for the exact column.
  std::uint64_t cut_texts = 0;           ///< Strings with more tokens than one may have.
  std::uint64_t replaced = 0;  ///< Documents that went because of another one with their id, or by deletion.
};

/// A corrupt segment that was set aside: what has to be read again from the log.
struct LostRange {
  std::uint64_t segment = 0;
  std::string index, shard;
  std::uint64_t first = 0, last = 0;  ///< Sequence numbers, both included.
  std::string reason{};               ///< What was wrong with it.
};

/// The proof of an erasure.
struct EraseReceipt {
  std::uint64_t documents = 0, segments_rewritten = 0;
  std::uint64_t left = 0;  ///< Matches of the same query afterwards: 0.
  std::string id;
  Timestamp at;
  /// Corrupt segments of these indices in quarantine: they go when they are rebuilt from the log, and come
  /// back without what was erased.
  std::uint64_t quarantined_segments = 0;
  std::vector<std::string> shards;  ///< Where documents of these indices came from: the log has its copy.
  /// What makes another copy of the store, or this one made anew from the log, erase the same (ApplyErasure).
  std::string record;
};

struct SearchOptions {
  bool ignore_unavailable = false;               ///< Missing indices are no error.
  const std::atomic<bool>* cancelled = nullptr;  ///< The search ends with kCancelled once true.
  Duration timeout = Duration::max();            ///< Then it answers what it has found until then.
  /// False: kUnavailable (search_phase_execution_exception) instead of an answer without what corrupt
  /// segments hold. Such answers name them as failures.
  bool allow_partial = true;
  bool allow_no_indices = true;  ///< False: patterns that no index fits are errors.
  /// By index: a query (JSON), of which only the matches are seen there. Of aliases with filters.
  std::map<std::string, std::string> filters{};
};

/// What an index begins with.
struct NewIndex {
  std::string mapping;                ///< See Store::PutMapping; empty: none.
  std::optional<Duration> retention;  ///< See Store::SetRetention.
};

/// kInvalidArgument (invalid_index_name_exception) for names that OpenSearch would refuse.
Result<void> CheckIndexName(std::string_view name);

/// Names with dates in them, as "<logs-{now/d}>" (logs-2026.11.21) and "<logs-{now/M{yyyy-MM|+09:00}}>", made
/// plain in a list of names. kInvalidArgument for dates that cannot be read.
Result<std::string> ExpandIndexDates(std::string_view names, std::int64_t now_ms);

/// What searches of some indices see at one moment, for scrolls and points in time. Holds its segments, also
/// those that are merged or dropped meanwhile. Immutable.
class Snapshot;

/// The store of events: indices of segments by day of event time, in memory and on disk.
///
/// There is no log of its own: what is not on disk is added again from Position() on after a crash, and what
/// is there already is not added twice. The owner calls Maintain() regularly (or Refresh and Flush itself).
/// Thread-safe; every call may block.
class Store {
 public:
  /// Opens or makes a store. `clock` must outlive it. kUnavailable while another process has it open.
  static Result<std::unique_ptr<Store>> Open(StoreConfig config, const Clock& clock);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Adds events; they are found after the next Refresh. kOverloaded: nothing was added, come back later.
  Result<AddResult> Add(const StoreBatch& batch);
  /// Where the shard's events on disk end: add again what comes behind it. None: from the beginning.
  std::optional<std::uint64_t> Position(std::string_view shard) const;

  /// Makes everything added so far visible.
  Result<void> Refresh();
  /// Makes everything added so far visible and durable.
  Result<void> Flush();
  /// Does what is due of refreshing, flushing, merging, retention and checking; returns when to call again.
  /// Merging can take long; whoever wants new events visible meanwhile calls Refresh from another thread, and
  /// not here (`refresh` false).
  Result<Duration> Maintain(bool refresh = true);

  /// The answer of _search to `body` (JSON; empty: everything) over indices like "events-*,-events-test".
  /// Errors: see api_error.h.
  Result<std::string> Search(std::string_view indices, std::string_view body,
                             const SearchOptions& options = {}) const;
  /// What the indices hold now, to be searched again and again.
  Result<std::shared_ptr<const Snapshot>> Pin(std::string_view indices,
                                              const SearchOptions& options = {}) const;
  Result<std::string> Search(const Snapshot& snapshot, std::string_view body,
                             const SearchOptions& options = {}) const;
  /// Number of matches of {"query":…}. `lost`: how many corrupt segments could not be looked into.
  Result<std::uint64_t> Count(std::string_view indices, std::string_view body,
                              const SearchOptions& options = {}, std::uint64_t* lost = nullptr) const;
  /// Which of these ids (of clients) visible documents of the index have.
  std::vector<bool> Present(std::string_view index, const std::vector<std::string>& ids) const;
  /// Removes every match of {"query":…} from memory and disk, by rewriting the segments that hold any. Kept
  /// in mind for as long as segments may be rebuilt from the log, which has its own copy until its retention.
  Result<EraseReceipt> Erase(std::string_view indices, std::string_view body);
  /// Erases what a receipt's record is about, and keeps it in mind: documents that are added later and were
  /// written before that erasure are left out. False when this was done before. kInvalidArgument: no record.
  Result<bool> ApplyErasure(std::string_view record);

  /// Keeps the index so long (0: for ever) instead of StoreConfig::retention; none: as that says. Not kept
  /// over a restart.
  void SetRetention(std::string_view index, std::optional<Duration> retention);
  /// Makes the index if there is none. See Mapping::Merge.
  Result<void> PutMapping(std::string_view index, std::string_view json);
  /// Whether a document (a JSON object) may go into the index: kInvalidArgument
  /// (strict_dynamic_mapping_exception) for members that a strict mapping does not know. Makes the index.
  Result<void> CheckFields(std::string_view index, BytesView source) const;
  /// Says what every index that is made from now on begins with, by its name; it is so from the index's first
  /// event on. Called under locks of the store: it must not call the store, nor block. Null: nothing.
  /// Thread-safe.
  void SetNewIndex(std::function<NewIndex(std::string_view index)> begin_of);
  /// Small texts of the owner's, kept in the catalogue (templates, aliases). Durable when they return.
  Result<void> PutNote(const std::string& name, const std::string& text);
  /// Name -> text, all or none; an empty text removes the note.
  Result<void> PutNotes(std::map<std::string, std::string> notes);
  Result<void> RemoveNote(const std::string& name);
  std::map<std::string, std::string> Notes() const;

  /// {"properties":…}; kNotFound.
  Result<std::string> GetMapping(std::string_view index) const;
  /// kInvalidArgument unless the JSON is a query.
  static Result<void> CheckQuery(std::string_view json);
  /// Names of the indices that a pattern stands for, in order.
  Result<std::vector<std::string>> IndexNames(std::string_view indices,
                                              const SearchOptions& options = {}) const;
  Result<void> DropIndex(std::string_view index);

  std::vector<IndexStatistics> Indices() const;
  StoreStatistics Statistics() const;

  /// What was damaged in the catalogue when it was opened; empty: nothing. The store is as it was before the
  /// damaged change then: what came later is added again from Position() on, what it names and is gone is
  /// among Lost(), and mappings, notes and erasures made since are to be made again.
  std::string CatalogueDamage() const;
  /// What corrupt segments held. Read it again from the log into Restore, then call Restored.
  std::vector<LostRange> Lost() const;
  /// Adds those documents that are not in the store, wherever their shard's position is; deletions are left
  /// out. Those that were replaced or deleted later must not be among them.
  Result<AddResult> Restore(const StoreBatch& batch);
  /// The segment's events are all back, or can no longer be had: it is forgotten.
  Result<void> Restored(std::uint64_t segment);

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::search
