// Erasures: every one is noted before the first document goes, and kept in mind until no log can bring back
// what it was about. The notes are "erasure/<id>" in the catalogue.

#include "honryu/base/random.h"
#include "honryu/codec/json.h"
#include "honryu/kv/folder.h"
#include "honryu/search/api_error.h"
#include "search/index/segment_merger.h"
#include "search/query/matcher.h"
#include "search/store/bodies.h"
#include "search/store/files.h"
#include "search/store/index_pattern.h"
#include "search/store/store_impl.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace honryu::search {
namespace {

constexpr std::string_view kErasure = "erasure/";

}  // namespace

std::string Erasure::Encode(bool with_done) const {
  std::string text;
  codec::JsonWriter out(text);
  out.BeginObject();
  out.Key("id");
  out.String(id);
  out.Key("at");
  out.Int(at_ms);
  out.Key("indices");
  out.BeginArray();
  for (const auto& index : indices) out.String(index);
  out.EndArray();
  out.Key("body");
  out.String(body);
  out.Key("positions");
  out.BeginObject();
  for (const auto& [shard, position] : positions) {
    out.Key(shard);
    out.PlainString(std::to_string(position));  // as text: JSON numbers lose digits in many readers
  }
  out.EndObject();
  if (with_done) {
    out.Key("done");
    out.Bool(done);
  }
  out.EndObject();
  return text;
}

Result<Erasure> Erasure::Decode(std::string_view text, std::string_view name) {
  HONRYU_TRY(const auto json, codec::Json::Parse(text));
  const auto* id = json.Find("id");
  const auto* at = json.Find("at");
  const auto* indices = json.Find("indices");
  const auto* body = json.Find("body");
  const auto* positions = json.Find("positions");
  if ((id == nullptr && name.empty()) || at == nullptr || indices == nullptr || body == nullptr ||
      positions == nullptr)
    return Error(ErrorCode::kInvalidArgument, "the record of an erasure lacks members");
  Erasure erasure;
  erasure.id = id != nullptr ? id->StringOr("") : name;
  erasure.at_ms = at->IntOr(0);
  for (const auto& index : indices->array()) erasure.indices.emplace_back(index.StringOr(""));
  std::sort(erasure.indices.begin(), erasure.indices.end());
  erasure.body = body->StringOr("");
  for (const auto& [shard, position] : positions->object()) {
    const auto digits = position.StringOr("");
    auto& number = erasure.positions[shard];
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size())
      return Error(ErrorCode::kInvalidArgument, "the record of an erasure has a position that is no number");
  }
  const auto* done = json.Find("done");
  erasure.done = done == nullptr || done->BoolOr(false);
  return erasure;
}

Result<Query> Erasure::Bounded() const {
  HONRYU_TRY(auto query, OnlyQuery(body));
  BoolQuery until;
  until.minimum = "1";
  for (const auto& [shard, position] : positions) {
    BoolQuery one;
    one.filter.push_back({TermsQuery{std::string(kShardField), {Scalar(shard)}, false}, 1});
    RangeQuery range;
    range.field = kSequenceField;
    range.high = Scalar(static_cast<std::int64_t>(position));
    one.filter.push_back({std::move(range), 1});
    until.should.push_back({std::move(one), 1});
  }
  if (until.should.empty()) return Query{MatchNoneQuery{}, 1};
  BoolQuery both;
  both.filter.push_back(std::move(query));
  both.filter.push_back({std::move(until), 1});
  return Query{std::move(both), 1};
}

Result<EraseReceipt> Store::Impl::EraseMatches(const std::vector<std::string>& names, const Query& query,
                                               std::int64_t now_ms) {
  const QueryContext context{now_ms};
  EraseReceipt receipt;
  for (const auto& key : Groups()) {
    if (!std::binary_search(names.begin(), names.end(), key.index)) continue;
    for (const auto& entry : Entries(key)) {
      if (entry.number == 0) continue;  // came after the flush
      HONRYU_TRY(const bool sound, Verify(key, entry));
      if (!sound) continue;  // set aside; what was erased is left out when it is rebuilt
      HONRYU_TRY(auto matched, SegmentMatcher(*entry.segment, context).Match(query));
      if (entry.segment->damaged()) {
        HONRYU_TRY_VOID(Verify(key, entry));
        continue;
      }
      if (matched.empty()) continue;
      // Replaced documents that match are erased too, but were not there to be found.
      const auto stored = matched;
      if (entry.deleted != nullptr) matched.AndNot(*entry.deleted);
      receipt.documents += matched.size();
      auto gone = stored;
      if (entry.deleted != nullptr) gone.Or(*entry.deleted);
      Catalogue::Change change;
      Replacement replacement{key, {entry}, {}};
      if (!gone.all()) {
        MergeInput input{entry.segment, std::vector<bool>(entry.segment->doc_count(), true)};
        gone.ForEach([&input](std::uint32_t doc) { input.keep[doc] = false; });
        HONRYU_TRY(const auto bytes, MergeSegments({input}));
        if (entry.segment->damaged()) {  // found while it was read
          HONRYU_TRY_VOID(Verify(key, entry));
          continue;
        }
        HONRYU_TRY(auto rewritten, Write(key, bytes, {entry}, change));
        replacement.in.push_back(std::move(rewritten));
      }
      change.remove.push_back(entry.number);
      {
        const std::lock_guard inner(maintenance);
        std::vector<Replacement> all;
        all.push_back(std::move(replacement));
        HONRYU_TRY_VOID(CommitReplacements(std::move(all), std::move(change)));
      }
      HONRYU_TRY_VOID(RemoveFile(SegmentPath(entry.number)));
      ++receipt.segments_rewritten;
    }
  }
  // The receipt is not given before a power cut could no longer bring the files back.
  if (receipt.segments_rewritten > 0) HONRYU_TRY_VOID(kv::SyncFolder(config.path + "/segments"));
  // What was there when the erasure began is on disk; what came since is not its matter.
  std::vector<IndexedSegment> segments;
  for (const auto& key : Groups())
    if (std::binary_search(names.begin(), names.end(), key.index))
      for (const auto& entry : Entries(key))
        if (entry.number != 0) segments.push_back({key.index, entry.segment, entry.deleted});
  HONRYU_TRY(receipt.left, CountMatches(segments, query, context, {}));
  return receipt;
}

Result<void> Store::Impl::Remember(Erasure erasure) {
  const std::lock_guard lock(maintenance);
  Catalogue::Change change;
  change.notes[std::string(kErasure) + erasure.id] = erasure.Encode(true);
  HONRYU_TRY_VOID(catalogue->Commit(change));
  {
    const std::lock_guard inner(writer);
    for (const auto& [shard, position] : erasure.positions) {
      auto& through = erased_through[shard];
      through = std::max(through, position);
    }
  }
  auto id = erasure.id;
  erasures.insert_or_assign(std::move(id), std::move(erasure));
  return Ok();
}

void Store::Impl::LoadErasures() {
  for (const auto& [name, text] : catalogue->notes()) {
    if (!name.starts_with(kErasure)) continue;
    auto erasure = Erasure::Decode(text, std::string_view(name).substr(kErasure.size()));
    if (!erasure.ok()) continue;
    for (const auto& [shard, position] : erasure->positions) {
      auto& through = erased_through[shard];
      through = std::max(through, position);
    }
    auto id = erasure->id;
    erasures.insert_or_assign(std::move(id), std::move(*erasure));
  }
}

Result<EraseReceipt> Store::Impl::Carry(const Erasure& erasure, const Query& query) {
  HONRYU_TRY(auto receipt, EraseMatches(erasure.indices, query, erasure.at_ms));
  auto done = erasure;
  done.done = true;
  HONRYU_TRY_VOID(Remember(std::move(done)));
  receipt.id = erasure.id;
  receipt.at = TimestampFromMs(erasure.at_ms);
  receipt.record = erasure.Encode(false);
  const std::lock_guard lock(maintenance);
  for (const auto& [number, record] : catalogue->segments())
    if (record.quarantined &&
        std::binary_search(erasure.indices.begin(), erasure.indices.end(), record.index))
      ++receipt.quarantined_segments;
  return receipt;
}

Result<void> Store::Impl::FinishErasures() {
  std::vector<Erasure> unfinished;
  {
    const std::lock_guard lock(maintenance);
    for (const auto& [id, erasure] : erasures)
      if (!erasure.done) unfinished.push_back(erasure);
  }
  for (const auto& erasure : unfinished) {
    HONRYU_TRY(const auto query, erasure.Bounded());
    HONRYU_TRY(const auto receipt, Carry(erasure, query));
    (void)receipt;
  }
  return Ok();
}

Result<void> Store::Impl::EraseAgain() {
  std::map<std::string, Erasure> all;
  {
    const std::lock_guard lock(maintenance);
    all = erasures;
  }
  for (const auto& [id, erasure] : all) {
    HONRYU_TRY(const auto query, erasure.Bounded());
    HONRYU_TRY_VOID(EraseMatches(erasure.indices, query, erasure.at_ms));
  }
  return Ok();
}

void Store::Impl::LeaveOutErased(Sealed& sealed) const {
  DocSet gone(sealed.entry.segment->doc_count());
  for (const auto& [id, erasure] : erasures) {
    if (!std::binary_search(erasure.indices.begin(), erasure.indices.end(), sealed.key.index)) continue;
    const auto query = erasure.Bounded();
    if (!query.ok()) continue;
    // One that cannot be answered now fails EraseAgain, too, which says so.
    const QueryContext context{erasure.at_ms};
    const auto matched = SegmentMatcher(*sealed.entry.segment, context).Match(*query);
    if (matched.ok()) gone.Or(*matched);
  }
  if (gone.empty()) return;
  if (sealed.entry.deleted != nullptr) gone.Or(*sealed.entry.deleted);
  sealed.entry.deleted = std::make_shared<const DocSet>(std::move(gone));
}

Result<EraseReceipt> Store::Erase(std::string_view indices, std::string_view body) {
  HONRYU_TRY(const auto query, OnlyQuery(body));
  auto& impl = *impl_;
  const std::lock_guard lock(impl.housekeeping);
  HONRYU_TRY_VOID(impl.Flush());  // all is on disk then, and behind the positions
  Erasure erasure;
  HONRYU_TRY(erasure.indices, ResolveIndices(indices, impl.Names(), false, true));
  erasure.at_ms = ToMs(impl.clock.Now());
  erasure.id = std::to_string(erasure.at_ms) + "-" + RandomUuid();
  erasure.body = body;
  std::set<std::string> shards;
  {
    const std::lock_guard inner(impl.maintenance);
    erasure.positions = impl.catalogue->positions();
    for (const auto& [number, record] : impl.catalogue->segments())
      if (std::binary_search(erasure.indices.begin(), erasure.indices.end(), record.index))
        for (const auto& [shard, range] : record.shards) shards.insert(shard);
  }
  HONRYU_TRY_VOID(impl.Remember(erasure));
  HONRYU_TRY(auto receipt, impl.Carry(erasure, query));
  receipt.shards.assign(shards.begin(), shards.end());
  return receipt;
}

Result<bool> Store::ApplyErasure(std::string_view record) {
  HONRYU_TRY(auto erasure, Erasure::Decode(record));
  HONRYU_TRY(const auto query, erasure.Bounded());
  auto& impl = *impl_;
  const std::lock_guard lock(impl.housekeeping);
  {
    const std::lock_guard inner(impl.maintenance);
    if (impl.erasures.contains(erasure.id)) return false;
  }
  erasure.done = false;
  // First kept in mind, so that what is being added meanwhile is looked at, then flushed and erased.
  HONRYU_TRY_VOID(impl.Remember(erasure));
  HONRYU_TRY_VOID(impl.Flush());
  HONRYU_TRY(const auto receipt, impl.Carry(erasure, query));
  (void)receipt;
  return true;
}

}  // namespace honryu::search
