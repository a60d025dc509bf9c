#include "honryu/codec/kpl.h"

#include "honryu/base/check.h"
#include "honryu/codec/varint.h"

namespace honryu::codec {

namespace {

constexpr std::string_view kMagic = "\xf3\x89\x9a\xc2";
constexpr std::size_t kDigestSize = 16;
constexpr std::size_t kFrameSize = kMagic.size() + kDigestSize;

// Fields of AggregatedRecord, and of Record inside.
constexpr unsigned kPartitionKeyTable = 1;
constexpr unsigned kHashKeyTable = 2;
constexpr unsigned kRecords = 3;
constexpr unsigned kPartitionKeyIndex = 1;
constexpr unsigned kHashKeyIndex = 2;
constexpr unsigned kData = 3;

// Wire types of Protocol Buffers.
constexpr unsigned kVarint = 0;
constexpr unsigned kFixed64 = 1;
constexpr unsigned kLengthDelimited = 2;
constexpr unsigned kFixed32 = 5;

std::string Digest(BytesView message) {
  const UInt128 digest = Md5HashKey(message);
  std::string out;
  for (const std::uint64_t half : {digest.high, digest.low})
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(half >> shift));
  return out;
}

struct ProtoField {
  std::uint64_t number = 0;
  unsigned type = 0;
  std::uint64_t integer = 0;  // kVarint
  BytesView bytes;            // kLengthDelimited
};

// Takes a field off the front. Groups (types 3 and 4), which nobody writes, are refused.
bool TakeField(BytesView& rest, ProtoField& out) {
  std::uint64_t tag = 0;
  if (!TakeVarint(&rest, &tag)) return false;
  out.number = tag >> 3;
  out.type = static_cast<unsigned>(tag & 7);
  if (out.number == 0 || out.number > (1U << 29) - 1) return false;
  std::uint64_t length = 0;
  switch (out.type) {
    case kVarint:
      return TakeVarint(&rest, &out.integer);
    case kFixed64:
      length = 8;
      break;
    case kFixed32:
      length = 4;
      break;
    case kLengthDelimited:
      if (!TakeVarint(&rest, &length)) return false;
      break;
    default:
      return false;
  }
  if (length > rest.size()) return false;
  out.bytes = rest.substr(0, length);
  rest.remove_prefix(length);
  return true;
}

struct Tables {
  std::vector<std::string_view> partition_keys;
  std::vector<UInt128> hash_keys;
};

// A field that a reader knows by number has the type of the schema, or the message is broken.
bool ReadRecord(BytesView message, const Tables& tables, KplRecord& out) {
  std::optional<std::uint64_t> partition_key;
  std::optional<std::uint64_t> hash_key;
  bool has_data = false;
  ProtoField field;
  while (!message.empty()) {
    if (!TakeField(message, field)) return false;
    if (field.number == kPartitionKeyIndex && field.type == kVarint) {
      partition_key = field.integer;
    } else if (field.number == kHashKeyIndex && field.type == kVarint) {
      hash_key = field.integer;
    } else if (field.number == kData && field.type == kLengthDelimited) {
      out.data = field.bytes;
      has_data = true;
    } else if (field.number <= kData) {
      return false;
    }  // Others are tags (4), which no reader of aggregates hands on, or newer than this.
  }
  if (!has_data || !partition_key || *partition_key >= tables.partition_keys.size()) return false;
  out.partition_key = tables.partition_keys[*partition_key];
  if (!hash_key) return true;
  if (*hash_key >= tables.hash_keys.size()) return false;
  out.explicit_hash_key = tables.hash_keys[*hash_key];
  return true;
}

void AppendBytesField(std::string& out, unsigned number, BytesView bytes) {
  AppendVarint(out, (number << 3) | kLengthDelimited);
  AppendVarint(out, bytes.size());
  out.append(bytes);
}

std::size_t BytesFieldSize(std::size_t size) { return 1 + VarintSize(size) + size; }

}  // namespace

UInt128 HashKeyOf(const KplRecord& record) {
  return record.explicit_hash_key ? *record.explicit_hash_key : Md5HashKey(record.partition_key);
}

bool MayBeKplAggregate(BytesView data) { return data.size() > kFrameSize && data.starts_with(kMagic); }

std::optional<std::vector<KplRecord>> OpenKplAggregate(BytesView data) {
  if (!MayBeKplAggregate(data)) return std::nullopt;
  const BytesView message = data.substr(kMagic.size(), data.size() - kFrameSize);
  if (Digest(message) != data.substr(data.size() - kDigestSize)) return std::nullopt;
  // Fields may come in any order, so the tables are read before the records.
  Tables tables;
  std::size_t count = 0;
  ProtoField field;
  for (BytesView rest = message; !rest.empty();) {
    if (!TakeField(rest, field)) return std::nullopt;
    if (field.number <= kRecords && field.type != kLengthDelimited) return std::nullopt;
    if (field.number == kPartitionKeyTable) tables.partition_keys.push_back(field.bytes);
    if (field.number == kRecords) ++count;
    if (field.number != kHashKeyTable) continue;
    const Result<UInt128> hash_key = UInt128::FromDecimal(field.bytes);
    if (!hash_key.ok()) return std::nullopt;
    tables.hash_keys.push_back(*hash_key);
  }
  // A record that is none ends the whole, so that memory is bounded by what real records take.
  std::vector<KplRecord> records;
  records.reserve(std::min(count, message.size() / 6));
  for (BytesView rest = message; !rest.empty();) {
    if (!TakeField(rest, field)) return std::nullopt;
    if (field.number != kRecords) continue;
    if (!ReadRecord(field.bytes, tables, records.emplace_back())) return std::nullopt;
  }
  return records;
}

std::uint64_t KplAggregateWriter::PlaceOf(const Table& table, std::string_view key) {
  const auto found = table.places.find(key);
  return found == table.places.end() ? table.places.size() : found->second;
}

void KplAggregateWriter::Insert(Table& table, unsigned field, std::string_view key) {
  const std::uint64_t place = table.places.size();
  if (!table.places.emplace(key, place).second) return;
  AppendBytesField(table.fields, field, key);
}

bool KplAggregateWriter::Add(const KplRecord& record) {
  const std::uint64_t partition_key = PlaceOf(partition_keys_, record.partition_key);
  const std::string hash_text = record.explicit_hash_key ? record.explicit_hash_key->ToDecimal() : "";
  const std::uint64_t hash_key = PlaceOf(hash_keys_, hash_text);
  std::size_t inner = 1 + VarintSize(partition_key) + BytesFieldSize(record.data.size());
  if (record.explicit_hash_key) inner += 1 + VarintSize(hash_key);
  std::size_t added = BytesFieldSize(inner);
  if (partition_key == partition_keys_.places.size()) added += BytesFieldSize(record.partition_key.size());
  if (record.explicit_hash_key && hash_key == hash_keys_.places.size())
    added += BytesFieldSize(hash_text.size());
  if (records_count_ > 0 && size() + added > max_bytes_) return false;

  if (records_count_ == 0) hash_key_ = HashKeyOf(record);
  Insert(partition_keys_, kPartitionKeyTable, record.partition_key);
  if (record.explicit_hash_key) Insert(hash_keys_, kHashKeyTable, hash_text);
  AppendVarint(records_, (kRecords << 3) | kLengthDelimited);
  AppendVarint(records_, inner);
  AppendVarint(records_, (kPartitionKeyIndex << 3) | kVarint);
  AppendVarint(records_, partition_key);
  if (record.explicit_hash_key) {
    AppendVarint(records_, (kHashKeyIndex << 3) | kVarint);
    AppendVarint(records_, hash_key);
  }
  AppendBytesField(records_, kData, record.data);
  ++records_count_;
  return true;
}

std::size_t KplAggregateWriter::size() const {
  if (records_count_ == 0) return 0;
  return kFrameSize + partition_keys_.fields.size() + hash_keys_.fields.size() + records_.size();
}

std::string KplAggregateWriter::Finish() {
  HONRYU_CHECK(records_count_ > 0, "an aggregate without records");
  std::string out;
  out.reserve(size());
  out.append(kMagic).append(partition_keys_.fields).append(hash_keys_.fields).append(records_);
  out.append(Digest(BytesView(out).substr(kMagic.size())));
  *this = KplAggregateWriter(max_bytes_);
  return out;
}

}  // namespace honryu::codec
