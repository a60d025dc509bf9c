#include "honryu/codec/cbor.h"
#include "wire/request.h"

#include <cstring>

namespace honryu::wire {

namespace {

using codec::CborItem;
using codec::CborReader;
using Kind = CborItem::Kind;

constexpr std::size_t kMaxEntries = 500;
constexpr std::size_t kMaxKeyCharacters = 256;

// Reads a request in one pass, copying keys and data into one buffer: what is decoded is never longer than
// what was sent. Every irregularity gives false.
class PutReader {
 public:
  PutReader(BytesView body, PutRecordsRequest& out, const Limits& limits)
      : reader_(body), out_(out), limits_(limits), next_(nullptr) {
    out_.arena = std::make_unique_for_overwrite<char[]>(body.size());
    next_ = out_.arena.get();
  }

  bool ReadMany() {
    bool entries = false;
    if (!Next(Kind::kMap)) return false;
    const bool regular = ForEachMember([&](BytesView name) {
      if (name == "Records" && !entries) {
        entries = true;
        return Entries();
      }
      return Addressed(name);
    });
    return regular && entries && reader_.AtEnd() && Select();
  }

  bool ReadOne() {
    PutEntry& entry = out_.entries.emplace_back();
    unsigned seen = 0;
    if (!Next(Kind::kMap)) return false;
    const bool regular =
        ForEachMember([&](BytesView name) { return Addressed(name) || EntryMember(name, entry, seen); });
    return regular && IsWhole(entry, seen) && reader_.AtEnd() && Select();
  }

 private:
  bool Next(Kind kind) {
    Result<CborItem> item = reader_.Next();
    item_ = item.ok() ? *item : CborItem();
    return item.ok() && item_.kind == kind;
  }

  // Runs `member` on each key of the map whose head was just read; it must read the value.
  template <class F>
  bool ForEachMember(F member) {
    const CborItem head = item_;
    if (head.kind != Kind::kMap) return false;
    char name[32];
    for (std::uint64_t i = 0; head.indefinite || i < head.number; ++i) {
      if (!Next(Kind::kText)) return head.indefinite && item_.kind == Kind::kBreak;
      if (item_.text.size() > sizeof name) return false;
      std::memcpy(name, item_.text.data(), item_.text.size());  // the item's text is gone after the next one
      if (!member(BytesView(name, item_.text.size()))) return false;
    }
    return true;
  }

  BytesView Copy(BytesView text) {
    if (!text.empty()) std::memcpy(next_, text.data(), text.size());
    const BytesView copy(next_, text.size());
    next_ += text.size();
    return copy;
  }

  bool Addressed(BytesView name) {
    if (name == "StreamName" && out_.stream.name.empty()) {
      if (!Next(Kind::kText) || item_.text.size() > 128 || !kNamePattern.matches(item_.text)) return false;
      out_.stream.name.assign(item_.text);
      return true;
    }
    if (name == "StreamARN" && arn_.empty()) {
      if (!Next(Kind::kText) || item_.text.size() > 2048 || !kStreamArnPattern.matches(item_.text))
        return false;
      arn_.assign(item_.text);
      return true;
    }
    return false;
  }

  bool Select() {
    if (arn_.empty()) return !out_.stream.name.empty();
    StreamSelector named = SelectorFromArn(arn_);
    if (!out_.stream.name.empty() && out_.stream.name != named.name) return false;
    out_.stream = std::move(named);
    return true;
  }

  bool Entries() {
    if (!Next(Kind::kArray)) return false;
    const CborItem head = item_;
    std::uint64_t total = 0;
    for (std::uint64_t i = 0; head.indefinite || i < head.number; ++i) {
      if (!Next(Kind::kMap)) {
        if (head.indefinite && item_.kind == Kind::kBreak) break;
        return false;
      }
      if (out_.entries.size() == kMaxEntries) return false;
      PutEntry& entry = out_.entries.emplace_back();
      unsigned seen = 0;
      if (!ForEachMember([&](BytesView name) { return EntryMember(name, entry, seen); })) return false;
      if (!IsWhole(entry, seen)) return false;
      total += entry.data.size() + entry.partition_key.size();
    }
    return !out_.entries.empty() && total <= limits_.max_request_bytes;
  }

  bool EntryMember(BytesView name, PutEntry& entry, unsigned& seen) {
    const unsigned bit = name == "Data" ? 1 : name == "PartitionKey" ? 2 : name == "ExplicitHashKey" ? 4 : 0;
    if (bit == 0 || (seen & bit) != 0 || !Next(bit == 1 ? Kind::kBytes : Kind::kText)) return false;
    seen |= bit;
    const BytesView value = item_.text;
    if (bit == 1) {
      entry.data = Copy(value);
      return value.size() <= limits_.max_record_bytes;
    }
    if (bit == 2) {
      entry.partition_key = Copy(value);
      return !value.empty() &&
             (value.size() <= kMaxKeyCharacters || CountCharacters(value) <= kMaxKeyCharacters);
    }
    if (!kHashKeyPattern.matches(value)) return false;
    const Result<UInt128> hash = UInt128::FromDecimal(value);
    if (!hash.ok()) return false;
    entry.explicit_hash_key = *hash;
    return true;
  }

  bool IsWhole(const PutEntry& entry, unsigned seen) const {
    return (seen & 3) == 3 && entry.data.size() + entry.partition_key.size() <= limits_.max_record_bytes;
  }

  CborReader reader_;
  PutRecordsRequest& out_;
  const Limits& limits_;
  CborItem item_;
  std::string arn_;
  char* next_;
};

}  // namespace

bool ParsePutRecordsCbor(BytesView body, PutRecordsRequest& out, const Limits& limits) {
  return PutReader(body, out, limits).ReadMany();
}

bool ParsePutRecordCbor(BytesView body, PutRecordsRequest& out, const Limits& limits) {
  return PutReader(body, out, limits).ReadOne();
}

}  // namespace honryu::wire
