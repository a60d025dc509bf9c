#include "search/store/catalogue.h"

#include "honryu/codec/json.h"

#include <charconv>

namespace honryu::search {
namespace {

constexpr std::string_view kFamily = "catalogue";
constexpr int kVersion = 1;

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::uint64_t Unsigned(const codec::Json* json) {
  return json == nullptr ? 0 : ParseNumber(json->StringOr("")).value_or(0);
}

}  // namespace

std::string SegmentRecord::Encode() const {
  std::string text;
  codec::JsonWriter out(text);
  out.BeginObject();
  out.Key("version");
  out.Int(kVersion);
  out.Key("index");
  out.String(index);
  out.Key("day");
  out.Int(day);
  out.Key("quarantined");
  out.Bool(quarantined);
  if (bytes > 0) {
    out.Key("bytes");
    out.Uint(bytes);
    out.Key("checksum");
    out.Uint(checksum);
  }
  if (!reason.empty()) {
    out.Key("reason");
    out.String(reason);
  }
  out.Key("sealed");
  out.Int(sealed_ms);
  out.Key("shards");
  out.BeginObject();
  for (const auto& [shard, range] : shards) {
    out.Key(shard);
    out.BeginArray();
    out.PlainString(std::to_string(range.first));  // as text: JSON numbers lose digits in many readers
    out.PlainString(std::to_string(range.last));
    out.EndArray();
  }
  out.EndObject();
  out.EndObject();
  return text;
}

Result<SegmentRecord> SegmentRecord::Decode(std::string_view text) {
  HONRYU_TRY(const auto json, codec::Json::Parse(text));
  const auto* version = json.Find("version");
  const auto* name = json.Find("index");
  const auto* day_member = json.Find("day");
  const auto* shard_ranges = json.Find("shards");
  if (version == nullptr || name == nullptr || day_member == nullptr || shard_ranges == nullptr)
    return Error(ErrorCode::kCorrupt, "a segment's entry in the catalogue lacks members");
  if (version->IntOr(0) > kVersion)
    return Error(ErrorCode::kFailedPrecondition, "the catalogue is of version " +
                                                     std::to_string(version->IntOr(0)) +
                                                     ", this build knows " + std::to_string(kVersion));
  SegmentRecord record;
  record.index = name->StringOr("");
  record.day = day_member->IntOr(0);
  if (const auto* sealed = json.Find("sealed")) record.sealed_ms = sealed->IntOr(0);
  const auto* size = json.Find("bytes");
  const auto* crc = json.Find("checksum");
  if (size != nullptr && crc != nullptr) {
    record.bytes = static_cast<std::uint64_t>(size->IntOr(0));
    record.checksum = static_cast<std::uint32_t>(crc->IntOr(0));
  }
  if (const auto* why = json.Find("reason")) record.reason = why->StringOr("");
  if (const auto* aside = json.Find("quarantined")) record.quarantined = aside->BoolOr(false);
  for (const auto& [shard, range] : shard_ranges->object())
    if (range.array().size() == 2)
      record.shards[shard] = {Unsigned(&range.array()[0]), Unsigned(&range.array()[1])};
  return record;
}

std::map<std::string, SegmentRecord::Range> ShardsOf(const Segment& segment) {
  std::map<std::string, SegmentRecord::Range> shards;
  const auto* shard = segment.Find(kShardField);
  const auto* sequence = segment.Find(kSequenceField);
  if (shard == nullptr || !shard->keywords || sequence == nullptr || !sequence->longs) return shards;
  const auto& keywords = *shard->keywords;
  std::vector<std::optional<SegmentRecord::Range>> by_ordinal(keywords.terms.size());
  for (std::uint32_t doc = 0; doc < segment.doc_count(); ++doc)
    keywords.ordinals.Of(doc, [&](std::int64_t ordinal) {
      if (static_cast<std::uint64_t>(ordinal) >= by_ordinal.size()) return;
      auto& range = by_ordinal[static_cast<std::size_t>(ordinal)];
      sequence->longs->Of(doc, [&](std::int64_t value) {
        const auto number = static_cast<std::uint64_t>(value);
        if (!range)
          range = {number, number};
        else
          range = {std::min(range->first, number), std::max(range->last, number)};
      });
    });
  for (std::uint32_t ordinal = 0; ordinal < by_ordinal.size(); ++ordinal)
    if (by_ordinal[ordinal]) shards[keywords.terms.Term(ordinal)] = *by_ordinal[ordinal];
  return shards;
}

Result<std::unique_ptr<Catalogue>> Catalogue::Open(const std::string& path) {
  auto catalogue = std::unique_ptr<Catalogue>(new Catalogue);
  kv::OpenOptions options;
  options.path = path;
  options.write_buffer_bytes = 4ULL << 20;
  options.block_cache_bytes = 1ULL << 20;
  HONRYU_TRY(catalogue->database_, kv::Database::Open(options, "append-only-"));
  catalogue->family_ = catalogue->database_->Find(kFamily);
  if (catalogue->family_ == nullptr) {
    HONRYU_TRY(catalogue->family_,
               catalogue->database_->CreateFamily(std::string(kFamily), kv::Layout::kGeneral));
  }
  auto at = catalogue->database_->Scan(*catalogue->family_, {}, {});
  for (at.SeekToFirst(); at.valid(); at.Next()) {
    const auto key = at.key();
    const auto rest = std::string(key.substr(1));
    if (key == "next") {
      catalogue->next_ = ParseNumber(at.value()).value_or(1);
    } else if (key.starts_with('s')) {
      HONRYU_TRY(auto record, SegmentRecord::Decode(at.value()));
      record.number = ParseNumber(rest).value_or(0);
      catalogue->segments_[record.number] = std::move(record);
    } else if (key.starts_with('p')) {
      catalogue->positions_[rest] = ParseNumber(at.value()).value_or(0);
    } else if (key.starts_with('m')) {
      catalogue->mappings_[rest] = at.value();
    } else if (key.starts_with('d')) {
      catalogue->deleted_[ParseNumber(rest).value_or(0)] = at.value();
    } else if (key.starts_with("n/")) {
      catalogue->notes_[rest.substr(1)] = at.value();
    }
  }
  HONRYU_TRY_VOID(at.status());
  return catalogue;
}

Result<void> Catalogue::Commit(const Change& change) {
  kv::WriteBatch batch;
  for (const auto& record : change.put)
    batch.Put(*family_, "s" + std::to_string(record.number), record.Encode());
  for (const auto number : change.remove) {
    batch.Delete(*family_, "s" + std::to_string(number));
    if (deleted_.contains(number)) batch.Delete(*family_, "d" + std::to_string(number));
  }
  for (const auto& [number, docs] : change.deleted) batch.Put(*family_, "d" + std::to_string(number), docs);
  for (const auto& [name, text] : change.notes) {
    if (text.empty())
      batch.Delete(*family_, "n/" + name);
    else
      batch.Put(*family_, "n/" + name, text);
  }
  for (const auto& [shard, position] : change.positions)
    batch.Put(*family_, "p" + shard, std::to_string(position));
  for (const auto& [index, mapping] : change.mappings) batch.Put(*family_, "m" + index, mapping);
  for (const auto& index : change.removed_mappings) batch.Delete(*family_, "m" + index);
  if (batch.empty()) return Ok();
  HONRYU_TRY_VOID(database_->Write(batch, true));
  for (const auto& record : change.put) segments_[record.number] = record;
  for (const auto number : change.remove) {
    segments_.erase(number);
    deleted_.erase(number);
  }
  for (const auto& [number, docs] : change.deleted) deleted_[number] = docs;
  for (const auto& [name, text] : change.notes) {
    if (text.empty())
      notes_.erase(name);
    else
      notes_[name] = text;
  }
  for (const auto& [shard, position] : change.positions) positions_[shard] = position;
  for (const auto& [index, mapping] : change.mappings) mappings_[index] = mapping;
  for (const auto& index : change.removed_mappings) mappings_.erase(index);
  return Ok();
}

Result<std::uint64_t> Catalogue::TakeNumber() {
  kv::WriteBatch batch;
  batch.Put(*family_, "next", std::to_string(next_ + 1));
  HONRYU_TRY_VOID(database_->Write(batch, false));
  return next_++;
}

}  // namespace honryu::search
