#include "honryu/search/store.h"

#include "honryu/codec/json.h"
#include "honryu/search/api_error.h"
#include "search/index/segment_merger.h"
#include "search/query/matcher.h"
#include "search/query/parse_query.h"
#include "search/request/search_request.h"
#include "search/store/files.h"
#include "search/store/index_pattern.h"
#include "search/store/store_impl.h"

#include <algorithm>

namespace honryu::search {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
/// Days kept apart when there is no retention; older events join the day they arrived on.
constexpr std::int64_t kOwnDays = 30;

std::int64_t DayOf(std::int64_t ms) { return ms / kDayMs - (ms % kDayMs < 0 ? 1 : 0); }

Result<codec::Json> ParseBody(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return codec::Json(codec::Json::Object{});
  auto parsed = codec::Json::Parse(body);
  if (!parsed.ok()) return ParsingError("the request body is no JSON: " + parsed.error().message());
  if (!parsed->is_object()) return ParsingError("the request body must be an object");
  return parsed;
}

/// The query of a body that may hold nothing else.
Result<Query> OnlyQuery(std::string_view body) {
  HONRYU_TRY(const auto json, ParseBody(body));
  for (const auto& [name, value] : json.object())
    if (name != "query") return ParsingError("request does not support [" + name + "]");
  const auto* query = json.Find("query");
  if (query == nullptr) return Query{MatchAllQuery{}, 1};
  return ParseQuery(*query);
}

}  // namespace

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(StoreConfig config, const Clock& clock) {
  auto impl = std::make_unique<Impl>(std::move(config), clock);
  HONRYU_TRY_VOID(impl->Load());
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

std::shared_ptr<Mapping> Store::Impl::MappingOf(std::string_view index, bool make) {
  const std::lock_guard lock(view);
  const auto found = mappings.find(index);
  if (found != mappings.end()) return found->second;
  if (!make) return nullptr;
  return mappings.emplace(std::string(index), std::make_shared<Mapping>(config.limits)).first->second;
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

GroupKey Store::Impl::GroupOf(std::string_view index, std::int64_t time_ms) const {
  // Events far from now go where today's go: retention then keeps them as long as others that came today, and
  // a replay of years does not open a segment for every one of its days.
  const auto today = DayOf(ToMs(clock.Now()));
  const auto kept = config.retention > Duration{0} ? ToMs(config.retention) / kDayMs : kOwnDays;
  const auto day = DayOf(time_ms);
  return {std::string(index), day >= today - kept && day <= today + 1 ? day : today};
}

Result<void> Store::Impl::AddOne(std::string_view shard, const StoreDocument& document, AddResult& result,
                                 std::size_t place) {
  auto object = parser.Parse(document.source);
  if (auto name = CheckIndexName(document.index); !name.ok() || !object.ok()) {
    result.refused.push_back({place, name.ok() ? object.error() : name.error()});
    return Ok();
  }
  const auto time = EventTime(*object, config.time_fields).value_or(document.arrival_ms);
  auto& opened = open[GroupOf(document.index, time)];
  if (opened.builder == nullptr) {
    opened.mapping = MappingOf(document.index, true);
    opened.builder = std::make_unique<SegmentBuilder>(*opened.mapping);
  }
  opened.builder->Add(document.source, *object, {shard, document.sequence, document.part, document.id}, time);
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

Result<std::vector<IndexedSegment>> Store::Impl::Visible(std::string_view indices,
                                                         const SearchOptions& options) const {
  HONRYU_TRY(const auto names, ResolveIndices(indices, Names(), options.ignore_unavailable));
  std::vector<IndexedSegment> segments;
  const std::lock_guard lock(view);
  for (const auto& [key, entries] : groups)
    if (std::binary_search(names.begin(), names.end(), key.index))
      for (const auto& entry : entries) segments.push_back({key.index, entry.segment});
  return segments;
}

Result<std::string> Store::Search(std::string_view indices, std::string_view body,
                                  const SearchOptions& options) const {
  HONRYU_TRY(const auto json, ParseBody(body));
  const QueryContext context{ToMs(impl_->clock.Now())};
  HONRYU_TRY(const auto request, ParseSearchRequest(json, context.now_ms));
  HONRYU_TRY(const auto segments, impl_->Visible(indices, options));
  SearchLimits limits;
  limits.clock = &impl_->clock;
  limits.cancelled = options.cancelled;
  return RunSearch(segments, request, context, limits);
}

Result<std::uint64_t> Store::Count(std::string_view indices, std::string_view body,
                                   const SearchOptions& options) const {
  HONRYU_TRY(const auto query, OnlyQuery(body));
  HONRYU_TRY(const auto segments, impl_->Visible(indices, options));
  SearchLimits limits;
  limits.cancelled = options.cancelled;
  const QueryContext context{ToMs(impl_->clock.Now())};
  return CountMatches(segments, query, context, limits);
}

Result<EraseReceipt> Store::Erase(std::string_view indices, std::string_view body) {
  HONRYU_TRY(const auto query, OnlyQuery(body));
  auto& impl = *impl_;
  const std::lock_guard lock(impl.maintenance);
  HONRYU_TRY_VOID(impl.Flush());  // all is on disk then, and behind the positions: no replay brings it back
  HONRYU_TRY(const auto names, ResolveIndices(indices, impl.Names(), false));
  const QueryContext context{ToMs(impl.clock.Now())};
  EraseReceipt receipt;
  for (const auto& key : impl.Groups()) {
    if (!std::binary_search(names.begin(), names.end(), key.index)) continue;
    for (const auto& entry : impl.Entries(key)) {
      HONRYU_TRY(const bool sound, impl.Verify(key, entry));
      if (!sound) continue;  // set aside; what is restored from it later is subject to a new erasure
      HONRYU_TRY(const auto matched, SegmentMatcher(*entry.segment, context).Match(query));
      if (matched.empty()) continue;
      Catalogue::Change change;
      change.remove.push_back(entry.number);
      std::vector<Entry> in;
      if (!matched.all()) {
        MergeInput input{entry.segment, std::vector<bool>(entry.segment->doc_count(), true)};
        matched.ForEach([&input](std::uint32_t doc) { input.keep[doc] = false; });
        HONRYU_TRY(const auto bytes, MergeSegments({input}));
        HONRYU_TRY(auto rewritten, impl.Write(key, bytes, change));
        in.push_back(std::move(rewritten));
      }
      HONRYU_TRY_VOID(impl.catalogue->Commit(change));
      impl.Replace(key, {entry.segment}, std::move(in));
      HONRYU_TRY_VOID(RemoveFile(impl.SegmentPath(entry.number)));
      receipt.documents += matched.size();
      ++receipt.segments_rewritten;
    }
  }
  HONRYU_TRY(const auto segments, impl.Visible(indices, {}));
  HONRYU_TRY(receipt.left, CountMatches(segments, query, context, {}));
  return receipt;
}

Result<void> Store::PutMapping(std::string_view index, std::string_view json) {
  HONRYU_TRY_VOID(CheckIndexName(index));
  auto merged = impl_->MappingOf(index, true)->Merge(json.empty() ? "{}" : json);
  if (!merged.ok()) return IllegalArgument(merged.error().message());
  const std::lock_guard lock(impl_->maintenance);
  Catalogue::Change change;
  change.mappings[std::string(index)] = impl_->MappingOf(index, true)->ToJson();
  return impl_->catalogue->Commit(change);
}

Result<std::string> Store::GetMapping(std::string_view index) const {
  const auto mapping = impl_->MappingOf(index, false);
  if (mapping != nullptr) return mapping->ToJson();
  return Error(ErrorCode::kNotFound, "index_not_found_exception: no such index [" + std::string(index) + "]");
}

Result<std::vector<std::string>> Store::IndexNames(std::string_view indices,
                                                   const SearchOptions& options) const {
  return ResolveIndices(indices, impl_->Names(), options.ignore_unavailable);
}

Result<void> Store::DropIndex(std::string_view index) {
  auto& impl = *impl_;
  const std::lock_guard lock(impl.maintenance);
  if (impl.MappingOf(index, false) == nullptr)
    return Error(ErrorCode::kNotFound,
                 "index_not_found_exception: no such index [" + std::string(index) + "]");
  HONRYU_TRY_VOID(impl.Flush());
  Catalogue::Change change;
  change.removed_mappings.emplace_back(index);
  for (const auto& [number, record] : impl.catalogue->segments())
    if (record.index == index) change.remove.push_back(number);
  HONRYU_TRY_VOID(impl.catalogue->Commit(change));
  {
    const std::lock_guard leaf(impl.view);
    std::erase_if(impl.groups, [&](const auto& group) { return group.first.index == index; });
    impl.mappings.erase(impl.mappings.find(index));
  }
  for (const auto number : change.remove) HONRYU_TRY_VOID(RemoveFile(impl.SegmentPath(number)));
  return Ok();
}

std::vector<IndexStatistics> Store::Indices() const {
  const std::lock_guard lock(impl_->view);
  std::vector<IndexStatistics> all;
  for (const auto& [name, mapping] : impl_->mappings) {
    IndexStatistics index;
    index.name = name;
    for (const auto& [key, entries] : impl_->groups)
      if (key.index == name)
        for (const auto& entry : entries) {
          index.documents += entry.segment->doc_count();
          index.bytes += entry.segment->byte_size();
          ++index.segments;
        }
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

std::vector<LostRange> Store::Lost() const {
  const std::lock_guard lock(impl_->maintenance);
  std::vector<LostRange> lost;
  for (const auto& [number, record] : impl_->catalogue->segments())
    if (record.quarantined)
      for (const auto& [shard, range] : record.shards)
        lost.push_back({number, record.index, shard, range.first, range.last});
  return lost;
}

Result<AddResult> Store::Restore(const StoreBatch& batch) {
  auto& impl = *impl_;
  const std::lock_guard lock(impl.maintenance);
  HONRYU_TRY_VOID(impl.Refresh());
  AddResult result;
  const QueryContext context{ToMs(impl.clock.Now())};
  for (std::size_t i = 0; i < batch.documents.size(); ++i) {
    const auto& document = batch.documents[i];
    auto id = std::string(document.id);
    if (id.empty()) {
      id = std::string(batch.shard) + ":" + std::to_string(document.sequence);
      if (document.part != 0) id += ":" + std::to_string(document.part);
    }
    HONRYU_TRY(const auto segments, impl.Visible(document.index, {true, nullptr}));
    HONRYU_TRY(const auto present, CountMatches(segments, {IdsQuery{{id}}, 1}, context, {}));
    if (present > 0) {
      ++result.duplicates;
      continue;
    }
    const std::lock_guard inner(impl.writer);
    HONRYU_TRY_VOID(impl.AddOne(batch.shard, document, result, i));
    if (!impl.waiting_since) impl.waiting_since = impl.clock.Mono();
  }
  HONRYU_TRY_VOID(impl.Refresh());
  return result;
}

Result<void> Store::Restored(std::uint64_t segment) {
  auto& impl = *impl_;
  const std::lock_guard lock(impl.maintenance);
  const auto found = impl.catalogue->segments().find(segment);
  if (found == impl.catalogue->segments().end() || !found->second.quarantined)
    return Error(ErrorCode::kNotFound, "segment " + std::to_string(segment) + " is not in quarantine");
  const auto file = impl.config.path + "/quarantine/" + found->second.FileName();
  HONRYU_TRY_VOID(impl.Flush());  // its events are on disk before it is forgotten
  Catalogue::Change change;
  change.remove.push_back(segment);
  HONRYU_TRY_VOID(impl.catalogue->Commit(change));
  return RemoveFile(file);
}

}  // namespace honryu::search
