#include "honryu/base/check.h"
#include "search/index/segment_merger.h"
#include "search/store/files.h"
#include "search/store/store_impl.h"

#include <algorithm>

namespace honryu::search {
namespace {

/// Segments of one size class (a factor of eight) that are merged at once: a document is rewritten once for
/// each class that it climbs.
constexpr std::size_t kMergeFactor = 8;
constexpr Duration kRetentionEvery = std::chrono::minutes(1);
constexpr std::int64_t kDayMs = 86'400'000;

int SizeClass(std::uint32_t docs) {
  int size_class = 0;
  for (; docs >= 8; docs /= 8) ++size_class;
  return size_class;
}

/// The entries to merge next: those of the smallest class that has enough, as long as they fit.
std::vector<Entry> PickMerge(std::vector<Entry> entries, std::uint32_t max_docs) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.segment->doc_count() < b.segment->doc_count(); });
  for (std::size_t begin = 0; begin < entries.size();) {
    const int size_class = SizeClass(entries[begin].segment->doc_count());
    auto end = begin;
    while (end < entries.size() && SizeClass(entries[end].segment->doc_count()) == size_class) ++end;
    std::vector<Entry> picked;
    std::uint64_t docs = 0;
    for (auto i = begin; i < end && picked.size() < kMergeFactor; ++i) {
      docs += entries[i].segment->doc_count();
      if (docs > max_docs) break;
      picked.push_back(entries[i]);
    }
    if (picked.size() == kMergeFactor) return picked;
    begin = end;
  }
  return {};
}

Result<std::string> Merge(const std::vector<Entry>& entries) {
  std::vector<MergeInput> inputs;
  for (const auto& entry : entries) inputs.push_back({entry.segment, {}});
  // In the order of time, so that newest-first searches find the newest in the last blocks.
  std::sort(inputs.begin(), inputs.end(),
            [](const auto& a, const auto& b) { return a.segment->min_time() < b.segment->min_time(); });
  return MergeSegments(inputs);
}

std::vector<std::shared_ptr<const Segment>> SegmentsOf(const std::vector<Entry>& entries) {
  std::vector<std::shared_ptr<const Segment>> segments;
  for (const auto& entry : entries) segments.push_back(entry.segment);
  return segments;
}

}  // namespace

std::string Store::Impl::SegmentPath(std::uint64_t number) const {
  return config.path + "/segments/" + std::to_string(number) + ".seg";
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
    HONRYU_TRY_VOID(MakeFolder(config.path + folder));
  HONRYU_TRY(catalogue, Catalogue::Open(config.path + "/catalogue"));
  // Files that no commit named: a crash came between.
  HONRYU_TRY(const auto files, ListFiles(config.path + "/segments"));
  for (const auto& file : files) {
    bool known = false;
    for (const auto& [number, record] : catalogue->segments()) known |= record.FileName() == file;
    if (!known) HONRYU_TRY_VOID(RemoveFile(config.path + "/segments/" + file));
  }
  for (const auto& [index, json] : catalogue->mappings()) {
    auto mapping = std::make_shared<Mapping>(config.limits);
    HONRYU_TRY_VOID(mapping->Merge(json));
    mappings[index] = std::move(mapping);
  }
  refreshed = catalogue->positions();
  added = refreshed;
  std::vector<std::pair<GroupKey, std::pair<std::uint64_t, Error>>> broken;
  for (const auto& [number, record] : catalogue->segments()) {
    MappingOf(record.index, true);
    const GroupKey key{record.index, record.day};
    if (record.quarantined) {
      ++statistics.quarantined;
      continue;
    }
    auto bytes = MapFile(SegmentPath(number));
    auto segment =
        bytes.ok() ? Segment::Open(*bytes, false) : Result<std::shared_ptr<const Segment>>(bytes.error());
    if (segment.ok())
      groups[key].push_back({std::move(*segment), number, false});
    else if (segment.error().code() == ErrorCode::kFailedPrecondition)
      return segment.error().WithContext("segment " + std::to_string(number));
    else
      broken.push_back({key, {number, segment.error()}});
  }
  for (const auto& [key, why] : broken) HONRYU_TRY_VOID(Quarantine(key, why.first, why.second));
  return Ok();
}

Result<void> Store::Impl::Refresh() {
  std::map<GroupKey, Open> sealing;
  std::map<std::string, std::uint64_t, std::less<>> positions;
  {
    const std::lock_guard lock(writer);
    sealing.swap(open);
    positions = added;
    waiting = open_bytes = 0;
    if (!oldest_in_memory) oldest_in_memory = waiting_since;
    waiting_since.reset();
  }
  for (auto& [key, opened] : sealing) {
    const auto& counters = opened.builder->counters();
    {
      const std::lock_guard lock(view);
      statistics.ignored_values += counters.ignored_values;
      statistics.conflicting_values += counters.conflicting_values;
    }
    auto segment = Segment::Open(Bytes(opened.builder->Finish()), false);
    // Going on would lose events that count as added; after a restart they are read again.
    HONRYU_CHECK(segment.ok(), "a segment just built cannot be opened");
    Replace(key, {}, {{std::move(*segment), 0, true}});
    HONRYU_TRY_VOID(MergeMemory(key));
  }
  refreshed = std::move(positions);
  const std::lock_guard lock(view);
  ++statistics.refreshes;
  return Ok();
}

Result<void> Store::Impl::MergeMemory(const GroupKey& key) {
  auto entries = Entries(key);
  std::erase_if(entries, [](const Entry& entry) { return entry.number != 0; });
  const auto picked = PickMerge(std::move(entries), config.max_segment_docs);
  if (picked.empty()) return Ok();
  auto merged = Merge(picked);
  if (!merged.ok()) return Ok();  // only less tidy: the pieces stay as they are
  HONRYU_TRY(auto segment, Segment::Open(Bytes(std::move(*merged)), false));
  Replace(key, SegmentsOf(picked), {{std::move(segment), 0, true}});
  return Ok();
}

Result<Entry> Store::Impl::Write(const GroupKey& key, BytesView bytes, Catalogue::Change& change) {
  HONRYU_TRY(const auto number, catalogue->TakeNumber());
  SegmentRecord record;
  record.number = number;
  record.index = key.index;
  record.day = key.day;
  HONRYU_TRY_VOID(WriteFileDurably(config.path + "/segments", record.FileName(), bytes));
  HONRYU_TRY(auto mapped, MapFile(SegmentPath(number)));
  HONRYU_TRY(auto segment, Segment::Open(std::move(mapped), true));
  record.shards = ShardsOf(*segment);
  change.put.push_back(std::move(record));
  return Entry{std::move(segment), number, true};
}

Result<void> Store::Impl::Flush() {
  HONRYU_TRY_VOID(Refresh());
  Catalogue::Change change;
  struct Done {
    GroupKey key;
    std::vector<std::shared_ptr<const Segment>> out;
    std::vector<Entry> in;
  };
  std::vector<Done> done;
  const auto write = [&]() -> Result<void> {
    for (const auto& key : Groups()) {
      auto entries = Entries(key);
      std::erase_if(entries, [](const Entry& entry) { return entry.number != 0; });
      if (entries.empty()) continue;
      Done group{key, SegmentsOf(entries), {}};
      while (!entries.empty()) {
        std::vector<Entry> some;
        std::uint64_t docs = 0;
        while (!entries.empty() &&
               (some.empty() || docs + entries.back().segment->doc_count() <= config.max_segment_docs)) {
          docs += entries.back().segment->doc_count();
          some.push_back(std::move(entries.back()));
          entries.pop_back();
        }
        auto merged = some.size() == 1 ? Result<std::string>(std::string()) : Merge(some);
        if (some.size() > 1 && merged.ok()) {
          HONRYU_TRY(auto entry, Write(key, *merged, change));
          group.in.push_back(std::move(entry));
          continue;
        }
        if (!merged.ok() && merged.error().code() != ErrorCode::kFailedPrecondition) return merged.error();
        for (const auto& one : some) {  // a mapping changed between them: each for itself
          HONRYU_TRY(auto entry, Write(key, one.segment->bytes(), change));
          group.in.push_back(std::move(entry));
        }
      }
      done.push_back(std::move(group));
    }
    change.positions = refreshed;
    {
      const std::lock_guard lock(view);
      for (const auto& [index, mapping] : mappings) {
        auto json = mapping->ToJson();
        const auto known = catalogue->mappings().find(index);
        if (known == catalogue->mappings().end() || known->second != json)
          change.mappings[index] = std::move(json);
      }
    }
    return catalogue->Commit(change);
  };
  if (auto written = write(); !written.ok()) {
    // What is in memory stays there; files that no commit names are of no use.
    for (const auto& record : change.put) (void)RemoveFile(SegmentPath(record.number)).ok();
    return written;
  }
  for (auto& group : done) Replace(group.key, group.out, std::move(group.in));
  oldest_in_memory.reset();
  const std::lock_guard lock(view);
  ++statistics.flushes;
  return Ok();
}

Result<void> Store::Impl::MergeDisk() {
  const auto now = clock.Mono();
  if (next_merge && now < *next_merge) return Ok();
  for (const auto& key : Groups()) {
    auto entries = Entries(key);
    std::erase_if(entries, [](const Entry& entry) { return entry.number == 0; });
    const auto picked = PickMerge(std::move(entries), config.max_segment_docs);
    if (picked.empty()) continue;
    // Merging what is corrupt would give it good checksums.
    bool sound = true;
    for (const auto& entry : picked) {
      HONRYU_TRY(const bool one, Verify(key, entry));
      sound = sound && one;
    }
    if (!sound) continue;
    auto merged = Merge(picked);
    if (!merged.ok() && merged.error().code() == ErrorCode::kFailedPrecondition) continue;
    if (!merged.ok()) return merged.error();
    Catalogue::Change change;
    for (const auto& entry : picked) change.remove.push_back(entry.number);
    HONRYU_TRY(auto entry, Write(key, *merged, change));
    HONRYU_TRY_VOID(catalogue->Commit(change));
    Replace(key, SegmentsOf(picked), {std::move(entry)});
    for (const auto& old : picked) HONRYU_TRY_VOID(RemoveFile(SegmentPath(old.number)));
    // The next one waits until this one's bytes are within the share.
    next_merge =
        now + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
                  static_cast<double>(merged->size()) / static_cast<double>(config.merge_bytes_per_second)));
    const std::lock_guard lock(view);
    ++statistics.merges;
    statistics.merged_bytes += merged->size();
    return Ok();
  }
  return Ok();
}

Result<void> Store::Impl::Retain() {
  const auto now = clock.Mono();
  if (config.retention <= Duration{0} || (next_retention && now < *next_retention)) return Ok();
  next_retention = now + kRetentionEvery;
  const auto oldest = (ToMs(clock.Now()) - ToMs(config.retention)) / kDayMs;
  for (const auto& key : Groups()) {
    if (key.day >= oldest) continue;
    const auto entries = Entries(key);
    Catalogue::Change change;
    for (const auto& entry : entries)
      if (entry.number != 0) change.remove.push_back(entry.number);
    HONRYU_TRY_VOID(catalogue->Commit(change));
    Replace(key, SegmentsOf(entries), {});
    for (const auto number : change.remove) HONRYU_TRY_VOID(RemoveFile(SegmentPath(number)));
    const std::lock_guard lock(view);
    statistics.dropped_segments += entries.size();
  }
  return Ok();
}

Result<bool> Store::Impl::Verify(const GroupKey& key, const Entry& entry) {
  if (entry.verified) return true;
  const auto file = SegmentFile::Open(entry.segment->bytes(), true);
  if (file.ok()) return true;
  HONRYU_TRY_VOID(Quarantine(key, entry.number, file.error()));
  return false;
}

Result<void> Store::Impl::VerifyOne() {
  for (const auto& key : Groups())
    for (const auto& entry : Entries(key)) {
      if (entry.verified) continue;
      HONRYU_TRY(const bool sound, Verify(key, entry));
      if (sound) Replace(key, {entry.segment}, {{entry.segment, entry.number, true}});
      return Ok();
    }
  return Ok();
}

Result<void> Store::Impl::Quarantine(const GroupKey& key, std::uint64_t number, const Error& why) {
  (void)why;
  const auto found = catalogue->segments().find(number);
  if (found == catalogue->segments().end()) return Ok();
  auto record = found->second;
  record.quarantined = true;
  Catalogue::Change change;
  change.put.push_back(record);
  HONRYU_TRY_VOID(catalogue->Commit(change));
  std::vector<std::shared_ptr<const Segment>> out;
  for (const auto& entry : Entries(key))
    if (entry.number == number) out.push_back(entry.segment);
  if (!out.empty()) Replace(key, out, {});
  // A file that is gone altogether cannot be set aside.
  (void)MoveFile(SegmentPath(number), config.path + "/quarantine/" + record.FileName()).ok();
  const std::lock_guard lock(view);
  ++statistics.quarantined;
  return Ok();
}

Result<void> Store::Refresh() {
  const std::lock_guard lock(impl_->maintenance);
  return impl_->Refresh();
}

Result<void> Store::Flush() {
  const std::lock_guard lock(impl_->maintenance);
  return impl_->Flush();
}

Result<Duration> Store::Maintain() {
  const std::lock_guard lock(impl_->maintenance);
  const auto now = impl_->clock.Mono();
  std::optional<MonoTime> since;
  {
    const std::lock_guard inner(impl_->writer);
    since = impl_->waiting_since;
  }
  const bool old = impl_->oldest_in_memory && now - *impl_->oldest_in_memory >= impl_->config.flush_age;
  if (old || impl_->MemoryBytes() >= impl_->config.flush_bytes) {
    HONRYU_TRY_VOID(impl_->Flush());
  } else if (since) {
    HONRYU_TRY_VOID(impl_->Refresh());
  }
  HONRYU_TRY_VOID(impl_->MergeDisk());
  HONRYU_TRY_VOID(impl_->Retain());
  HONRYU_TRY_VOID(impl_->VerifyOne());
  return impl_->config.refresh_interval;
}

}  // namespace honryu::search
