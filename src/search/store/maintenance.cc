#include "honryu/kv/folder.h"
#include "search/store/files.h"
#include "search/store/mapped_file.h"
#include "search/store/merging.h"
#include "search/store/store_impl.h"

#include <algorithm>
#include <cstdlib>

namespace honryu::search {
namespace {

constexpr Duration kRetentionEvery = std::chrono::minutes(1);
constexpr std::int64_t kDayMs = 86'400'000;
/// Segments whose checksums were not compared since the store was opened are read at about this rate; then
/// all of them again and again, more slowly: a store of 10 GB every 40 minutes.
constexpr double kCheckBytesPerSecond = 256e6, kCheckAgainBytesPerSecond = 4e6;
/// Checked in one call of Maintain at most, unless one segment has more.
constexpr std::uint64_t kCheckBytes = 64ULL << 20;
/// The longest that a stream can be kept, and what was written to it be read again: 8,760 hours.
constexpr std::int64_t kErasuresKeptMs = 365 * kDayMs;

}  // namespace

std::string Store::Impl::SegmentPath(std::uint64_t number) const {
  return config.path + "/segments/" + std::to_string(number) + ".seg";
}

std::string Store::Impl::QuarantinePath(std::uint64_t number) const {
  return config.path + "/quarantine/" + std::to_string(number) + ".seg";
}

std::vector<GroupKey> Store::Impl::Groups() const {
  const std::lock_guard lock(view);
  std::vector<GroupKey> keys;
  for (const auto& [key, entries] : groups) keys.push_back(key);
  return keys;
}

std::vector<Entry> Store::Impl::Entries(const GroupKey& key) const {
  const std::lock_guard lock(view);
  const auto found = groups.find(key);
  return found == groups.end() ? std::vector<Entry>{} : found->second;
}

std::optional<Entry> Store::Impl::Find(const GroupKey& key,
                                       const std::shared_ptr<const Segment>& segment) const {
  const std::lock_guard lock(view);
  const auto found = groups.find(key);
  if (found == groups.end()) return std::nullopt;
  for (const auto& entry : found->second)
    if (entry.segment == segment) return entry;
  return std::nullopt;
}

void Store::Impl::Replace(const GroupKey& key, const std::vector<std::shared_ptr<const Segment>>& out,
                          std::vector<Entry> in) {
  const std::lock_guard lock(view);
  auto& entries = groups[key];
  std::erase_if(entries, [&](const Entry& entry) {
    if (std::find(out.begin(), out.end(), entry.segment) == out.end()) return false;
    if (entry.number == 0) memory_segment_bytes -= entry.segment->byte_size();
    return true;
  });
  for (auto& entry : in) {
    if (entry.number == 0) memory_segment_bytes += entry.segment->byte_size();
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) groups.erase(key);
}

Result<void> Store::Impl::Load() {
  for (const auto* folder : {"", "/segments", "/quarantine"})
    HONRYU_TRY_VOID(kv::MakeFolder(config.path + folder));
  HONRYU_TRY(catalogue, Catalogue::Open(config.path + "/catalogue"));
  // Files that no commit named: a crash came between.
  HONRYU_TRY(const auto files, ListFiles(config.path + "/segments"));
  for (const auto& file : files) {
    bool known = false;
    for (const auto& [number, record] : catalogue->segments()) known |= record.FileName() == file;
    if (!known) HONRYU_TRY_VOID(RemoveFile(config.path + "/segments/" + file));
  }
  HONRYU_TRY(const auto aside, ListFiles(config.path + "/quarantine"));
  for (const auto& file : aside) {
    bool known = false;
    for (const auto& [number, record] : catalogue->segments())
      known |= record.quarantined && record.FileName() == file;
    if (!known) HONRYU_TRY_VOID(RemoveFile(config.path + "/quarantine/" + file));
  }
  for (const auto& [index, json] : catalogue->mappings()) {
    auto mapping = std::make_shared<Mapping>(config.limits);
    HONRYU_TRY_VOID(mapping->Merge(json));
    mappings[index] = std::move(mapping);
  }
  refreshed = catalogue->positions();
  added = refreshed;
  struct Broken {
    GroupKey key;
    std::uint64_t number = 0;
    std::string reason;
  };
  std::vector<Broken> broken;
  for (const auto& [number, record] : catalogue->segments()) {
    MappingOf(record.index, true);
    const GroupKey key{record.index, record.day};
    if (record.quarantined) {
      ++statistics.quarantined;
      lost[number] = {record.index, number, record.reason};
      if (FileSize(SegmentPath(number))) (void)MoveFile(SegmentPath(number), QuarantinePath(number)).ok();
      continue;
    }
    auto file = MapFile(SegmentPath(number));
    auto segment = file.ok() ? Segment::Open(file->bytes, Checking::kWhenUsed, unpacked, file->torn)
                             : Result<std::shared_ptr<const Segment>>(file.error());
    if (segment.ok() && record.bytes != 0 &&
        ((*segment)->byte_size() != record.bytes || (*segment)->checksum() != record.checksum))
      segment = Error(ErrorCode::kCorrupt, "the file is not the one that was written");
    if (segment.ok()) {
      Entry entry;
      entry.number = number;
      // Not known of segments written before ids were looked for: as if it were new.
      entry.sealed_ms = record.sealed_ms != 0 ? record.sealed_ms : ToMs(clock.Now());
      if (const auto deleted = catalogue->deleted().find(number); deleted != catalogue->deleted().end())
        if (auto docs = DecodeDocs(deleted->second, (*segment)->doc_count())) {
          entry.saved_deletes = docs->size();
          entry.deleted = std::make_shared<const DocSet>(std::move(*docs));
        }
      entry.segment = std::move(*segment);
      groups[key].push_back(std::move(entry));
    } else if (segment.error().code() == ErrorCode::kCorrupt ||
               segment.error().code() == ErrorCode::kNotFound) {
      broken.push_back({key, number, segment.error().message()});
    } else {
      // Of a newer format, or not to be read for now (no memory, no right): nothing is wrong with the file.
      return segment.error().WithContext("segment " + std::to_string(number));
    }
  }
  for (const auto& one : broken) HONRYU_TRY_VOID(Quarantine(one.key, one.number, one.reason));
  LoadErasures();
  // What fails now is tried again by Maintain.
  (void)FinishErasures().ok();
  return Ok();
}

Result<Entry> Store::Impl::Write(const GroupKey& key, BytesView bytes, const std::vector<Entry>& from,
                                 Catalogue::Change& change) {
  SegmentRecord record;
  {
    const std::lock_guard lock(maintenance);
    HONRYU_TRY(record.number, catalogue->TakeNumber());
  }
  record.index = key.index;
  record.day = key.day;
  record.sealed_ms = NewestSeal(from);
  HONRYU_TRY_VOID(WriteFileDurably(config.path + "/segments", record.FileName(), bytes));
  HONRYU_TRY(auto mapped, MapFile(SegmentPath(record.number)));
  Entry entry;
  HONRYU_TRY(entry.segment, Segment::Open(std::move(mapped.bytes), Checking::kNow, unpacked, mapped.torn));
  entry.number = record.number;
  entry.verified = clock.Mono();
  entry.sealed_ms = record.sealed_ms;
  record.shards = ShardsOf(*entry.segment);
  record.bytes = entry.segment->byte_size();
  record.checksum = entry.segment->checksum();
  change.put.push_back(std::move(record));
  return entry;
}

void Store::Impl::CarryDeletes(std::vector<Replacement>& replacements, Catalogue::Change& change) {
  for (auto& replacement : replacements) {
    std::vector<std::vector<std::uint32_t>> dead(replacement.in.size());
    for (const auto& old : replacement.out) {
      const auto current = Find(replacement.key, old.segment);
      if (!current || current->deleted == nullptr || current->deleted == old.deleted) continue;
      auto fresh = *current->deleted;
      if (old.deleted != nullptr) fresh.AndNot(*old.deleted);
      fresh.ForEach([&](std::uint32_t doc) {
        const auto id = old.segment->Id(doc);
        for (std::size_t i = 0; i < replacement.in.size(); ++i)
          for (const auto found : FindId(*replacement.in[i].segment, id)) dead[i].push_back(found);
      });
    }
    for (std::size_t i = 0; i < replacement.in.size(); ++i) {
      if (dead[i].empty()) continue;
      auto& entry = replacement.in[i];
      std::sort(dead[i].begin(), dead[i].end());
      dead[i].erase(std::unique(dead[i].begin(), dead[i].end()), dead[i].end());
      entry.deleted =
          std::make_shared<const DocSet>(DocSet::FromSorted(entry.segment->doc_count(), std::move(dead[i])));
      if (entry.number == 0) continue;
      entry.saved_deletes = entry.deleted->size();
      change.deleted[entry.number] = EncodeDocs(*entry.deleted);
    }
  }
}

Result<void> Store::Impl::CommitReplacements(std::vector<Replacement> replacements,
                                             Catalogue::Change change) {
  CarryDeletes(replacements, change);
  HONRYU_TRY_VOID(catalogue->Commit(change));
  for (auto& replacement : replacements)
    Replace(replacement.key, SegmentsOf(replacement.out), std::move(replacement.in));
  return Ok();
}

Result<void> Store::Impl::Flush() {
  Catalogue::Change change;
  std::vector<Replacement> groups_to_write;
  std::optional<MonoTime> oldest;
  {
    const std::lock_guard lock(maintenance);
    HONRYU_TRY_VOID(Refresh());
    for (const auto& key : Groups()) {
      auto entries = Entries(key);
      std::erase_if(entries, [](const Entry& entry) { return entry.number != 0; });
      if (!entries.empty()) groups_to_write.push_back({key, std::move(entries), {}});
    }
    change.positions = refreshed;
    oldest = std::exchange(oldest_in_memory, std::nullopt);
  }
  const auto write = [&](Replacement& group) -> Result<void> {
    auto entries = group.out;
    while (!entries.empty()) {
      std::vector<Entry> some;
      std::uint64_t docs = 0;
      while (!entries.empty() &&
             (some.empty() || docs + entries.back().segment->doc_count() <= config.max_segment_docs)) {
        docs += entries.back().segment->doc_count();
        some.push_back(std::move(entries.back()));
        entries.pop_back();
      }
      if (CountLiving(some) == 0) continue;
      auto merged = Merge(some);  // also of one alone: those in memory are not packed
      if (merged.ok()) {
        HONRYU_TRY(auto entry, Write(group.key, *merged, some, change));
        group.in.push_back(std::move(entry));
        continue;
      }
      if (!merged.ok() && merged.error().code() != ErrorCode::kFailedPrecondition) return merged.error();
      for (const auto& one : some) {  // a mapping changed between them: each for itself
        if (one.living() == 0) continue;
        auto alone =
            one.deleted == nullptr ? Result<std::string>(std::string(one.segment->bytes())) : Merge({one});
        if (!alone.ok()) return alone.error();
        HONRYU_TRY(auto entry, Write(group.key, *alone, {one}, change));
        group.in.push_back(std::move(entry));
      }
    }
    return Ok();
  };
  Result<void> done = Ok();
  for (auto& group : groups_to_write)
    if (done.ok()) done = write(group);
  const std::lock_guard lock(maintenance);
  const auto put = change.put;
  if (done.ok()) {
    for (const auto& key : Groups())
      for (const auto& entry : Entries(key))
        if (entry.number != 0 && entry.deleted != nullptr && entry.deleted->size() != entry.saved_deletes)
          change.deleted[entry.number] = EncodeDocs(*entry.deleted);
    {
      const std::lock_guard inner(view);
      for (const auto& [index, mapping] : mappings) {
        auto json = mapping->ToJson();
        const auto known = catalogue->mappings().find(index);
        if (known == catalogue->mappings().end() || known->second != json)
          change.mappings[index] = std::move(json);
      }
    }
    const auto saved = change.deleted;
    done = CommitReplacements(std::move(groups_to_write), std::move(change));
    if (done.ok()) {
      const std::lock_guard inner(view);
      for (auto& [key, entries] : groups)
        for (auto& entry : entries)
          if (saved.contains(entry.number)) entry.saved_deletes = entry.deleted->size();
    }
  }
  if (!done.ok()) {
    // What is in memory stays there; files that no commit names are of no use.
    for (const auto& record : put) (void)RemoveFile(SegmentPath(record.number)).ok();
    if (!oldest_in_memory || (oldest && *oldest < *oldest_in_memory)) oldest_in_memory = oldest;
    return done;
  }
  const std::lock_guard inner(view);
  ++statistics.flushes;
  return Ok();
}

Result<void> Store::Impl::MergeMemory() {
  for (const auto& key : Groups()) {
    auto entries = Entries(key);
    std::erase_if(entries, [](const Entry& entry) { return entry.number != 0; });
    std::vector<Replacement> all;
    all.push_back({key, PickMerge(std::move(entries), config.max_segment_docs, kMemoryMergeFactor), {}});
    const auto& picked = all[0].out;
    if (picked.empty()) continue;
    if (CountLiving(picked) > 0) {
      auto merged = Merge(picked, false);
      if (!merged.ok()) continue;  // only less tidy: the pieces stay as they are
      auto segment = Segment::Open(Bytes(std::move(*merged)), Checking::kNever, unpacked);
      if (!segment.ok()) continue;
      Entry entry;
      entry.segment = std::move(*segment);
      entry.verified = clock.Mono();
      entry.sealed_ms = NewestSeal(picked);
      all[0].in.push_back(std::move(entry));
    }
    Catalogue::Change none;  // nothing of it is on disk
    const std::lock_guard lock(maintenance);
    CarryDeletes(all, none);
    Replace(key, SegmentsOf(picked), std::move(all[0].in));
  }
  return Ok();
}

Result<void> Store::Impl::MergeDisk() {
  const auto now = clock.Mono();
  if (next_merge && now < *next_merge) return Ok();
  for (const auto& key : Groups()) {
    auto entries = Entries(key);
    std::erase_if(entries, [](const Entry& entry) { return entry.number == 0; });
    // One with nothing left goes by itself, one that has lost half is written anew.
    std::vector<Entry> picked;
    for (const auto& entry : entries)
      if (picked.empty() && entry.living() < entry.segment->doc_count() / 2 + 1 && entry.deleted != nullptr)
        picked.push_back(entry);
    if (picked.empty()) picked = PickMerge(std::move(entries), config.max_segment_docs, kDiskMergeFactor);
    if (picked.empty()) continue;
    // Merging what is corrupt would give it good checksums.
    bool sound = true;
    for (const auto& entry : picked) {
      HONRYU_TRY(const bool one, Verify(key, entry));
      sound = sound && one;
    }
    if (!sound) continue;
    Catalogue::Change change;
    for (const auto& entry : picked) change.remove.push_back(entry.number);
    Replacement replacement{key, picked, {}};
    std::uint64_t bytes = 0;
    if (CountLiving(picked) > 0) {
      auto merged = Merge(picked);
      if (!merged.ok() && merged.error().code() == ErrorCode::kFailedPrecondition) continue;
      if (!merged.ok()) return merged.error();
      // Found while it was read: it is set aside the next time.
      if (std::any_of(picked.begin(), picked.end(), [](const Entry& one) { return one.segment->damaged(); }))
        continue;
      bytes = merged->size();
      HONRYU_TRY(auto entry, Write(key, *merged, picked, change));
      replacement.in.push_back(std::move(entry));
    }
    {
      const std::lock_guard lock(maintenance);
      std::vector<Replacement> all;
      all.push_back(std::move(replacement));
      HONRYU_TRY_VOID(CommitReplacements(std::move(all), std::move(change)));
    }
    for (const auto& old : picked) HONRYU_TRY_VOID(RemoveFile(SegmentPath(old.number)));
    // The next one waits until this one's bytes are within the share.
    next_merge = now + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
                           static_cast<double>(bytes) / static_cast<double>(config.merge_bytes_per_second)));
    const std::lock_guard lock(view);
    ++statistics.merges;
    statistics.merged_bytes += bytes;
    return Ok();
  }
  return Ok();
}

Result<void> Store::Impl::Retain() {
  const auto now = clock.Mono();
  if (next_retention && now < *next_retention) return Ok();
  next_retention = now + kRetentionEvery;
  const auto too_old = [this](const std::string& index, std::int64_t day) {
    const auto retention = RetentionOf(index);
    return retention > Duration{0} && day < (ToMs(clock.Now()) - ToMs(retention)) / kDayMs;
  };
  const std::lock_guard lock(maintenance);
  for (const auto& key : Groups()) {
    if (!too_old(key.index, key.day)) continue;
    const auto entries = Entries(key);
    Catalogue::Change change;
    for (const auto& entry : entries)
      if (entry.number != 0) change.remove.push_back(entry.number);
    HONRYU_TRY_VOID(catalogue->Commit(change));
    Replace(key, SegmentsOf(entries), {});
    for (const auto number : change.remove) HONRYU_TRY_VOID(RemoveFile(SegmentPath(number)));
    const std::lock_guard inner(view);
    statistics.dropped_segments += entries.size();
  }
  Catalogue::Change forget;
  for (const auto& [number, record] : catalogue->segments())
    if (record.quarantined && too_old(record.index, record.day)) forget.remove.push_back(number);
  // No log reaches back that far: nothing of it can come back.
  const auto remembered = ToMs(clock.Now()) - kErasuresKeptMs - kDayMs;
  std::erase_if(erasures, [&](const auto& one) {
    if (!one.second.done || one.second.at_ms >= remembered) return false;
    forget.notes["erasure/" + one.first] = "";
    return true;
  });
  HONRYU_TRY_VOID(catalogue->Commit(forget));
  for (const auto number : forget.remove) {
    {
      const std::lock_guard inner(view);
      lost.erase(number);
    }
    HONRYU_TRY_VOID(RemoveFile(QuarantinePath(number)));
  }
  return Ok();
}

Result<bool> Store::Impl::Verify(const GroupKey& key, const Entry& entry) {
  std::string reason;
  if (entry.segment->damaged()) {
    reason = entry.segment->damage();
  } else if (const auto size = FileSize(SegmentPath(entry.number)); size != entry.segment->byte_size()) {
    // What is behind the end of a mapped file reads as zeros, and costs a signal a page.
    reason = size ? "the file has " + std::to_string(*size) + " bytes instead of " +
                        std::to_string(entry.segment->byte_size())
                  : "the file is gone";
  } else if (const auto file = SegmentFile::Open(entry.segment->bytes(), true); !file.ok()) {
    reason = entry.segment->damaged() ? std::string(entry.segment->damage()) : file.error().message();
  }
  if (reason.empty()) return true;
  const std::lock_guard lock(maintenance);
  HONRYU_TRY_VOID(Quarantine(key, entry.number, std::move(reason)));
  return false;
}

Result<void> Store::Impl::VerifySome() {
  struct Candidate {
    GroupKey key;
    Entry entry;
    bool damaged = false;  // as it was before sorting
  };
  std::vector<Candidate> candidates;
  for (const auto& key : Groups())
    for (auto& entry : Entries(key))
      if (entry.number != 0) {
        const bool damaged = entry.segment->damaged();
        candidates.push_back({key, std::move(entry), damaged});
      }
  const auto now = clock.Mono();
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    if (a.damaged != b.damaged) return a.damaged;
    return a.entry.verified < b.entry.verified;  // none before all
  });
  std::uint64_t read = 0;
  double seconds = 0;
  for (const auto& [key, entry, damaged] : candidates) {
    const bool due = damaged || ((!next_check || now >= *next_check) && read < kCheckBytes);
    if (!due) break;
    HONRYU_TRY(const bool sound, Verify(key, entry));
    read += entry.segment->byte_size();
    seconds += static_cast<double>(entry.segment->byte_size()) /
               (entry.verified ? kCheckAgainBytesPerSecond : kCheckBytesPerSecond);
    const std::lock_guard lock(view);
    if (const auto group = groups.find(key); sound && group != groups.end())
      for (auto& known : group->second)
        if (known.segment == entry.segment) known.verified = now;
    if (entry.verified) break;  // one at a time
  }
  if (read > 0)
    next_check = now + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  return Ok();
}

Result<void> Store::Impl::Quarantine(const GroupKey& key, std::uint64_t number, std::string reason) {
  const auto found = catalogue->segments().find(number);
  if (found == catalogue->segments().end()) return Ok();
  auto record = found->second;
  record.quarantined = true;
  record.reason = std::move(reason);
  Catalogue::Change change;
  change.put.push_back(record);
  HONRYU_TRY_VOID(catalogue->Commit(change));
  {
    const std::lock_guard lock(view);  // at once: a search sees it there or among the lost ones
    lost[number] = {record.index, number, record.reason};
    ++statistics.quarantined;
    if (const auto group = groups.find(key); group != groups.end()) {
      std::erase_if(group->second, [number](const Entry& entry) { return entry.number == number; });
      if (group->second.empty()) groups.erase(group);
    }
  }
  // A file that is gone altogether cannot be set aside.
  (void)MoveFile(SegmentPath(number), QuarantinePath(number)).ok();
  return Ok();
}

Result<void> Store::Refresh() {
  const std::lock_guard lock(impl_->maintenance);
  return impl_->Refresh();
}

Result<void> Store::Flush() {
  const std::lock_guard lock(impl_->housekeeping);
  return impl_->Flush();
}

Result<Duration> Store::Maintain(bool refresh) {
  auto& impl = *impl_;
  const std::lock_guard lock(impl.housekeeping);
  const auto now = impl.clock.Mono();
  const auto memory = impl.MemoryBytes();
  bool flush = memory >= impl.config.flush_bytes;
  {
    const std::lock_guard inner(impl.maintenance);
    bool waiting = false;
    {
      const std::lock_guard innermost(impl.writer);
      waiting = impl.waiting_since.has_value();
    }
    flush = flush || (impl.oldest_in_memory && now - *impl.oldest_in_memory >= impl.config.flush_age);
    if (refresh && !flush && waiting) HONRYU_TRY_VOID(impl.Refresh());
  }
  if (flush) HONRYU_TRY_VOID(impl.Flush());
  if (!flush) HONRYU_TRY_VOID(impl.MergeMemory());
  HONRYU_TRY_VOID(impl.FinishErasures());
  HONRYU_TRY_VOID(impl.MergeDisk());
  HONRYU_TRY_VOID(impl.Retain());
  HONRYU_TRY_VOID(impl.VerifySome());
  return impl.config.refresh_interval;
}

}  // namespace honryu::search
