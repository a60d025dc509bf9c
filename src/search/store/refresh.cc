#include "honryu/base/check.h"
#include "search/index/segment_merger.h"
#include "search/store/merging.h"
#include "search/store/store_impl.h"

#include <algorithm>
#include <unordered_map>

namespace honryu::search {
namespace {

/// A document in one of the segments that are about to become visible.
struct NewPlace {
  std::size_t sealed = 0;
  std::uint32_t doc = 0;
};

std::shared_ptr<const DocSet> WithDeleted(const Entry& entry, std::vector<std::uint32_t> docs) {
  std::sort(docs.begin(), docs.end());
  docs.erase(std::unique(docs.begin(), docs.end()), docs.end());
  auto all = DocSet::FromSorted(entry.segment->doc_count(), std::move(docs));
  if (entry.deleted != nullptr) all.Or(*entry.deleted);
  return std::make_shared<const DocSet>(std::move(all));
}

}  // namespace

std::vector<Store::Impl::Sealed> Store::Impl::WithIds(std::string_view index) {
  std::vector<Sealed> all;
  for (const auto& key : Groups()) {
    if (key.index != index) continue;
    for (auto& entry : Entries(key)) {
      if (entry.ids == nullptr) {
        entry.ids = std::make_shared<const IdFilter>(*entry.segment);
        const std::lock_guard lock(view);
        if (const auto group = groups.find(key); group != groups.end())
          for (auto& known : group->second)
            if (known.segment == entry.segment) known.ids = entry.ids;
      }
      if (!entry.ids->empty()) all.push_back({key, std::move(entry)});
    }
  }
  return all;
}

std::vector<Store::Impl::Sealed> Store::Impl::ApplyIds(const IdWrites& writes, std::vector<Sealed>& sealed) {
  std::vector<Sealed> changed;
  const auto now = ToMs(clock.Now());
  std::uint64_t replaced = 0, repeated = 0;
  for (const auto& [index, list] : writes) {
    auto older = WithIds(index);
    std::vector<std::vector<std::uint32_t>> dead(older.size()), dead_new(sealed.size());
    const auto find_older = [&](const IdWrite& write, bool remove) {
      bool any = false;
      for (std::size_t i = 0; i < older.size(); ++i) {
        const Entry& entry = older[i].entry;
        if (write.windowed && now - entry.sealed_ms > ToMs(config.id_window)) continue;
        if (!entry.ids->MayHold(write.id)) continue;
        for (const auto doc : FindId(*entry.segment, write.id)) {
          if (entry.deleted != nullptr && entry.deleted->Contains(doc)) continue;
          if (std::find(dead[i].begin(), dead[i].end(), doc) != dead[i].end()) continue;
          any = true;
          if (!remove) return true;
          dead[i].push_back(doc);
          ++replaced;
        }
      }
      return any;
    };
    std::unordered_map<std::string_view, NewPlace> living;
    for (const auto& write : list) {
      NewPlace place;
      if (write.kind != WriteKind::kDelete) {
        const auto found = std::find_if(sealed.begin(), sealed.end(), [&, &i = index](const Sealed& one) {
          return one.key.day == write.day && one.key.index == i;
        });
        if (found == sealed.end()) continue;
        place = {static_cast<std::size_t>(found - sealed.begin()), write.doc};
      }
      const auto known = living.find(write.id);
      if (write.kind == WriteKind::kCreate) {
        if (known != living.end() || find_older(write, false)) {
          dead_new[place.sealed].push_back(place.doc);
          ++repeated;
        } else {
          living.emplace(write.id, place);
        }
        continue;
      }
      if (known != living.end()) {
        dead_new[known->second.sealed].push_back(known->second.doc);
        ++replaced;
        living.erase(known);
      }
      find_older(write, true);
      if (write.kind == WriteKind::kIndex) living.emplace(write.id, place);
    }
    for (std::size_t i = 0; i < sealed.size(); ++i)
      if (!dead_new[i].empty())
        sealed[i].entry.deleted = WithDeleted(sealed[i].entry, std::move(dead_new[i]));
    for (std::size_t i = 0; i < older.size(); ++i) {
      if (dead[i].empty()) continue;
      older[i].entry.deleted = WithDeleted(older[i].entry, std::move(dead[i]));
      changed.push_back(std::move(older[i]));
    }
  }
  const std::lock_guard lock(view);
  statistics.replaced += replaced;
  statistics.duplicates += repeated;
  return changed;
}

Result<void> Store::Impl::Refresh() {
  std::map<GroupKey, Open> sealing;
  IdWrites writes;
  std::map<std::string, std::uint64_t, std::less<>> positions;
  {
    const std::lock_guard lock(writer);
    sealing.swap(open);
    writes.swap(id_writes);
    positions = added;
    waiting = open_bytes = 0;
    if (!oldest_in_memory) oldest_in_memory = waiting_since;
    waiting_since.reset();
  }
  std::vector<Sealed> sealed;
  std::vector<bool> perhaps_erased;
  for (auto& [key, opened] : sealing) {
    perhaps_erased.push_back(opened.perhaps_erased);
    const auto counters = opened.builder->counters();
    auto segment = Segment::Open(Bytes(opened.builder->Finish(false)), Checking::kNever, unpacked);
    // Going on would lose events that count as added; after a restart they are read again.
    HONRYU_CHECK(segment.ok(), "a segment just built cannot be opened");
    Entry entry;
    entry.segment = std::move(*segment);
    entry.verified = clock.Mono();
    entry.sealed_ms = ToMs(clock.Now());
    sealed.push_back({key, std::move(entry)});
    const std::lock_guard lock(view);
    statistics.ignored_values += counters.ignored_values;
    statistics.conflicting_values += counters.conflicting_values;
    statistics.overlong_values += counters.overlong_values;
    statistics.cut_texts += counters.cut_texts;
  }
  {
    const std::lock_guard lock(writer);
    constexpr std::size_t kSpare = 2;
    for (auto& [key, opened] : sealing)
      spare.push_back({std::move(opened.mapping), std::move(opened.builder)});
    // The largest: they would take longest to grow again.
    std::sort(spare.begin(), spare.end(),
              [](const Open& a, const Open& b) { return a.builder->bytes() > b.builder->bytes(); });
    if (spare.size() > kSpare) spare.resize(kSpare);
  }
  auto changed = ApplyIds(writes, sealed);
  for (std::size_t i = 0; i < sealed.size(); ++i)
    if (perhaps_erased[i]) LeaveOutErased(sealed[i]);
  {
    // At once, so that a search sees either the old or the new document of an id.
    const std::lock_guard lock(view);
    for (auto& [key, entry] : sealed) {
      memory_segment_bytes += entry.segment->byte_size();
      groups[key].push_back(entry);
    }
    for (const auto& [key, entry] : changed)
      for (auto& known : groups[key])
        if (known.segment == entry.segment) known.deleted = entry.deleted;
    ++statistics.refreshes;
  }
  refreshed = std::move(positions);
  return Ok();
}

}  // namespace honryu::search
