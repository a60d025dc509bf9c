#pragma once

#include "honryu/kv/database.h"
#include "search/segment/segment.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::search {

/// A segment on disk.
struct SegmentRecord {
  std::uint64_t number = 0;  ///< Names its file.
  std::string index;
  std::int64_t day = 0;  ///< Days since 1970.
  bool quarantined = false;
  struct Range {
    std::uint64_t first = 0, last = 0;
  };
  std::map<std::string, Range> shards;  ///< Sequence numbers it holds, both ends included.
  std::string reason;                   ///< Why it is in quarantine.
  std::int64_t sealed_ms = 0;           ///< When the newest of its documents became visible; 0: not known.

  /// The file's size and the checksum of its directory, which holds those of all sections: that it is this
  /// file and no other. 0 bytes: not known, of segments written before this was noted.
  std::uint64_t bytes = 0;
  std::uint32_t checksum = 0;

  std::string FileName() const { return std::to_string(number) + ".seg"; }
  std::string Encode() const;
  static Result<SegmentRecord> Decode(std::string_view text);
};
/// The sequence numbers of each shard in a segment.
std::map<std::string, SegmentRecord::Range> ShardsOf(const Segment& segment);

/// What a store holds, changed all or nothing: which segments, up to where each shard was read, and mappings.
/// Values are JSON; keys "s<number>", "p<shard>", "m<index>", "next"; "d<number>": documents of that segment
/// that are deleted (id_filter.h); "n/<name>": notes of the owner's. Not thread-safe.
class Catalogue {
 public:
  static Result<std::unique_ptr<Catalogue>> Open(const std::string& path);

  struct Change {
    std::vector<SegmentRecord> put;
    std::vector<std::uint64_t> remove;
    std::map<std::string, std::uint64_t, std::less<>> positions;
    std::map<std::string, std::string> mappings;
    std::vector<std::string> removed_mappings;
    std::map<std::uint64_t, std::string> deleted;
    std::map<std::string, std::string> notes;  ///< Empty text: removed.
  };
  /// Durable when it returns.
  Result<void> Commit(const Change& change);
  /// A number for a new segment, never given out before while this is open.
  Result<std::uint64_t> TakeNumber();

  /// What opening found damaged, if anything: later changes are lost.
  const std::optional<kv::WalDamage>& damage() const { return database_->wal_damage(); }
  const std::map<std::uint64_t, SegmentRecord>& segments() const { return segments_; }
  const std::map<std::string, std::uint64_t, std::less<>>& positions() const { return positions_; }
  const std::map<std::string, std::string>& mappings() const { return mappings_; }
  const std::map<std::uint64_t, std::string>& deleted() const { return deleted_; }
  const std::map<std::string, std::string>& notes() const { return notes_; }

 private:
  Catalogue() = default;
  std::unique_ptr<kv::Database> database_;
  std::shared_ptr<kv::Family> family_;
  std::map<std::uint64_t, SegmentRecord> segments_;
  std::map<std::string, std::uint64_t, std::less<>> positions_;
  std::map<std::string, std::string> mappings_, notes_;
  std::map<std::uint64_t, std::string> deleted_;
  std::uint64_t next_ = 1;
};

}  // namespace honryu::search
