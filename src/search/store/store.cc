#include "honryu/search/store.h"

#include "honryu/codec/json.h"
#include "honryu/search/api_error.h"
#include "search/query/matcher.h"
#include "search/query/parse_query.h"
#include "search/request/search_request.h"
#include "search/store/bodies.h"
#include "search/store/files.h"
#include "search/store/index_pattern.h"
#include "search/store/store_impl.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

namespace honryu::search {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
/// Days kept apart when there is no retention; older events join the day they arrived on.
constexpr std::int64_t kOwnDays = 30;

std::int64_t DayOf(std::int64_t ms) { return ms / kDayMs - (ms % kDayMs < 0 ? 1 : 0); }

}  // namespace

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(StoreConfig config, const Clock& clock) {
  auto impl = std::make_unique<Impl>(std::move(config), clock);
  HONRYU_TRY_VOID(impl->Load());
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

std::shared_ptr<Mapping> Store::Impl::MappingOf(std::string_view index, bool make) {
  std::function<NewIndex(std::string_view)> begin_of;
  {
    const std::lock_guard lock(view);
    const auto found = mappings.find(index);
    if (found != mappings.end()) return found->second;
    if (!make) return nullptr;
    begin_of = new_index;
  }
  auto made = std::make_shared<Mapping>(config.limits);
  NewIndex begin;
  if (begin_of) begin = begin_of(index);
  // What a template says that cannot be is left out; it was refused when it was put.
  if (!begin.mapping.empty()) (void)made->Merge(begin.mapping).ok();
  const std::lock_guard lock(view);
  const auto [at, fresh] = mappings.emplace(std::string(index), std::move(made));
  if (fresh && begin.retention) retentions.insert_or_assign(at->first, *begin.retention);
  return at->second;
}

std::uint64_t Store::Impl::MemoryBytes() const {
  std::uint64_t bytes;
  {
    const std::lock_guard lock(writer);
    bytes = open_bytes;
  }
  const std::lock_guard lock(view);
  return bytes + memory_segment_bytes;
}

GroupKey Store::Impl::GroupOf(std::string_view index, std::int64_t time_ms) {
  // Events far from now go where today's go: retention then keeps them as long as others that came today, and
  // a replay of years does not open a segment for every one of its days.
  const auto today = DayOf(ToMs(clock.Now()));
  const auto day = DayOf(time_ms);
  if (day == today) return {std::string(index), day};
  MappingOf(index, true);  // a new index's retention is known then
  const auto retention = RetentionOf(index);
  const auto kept = retention > Duration{0} ? ToMs(retention) / kDayMs : kOwnDays;
  return {std::string(index), day >= today - kept && day <= today + 1 ? day : today};
}

Result<void> Store::Impl::AddOne(std::string_view shard, const StoreDocument& document, AddResult& result,
                                 std::size_t place) {
  if (document.kind == WriteKind::kDelete) {
    if (!document.id.empty() && MappingOf(document.index, false) != nullptr)
      id_writes[std::string(document.index)].push_back(
          {std::string(document.id), WriteKind::kDelete, 0, 0, false});
    return Ok();
  }
  auto object = parser.Parse(document.source);
  if (auto name = CheckIndexName(document.index); !name.ok() || !object.ok()) {
    result.refused.push_back({place, name.ok() ? object.error() : name.error()});
    return Ok();
  }
  const auto time = EventTime(*object, config.time_fields).value_or(document.arrival_ms);
  const auto group = GroupOf(document.index, time);
  auto& opened = open[group];
  if (opened.builder == nullptr) {
    opened.mapping = MappingOf(document.index, true);
    const auto kept = std::find_if(spare.begin(), spare.end(),
                                   [&](const Open& one) { return one.mapping == opened.mapping; });
    if (kept != spare.end()) {
      opened.builder = std::move(kept->builder);
      spare.erase(kept);
    } else {
      opened.builder = std::make_unique<SegmentBuilder>(*opened.mapping);
    }
  }
  if (const auto erased = erased_through.find(shard);
      erased != erased_through.end() && document.sequence <= erased->second)
    opened.perhaps_erased = true;
  std::string_view id = document.id, id_path;
  if (id.empty() && !document.id_field.empty()) {
    const auto value = FindPath(*object, document.id_field);
    // A longer one does not serve as an id; the event is kept by its place in the log.
    if (value && value->is_string() && value->get_string().value_unsafe().size() <= kMaxEventIdBytes) {
      id = value->get_string().value_unsafe();
      id_path = document.id_field;
    }
  }
  if (!id.empty() && document.kind != WriteKind::kAppend)
    id_writes[group.index].push_back(
        {std::string(id), document.kind, group.day, opened.builder->doc_count(), document.id.empty()});
  opened.builder->Add(document.source, *object, {shard, document.sequence, document.part, id, id_path}, time);
  ++result.added;
  return Ok();
}

Result<AddResult> Store::Add(const StoreBatch& batch) {
  auto& impl = *impl_;
  if (impl.MemoryBytes() > impl.config.max_memory_bytes)
    return Error(ErrorCode::kOverloaded, "rejected_execution_exception: the store holds more than " +
                                             std::to_string(impl.config.max_memory_bytes) +
                                             " bytes that are not on disk yet");
  AddResult result;
  const std::lock_guard lock(impl.writer);
  const auto position = impl.added.find(batch.shard);
  for (std::size_t i = 0; i < batch.documents.size(); ++i) {
    if (position != impl.added.end() && batch.documents[i].sequence <= position->second)
      ++result.duplicates;
    else
      HONRYU_TRY_VOID(impl.AddOne(batch.shard, batch.documents[i], result, i));
  }
  if (position == impl.added.end())
    impl.added.emplace(std::string(batch.shard), batch.through);
  else
    position->second = std::max(position->second, batch.through);
  impl.waiting += result.added;
  if (!impl.waiting_since) impl.waiting_since = impl.clock.Mono();
  impl.open_bytes = 0;
  for (const auto& [key, opened] : impl.open) impl.open_bytes += opened.builder->bytes();
  const std::lock_guard leaf(impl.view);
  impl.statistics.refused += result.refused.size();
  impl.statistics.duplicates += result.duplicates;
  return result;
}

std::optional<std::uint64_t> Store::Position(std::string_view shard) const {
  const std::lock_guard lock(impl_->maintenance);
  const auto& positions = impl_->catalogue->positions();
  const auto found = positions.find(shard);
  if (found == positions.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> Store::Impl::Names() const {
  const std::lock_guard lock(view);
  std::vector<std::string> names;
  for (const auto& [name, mapping] : mappings) names.push_back(name);
  return names;
}

Result<SegmentView> Store::Impl::Visible(std::string_view indices, const SearchOptions& options) const {
  HONRYU_TRY(const auto names,
             ResolveIndices(indices, Names(), options.ignore_unavailable, options.allow_no_indices));
  std::map<std::string, std::shared_ptr<const SegmentFilter>, std::less<>> filters;
  for (const auto& [index, text] : options.filters) {
    HONRYU_TRY(const auto json, codec::Json::Parse(text));
    HONRYU_TRY(auto query, ParseQuery(json));
    filters[index] = std::make_shared<const SegmentFilter>(std::move(query), text);
  }
  SegmentView all;
  const std::lock_guard lock(view);
  for (const auto& [key, entries] : groups) {
    if (!std::binary_search(names.begin(), names.end(), key.index)) continue;
    const auto filter = filters.find(key.index);
    for (const auto& entry : entries)
      all.segments.push_back({key.index, entry.segment, entry.deleted, entry.number,
                              filter != filters.end() ? filter->second : nullptr});
  }
  for (const auto& [number, segment] : lost)
    if (std::binary_search(names.begin(), names.end(), segment.index)) all.lost.push_back(segment);
  return all;
}

namespace {

/// Moves segments that turned out to be corrupt to those that are lost. False when there were none.
bool LeaveOutDamaged(SegmentView& view) {
  return std::erase_if(view.segments, [&view](const IndexedSegment& one) {
           if (!one.segment->damaged()) return false;
           view.lost.push_back({one.index, one.number, std::string(one.segment->damage())});
           return true;
         }) > 0;
}

/// Calls run() until no segment turned out to be corrupt while it ran: what it answered may then be wrong.
template <typename Run>
auto WithSoundSegments(SegmentView& view, const SearchOptions& options, Run run) -> decltype(run()) {
  LeaveOutDamaged(view);
  for (;;) {
    if (!view.lost.empty() && !options.allow_partial)
      return Error(
          ErrorCode::kUnavailable,
          "search_phase_execution_exception: " + std::to_string(view.lost.size()) +
              " corrupt segment(s) are not rebuilt from the log yet, and partial results are not allowed");
    auto answer = run();
    if (!LeaveOutDamaged(view)) return answer;
  }
}

Result<std::string> SearchIn(SegmentView view, std::string_view body, const SearchOptions& options,
                             const Clock& clock, AggCache& aggs) {
  HONRYU_TRY(const auto json, ParseBody(body));
  const QueryContext context{ToMs(clock.Now())};
  HONRYU_TRY(auto request, ParseSearchRequest(json, context.now_ms));
  if (options.timeout != Duration::max() &&
      (request.timeout == Duration{0} || request.timeout > options.timeout))
    request.timeout = options.timeout;
  SearchLimits limits;
  limits.clock = &clock;
  limits.cancelled = options.cancelled;
  limits.aggs = &aggs;
  return WithSoundSegments(view, options,
                           [&] { return RunSearch(view.segments, request, context, limits, view.lost); });
}

}  // namespace

Result<std::string> Store::Search(std::string_view indices, std::string_view body,
                                  const SearchOptions& options) const {
  HONRYU_TRY(auto view, impl_->Visible(indices, options));
  return SearchIn(std::move(view), body, options, impl_->clock, impl_->agg_cache);
}

Result<std::shared_ptr<const Snapshot>> Store::Pin(std::string_view indices,
                                                   const SearchOptions& options) const {
  HONRYU_TRY(auto view, impl_->Visible(indices, options));
  return std::make_shared<const Snapshot>(std::move(view));
}

Result<std::string> Store::Search(const Snapshot& snapshot, std::string_view body,
                                  const SearchOptions& options) const {
  return SearchIn(snapshot.view(), body, options, impl_->clock, impl_->agg_cache);
}

Result<std::uint64_t> Store::Count(std::string_view indices, std::string_view body,
                                   const SearchOptions& options, std::uint64_t* lost) const {
  HONRYU_TRY(const auto query, OnlyQuery(body));
  HONRYU_TRY(auto view, impl_->Visible(indices, options));
  SearchLimits limits;
  limits.cancelled = options.cancelled;
  if (options.timeout != Duration::max()) {
    limits.clock = &impl_->clock;
    limits.deadline = impl_->clock.Mono() + options.timeout;
  }
  const QueryContext context{ToMs(impl_->clock.Now())};
  HONRYU_TRY(const auto count, WithSoundSegments(view, options, [&] {
               return CountMatches(view.segments, query, context, limits);
             }));
  if (lost != nullptr) *lost = view.lost.size();
  return count;
}

std::vector<bool> Store::Present(std::string_view index, const std::vector<std::string>& ids) const {
  std::vector<bool> present(ids.size());
  const auto segments = impl_->WithIds(index);
  for (std::size_t i = 0; i < ids.size(); ++i)
    for (const auto& [key, entry] : segments) {
      if (present[i] || !entry.ids->MayHold(ids[i])) continue;
      for (const auto doc : FindId(*entry.segment, ids[i]))
        if (entry.deleted == nullptr || !entry.deleted->Contains(doc)) present[i] = true;
    }
  return present;
}

Duration Store::Impl::RetentionOf(std::string_view index) const {
  const std::lock_guard lock(view);
  const auto own = retentions.find(index);
  return own != retentions.end() ? own->second : config.retention;
}

void Store::SetRetention(std::string_view index, std::optional<Duration> retention) {
  const std::lock_guard lock(impl_->view);
  if (retention)
    impl_->retentions.insert_or_assign(std::string(index), *retention);
  else if (const auto own = impl_->retentions.find(index); own != impl_->retentions.end())
    impl_->retentions.erase(own);
}

Result<void> Store::PutMapping(std::string_view index, std::string_view json) {
  HONRYU_TRY_VOID(CheckIndexName(index));
  auto merged = impl_->MappingOf(index, true)->Merge(json.empty() ? "{}" : json);
  if (!merged.ok()) {
    const auto& message = merged.error().message();
    if (message.starts_with("No handler for type"))
      return Error(ErrorCode::kInvalidArgument, "mapper_parsing_exception: " + std::string(message));
    return IllegalArgument(message);
  }
  const std::lock_guard lock(impl_->maintenance);
  Catalogue::Change change;
  change.mappings[std::string(index)] = impl_->MappingOf(index, true)->ToJson();
  return impl_->catalogue->Commit(change);
}

Result<void> Store::CheckQuery(std::string_view json) {
  HONRYU_TRY(const auto parsed, codec::Json::Parse(json));
  const auto query = ParseQuery(parsed);
  if (!query.ok()) return query.error();
  return Ok();
}

Result<std::string> Store::GetMapping(std::string_view index) const {
  const auto mapping = impl_->MappingOf(index, false);
  if (mapping != nullptr) return mapping->ToJson();
  return Error(ErrorCode::kNotFound, "index_not_found_exception: no such index [" + std::string(index) + "]");
}

Result<std::vector<std::string>> Store::IndexNames(std::string_view indices,
                                                   const SearchOptions& options) const {
  return ResolveIndices(indices, impl_->Names(), options.ignore_unavailable, options.allow_no_indices);
}

void Store::SetNewIndex(std::function<NewIndex(std::string_view)> begin_of) {
  const std::lock_guard lock(impl_->view);
  impl_->new_index = std::move(begin_of);
}

Result<void> Store::PutNote(const std::string& name, const std::string& text) {
  return PutNotes({{name, text}});
}

Result<void> Store::PutNotes(std::map<std::string, std::string> notes) {
  const std::lock_guard lock(impl_->maintenance);
  Catalogue::Change change;
  change.notes = std::move(notes);
  return impl_->catalogue->Commit(change);
}

Result<void> Store::RemoveNote(const std::string& name) { return PutNote(name, ""); }

std::map<std::string, std::string> Store::Notes() const {
  const std::lock_guard lock(impl_->maintenance);
  return impl_->catalogue->notes();
}

Result<void> Store::DropIndex(std::string_view index) {
  auto& impl = *impl_;
  const std::lock_guard outer(impl.housekeeping);
  if (impl.MappingOf(index, false) == nullptr)
    return Error(ErrorCode::kNotFound,
                 "index_not_found_exception: no such index [" + std::string(index) + "]");
  HONRYU_TRY_VOID(impl.Flush());
  const std::lock_guard lock(impl.maintenance);
  {
    // What came since: it was added while the index was being dropped.
    const std::lock_guard inner(impl.writer);
    std::erase_if(impl.open, [&](const auto& one) { return one.first.index == index; });
    if (const auto ids = impl.id_writes.find(index); ids != impl.id_writes.end()) impl.id_writes.erase(ids);
  }
  Catalogue::Change change;
  change.removed_mappings.emplace_back(index);
  for (const auto& [number, record] : impl.catalogue->segments())
    if (record.index == index) change.remove.push_back(number);
  HONRYU_TRY_VOID(impl.catalogue->Commit(change));
  {
    const std::lock_guard leaf(impl.view);
    for (const auto& [key, entries] : impl.groups)
      if (key.index == index)
        for (const auto& entry : entries)
          if (entry.number == 0) impl.memory_segment_bytes -= entry.segment->byte_size();
    std::erase_if(impl.groups, [&](const auto& group) { return group.first.index == index; });
    std::erase_if(impl.lost, [&](const auto& one) { return one.second.index == index; });
    impl.mappings.erase(impl.mappings.find(index));
    if (const auto own = impl.retentions.find(index); own != impl.retentions.end())
      impl.retentions.erase(own);
  }
  for (const auto number : change.remove) {
    HONRYU_TRY_VOID(RemoveFile(impl.SegmentPath(number)));
    HONRYU_TRY_VOID(RemoveFile(impl.QuarantinePath(number)));
  }
  return Ok();
}

std::vector<IndexStatistics> Store::Indices() const {
  const std::lock_guard lock(impl_->view);
  std::vector<IndexStatistics> all;
  for (const auto& [name, mapping] : impl_->mappings) {
    IndexStatistics index;
    index.name = name;
    index.fields = mapping->size();
    index.left_out = mapping->LeftOut();
    for (const auto& [key, entries] : impl_->groups)
      if (key.index == name)
        for (const auto& entry : entries) {
          index.documents += entry.living();
          index.deleted += entry.segment->doc_count() - entry.living();
          index.bytes += entry.segment->byte_size();
          ++index.segments;
          if (entry.segment->damaged())
            ++index.lost_segments;  // not set aside yet, but searches leave it out
        }
    for (const auto& [number, segment] : impl_->lost) index.lost_segments += segment.index == name ? 1 : 0;
    all.push_back(std::move(index));
  }
  return all;
}

StoreStatistics Store::Statistics() const {
  const auto memory = impl_->MemoryBytes();
  std::uint64_t waiting;
  {
    const std::lock_guard lock(impl_->writer);
    waiting = impl_->waiting;
  }
  const std::lock_guard lock(impl_->view);
  auto statistics = impl_->statistics;
  statistics.memory_bytes = memory;
  statistics.waiting = waiting;
  return statistics;
}

std::string Store::CatalogueDamage() const {
  const std::lock_guard lock(impl_->maintenance);
  const auto& damage = impl_->catalogue->damage();
  if (!damage) return {};
  return damage->message +
         (damage->kept_in.empty() ? "" : "; the damaged files are kept in " + damage->kept_in);
}

std::vector<LostRange> Store::Lost() const {
  const std::lock_guard lock(impl_->maintenance);
  std::vector<LostRange> lost;
  for (const auto& [number, record] : impl_->catalogue->segments())
    if (record.quarantined)
      for (const auto& [shard, range] : record.shards)
        lost.push_back({number, record.index, shard, range.first, range.last, record.reason});
  return lost;
}

namespace {

/// Place of a document in its shard.
using Place = std::pair<std::uint64_t, std::uint32_t>;  // sequence number, part

/// The documents of a shard that segments hold from `first` to `last`, deleted ones too.
Result<std::set<Place>> PlacesIn(const std::vector<IndexedSegment>& segments, std::string_view shard,
                                 std::uint64_t first, std::uint64_t last, const QueryContext& context) {
  BoolQuery both;
  both.filter.push_back({TermsQuery{std::string(kShardField), {Scalar(std::string(shard))}, false}, 1});
  RangeQuery range;
  range.field = kSequenceField;
  range.low = Scalar(static_cast<std::int64_t>(first));
  range.high = Scalar(static_cast<std::int64_t>(last));
  both.filter.push_back({std::move(range), 1});
  const Query query{std::move(both), 1};
  std::set<Place> places;
  for (const auto& [index, segment, deleted, number, filter] : segments) {
    HONRYU_TRY(const auto docs, SegmentMatcher(*segment, context).Match(query));
    if (docs.empty()) continue;
    const auto* sequences = segment->Find(kSequenceField);
    const auto* parts = segment->Find(kPartField);
    docs.ForEach([&](std::uint32_t doc) {
      Place place;
      sequences->longs->Of(doc, [&](std::int64_t value) { place.first = static_cast<std::uint64_t>(value); });
      if (parts != nullptr && parts->longs)
        parts->longs->Of(doc, [&](std::int64_t value) { place.second = static_cast<std::uint32_t>(value); });
      places.insert(place);
    });
  }
  return places;
}

}  // namespace

Result<AddResult> Store::Restore(const StoreBatch& batch) {
  auto& impl = *impl_;
  if (impl.MemoryBytes() > impl.config.flush_bytes) HONRYU_TRY_VOID(Flush());
  const std::lock_guard lock(impl.maintenance);
  HONRYU_TRY_VOID(impl.Refresh());
  AddResult result;
  const QueryContext context{ToMs(impl.clock.Now())};
  std::uint64_t first = UINT64_MAX, last = 0;
  for (const auto& document : batch.documents) {
    first = std::min(first, document.sequence);
    last = std::max(last, document.sequence);
  }
  std::map<std::string, std::set<Place>, std::less<>> places;  // by index
  for (std::size_t i = 0; i < batch.documents.size(); ++i) {
    const auto& document = batch.documents[i];
    if (document.kind == WriteKind::kDelete) continue;
    auto there = places.find(document.index);
    if (there == places.end()) {
      SearchOptions options;
      options.ignore_unavailable = true;
      HONRYU_TRY(auto view, impl.Visible(document.index, options));
      HONRYU_TRY(auto found, WithSoundSegments(view, options, [&] {
                   return PlacesIn(view.segments, batch.shard, first, last, context);
                 }));
      there = places.emplace(std::string(document.index), std::move(found)).first;
    }
    if (!there->second.emplace(document.sequence, document.part).second) {
      ++result.duplicates;
      continue;
    }
    const std::lock_guard inner(impl.writer);
    HONRYU_TRY_VOID(impl.AddOne(batch.shard, document, result, i));
    // The segments that its `_id` was compared with then may have become old, or new by merging: all are
    // looked into, so that a repetition that was left out stays out.
    if (const auto ids = impl.id_writes.find(document.index);
        ids != impl.id_writes.end() && !ids->second.empty())
      ids->second.back().windowed = false;
    if (!impl.waiting_since) impl.waiting_since = impl.clock.Mono();
  }
  HONRYU_TRY_VOID(impl.Refresh());
  return result;
}

Result<void> Store::Restored(std::uint64_t segment) {
  auto& impl = *impl_;
  const std::lock_guard outer(impl.housekeeping);
  HONRYU_TRY_VOID(impl.Flush());  // its events are on disk before it is forgotten
  HONRYU_TRY_VOID(impl.EraseAgain());
  const std::lock_guard lock(impl.maintenance);
  const auto found = impl.catalogue->segments().find(segment);
  if (found == impl.catalogue->segments().end() || !found->second.quarantined)
    return Error(ErrorCode::kNotFound, "segment " + std::to_string(segment) + " is not in quarantine");
  Catalogue::Change change;
  change.remove.push_back(segment);
  HONRYU_TRY_VOID(impl.catalogue->Commit(change));
  {
    const std::lock_guard leaf(impl.view);
    impl.lost.erase(segment);
  }
  return RemoveFile(impl.QuarantinePath(segment));
}

}  // namespace honryu::search
