#include "format.h"

#include "honryu/base/crc32c.h"
#include "honryu/codec/endian.h"

namespace honryu::log {
namespace {

Error Corrupt(std::string what) { return Error(ErrorCode::kCorrupt, std::move(what)); }

// Offsets inside a unit header.
constexpr std::size_t kUnitCount = 0, kUnitStored = 4, kUnitPlain = 8, kUnitCodec = 12, kUnitSealed = 13,
                      kUnitCrc = 16;

// Compressing must save at least an eighth; units below this size are not worth a try.
constexpr std::size_t kMinCompress = 512;
// How much is compressed first, to find out cheaply that data does not compress.
constexpr std::size_t kProbe = 4096;

bool WorthCompressing(codec::Compression codec, BytesView body) {
  if (codec == codec::Compression::kNone || body.size() < kMinCompress) return false;
  if (body.size() <= 2 * kProbe) return true;
  const Result<std::string> probe = codec::Compress(codec, body.substr(0, kProbe));
  return probe.ok() && probe->size() < kProbe / 8 * 7;
}

}  // namespace

std::string EncodeBatchHeader(const BatchHeader& header) {
  std::string out;
  out.reserve(kBatchHeaderSize);
  out.append(2, static_cast<char>(header.sealed ? kSealedBatchVersion : kBatchVersion));  // and oldest reader
  out.append(2, '\0');                                                                    // flags: none yet
  codec::AppendU32(out, header.unit_count);
  codec::AppendU64(out, header.base);
  codec::AppendU32(out, header.record_count);
  codec::AppendU32(out, header.body_bytes);
  codec::AppendU64(out, static_cast<std::uint64_t>(ToMs(header.time)));
  codec::AppendU32(out, Crc32c(out));
  return out;
}

Result<BatchHeader> DecodeBatchHeader(BytesView value) {
  if (value.size() < kBatchHeaderSize)
    return Corrupt("batch of " + std::to_string(value.size()) + " bytes is shorter than its header");
  const char* p = value.data();
  if (Crc32c(value.substr(0, kBatchHeaderSize - 4)) != codec::LoadU32(p + kBatchHeaderSize - 4))
    return Corrupt("batch header checksum does not match");
  if (static_cast<std::uint8_t>(p[1]) > kSealedBatchVersion) {
    return Corrupt("batch needs a reader of version " + std::to_string(p[1]) + ", this one is " +
                   std::to_string(kSealedBatchVersion));
  }
  BatchHeader header;
  header.unit_count = codec::LoadU32(p + 4);
  header.base = codec::LoadU64(p + 8);
  header.record_count = codec::LoadU32(p + 16);
  header.body_bytes = codec::LoadU32(p + 20);
  header.time = TimestampFromMs(static_cast<std::int64_t>(codec::LoadU64(p + 24)));
  header.sealed = static_cast<std::uint8_t>(p[0]) >= kSealedBatchVersion;
  if (header.body_bytes != value.size() - kBatchHeaderSize || header.record_count == 0)
    return Corrupt("batch header sizes do not match");
  return header;
}

Result<std::vector<Bytes>> SplitUnits(const BatchHeader& header, const Bytes& body) {
  std::vector<Bytes> units;
  std::size_t at = 0;
  std::uint64_t records = 0;
  while (at < body.size()) {
    if (body.size() - at < kUnitHeaderSize) return Corrupt("unit header is cut short");
    const std::size_t size = kUnitHeaderSize + codec::LoadU32(body.data() + at + kUnitStored);
    if (size > body.size() - at) return Corrupt("unit is cut short");
    units.push_back(body.Slice(at, size));
    records += UnitRecordCount(units.back());
    at += size;
  }
  if (units.size() != header.unit_count || records != header.record_count)
    return Corrupt("batch counts do not match");
  return units;
}

std::uint32_t UnitRecordCount(BytesView unit) { return codec::LoadU32(unit.data() + kUnitCount); }

bool UnitIsSealed(BytesView unit) { return unit[kUnitSealed] != 0; }

Result<void> VerifyUnit(BytesView unit) {
  if (unit.size() < kUnitHeaderSize) return Corrupt("unit is cut short");
  const std::uint32_t crc = Crc32c(unit.substr(kUnitHeaderSize), Crc32c(unit.substr(0, kUnitCrc)));
  if (crc != codec::LoadU32(unit.data() + kUnitCrc)) return Corrupt("unit checksum does not match");
  return Ok();
}

Result<void> ReadUnit(const Bytes& unit, bool verify, const KeyRing* keys,
                      const std::function<bool(Bytes record)>& take) {
  const char* p = unit.data();
  if (unit.size() < kUnitHeaderSize) return Corrupt("unit is cut short");
  if (verify) HONRYU_TRY_VOID(VerifyUnit(unit));
  const std::uint32_t count = codec::LoadU32(p + kUnitCount), plain = codec::LoadU32(p + kUnitPlain);
  Bytes body = unit.Slice(kUnitHeaderSize);
  if (UnitIsSealed(unit)) {
    if (keys == nullptr)
      return Error(ErrorCode::kUnavailable, "the records are encrypted; no key is configured");
    HONRYU_TRY(std::string opened, keys->Open(unit.view().substr(0, kUnitCrc), body));
    body = Bytes(std::move(opened));
  }
  const auto codec = static_cast<codec::Compression>(p[kUnitCodec]);
  if (codec != codec::Compression::kNone) {
    Result<std::string> opened = codec::Decompress(codec, body, plain);
    if (!opened.ok()) return Corrupt("unit does not open: " + opened.error().message());
    body = Bytes(std::move(*opened));
  }
  if (body.size() != plain) return Corrupt("unit size does not match");
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (body.size() - at < 4) return Corrupt("record length is cut short");
    const std::size_t size = codec::LoadU32(body.data() + at);
    at += 4;
    if (size > body.size() - at) return Corrupt("record is cut short");
    if (!take(body.Slice(at, size))) return Ok();
    at += size;
  }
  if (at != body.size()) return Corrupt("bytes follow the last record");
  return Ok();
}

void RecordBuilder::Reserve(std::size_t size) { body_.reserve(body_.size() + size + kUnitHeaderSize); }

char* RecordBuilder::AddRecord(std::size_t size) {
  if (body_.empty()) body_.resize(kUnitHeaderSize);
  codec::AppendU32(body_, static_cast<std::uint32_t>(size));
  const std::size_t at = body_.size();
  body_.resize(at + size);
  ++count_;
  return body_.data() + at;
}

void RecordBuilder::AddRecord(std::string_view record) {
  record.copy(AddRecord(record.size()), record.size());
}

EncodedRecords RecordBuilder::Finish() {
  HONRYU_CHECK(count_ > 0, "an empty unit was finished");
  EncodedRecords out;
  const std::size_t plain = body_.size() - kUnitHeaderSize;
  auto codec = codec::Compression::kNone;
  if (const BytesView body = BytesView(body_).substr(kUnitHeaderSize); WorthCompressing(codec_, body)) {
    Result<std::string> packed = codec::Compress(codec_, body);
    if (packed.ok() && packed->size() < plain / 8 * 7) {
      codec = codec_;
      packed->insert(0, kUnitHeaderSize, '\0');
      body_ = std::move(*packed);
    }
  }
  const std::size_t overhead = sealer_ != nullptr ? Sealer::Overhead() : 0;
  char* p = body_.data();
  codec::StoreU32(p + kUnitCount, count_);
  codec::StoreU32(p + kUnitStored, static_cast<std::uint32_t>(body_.size() - kUnitHeaderSize + overhead));
  codec::StoreU32(p + kUnitPlain, static_cast<std::uint32_t>(plain));
  codec::StoreU32(p + kUnitCodec, static_cast<std::uint32_t>(codec));
  if (sealer_ != nullptr) {
    p[kUnitSealed] = 1;
    const std::string sealed =
        sealer_->Seal(BytesView(body_).substr(0, kUnitCrc), BytesView(body_).substr(kUnitHeaderSize));
    body_.replace(kUnitHeaderSize, std::string::npos, sealed);
    p = body_.data();
    out.sealed = true;
  }
  codec::StoreU32(p + kUnitCrc,
                  Crc32c(BytesView(body_).substr(kUnitHeaderSize), Crc32c(BytesView(p, kUnitCrc))));
  out.count = count_;
  out.plain_bytes = plain - 4ULL * count_;
  out.unit = std::move(body_);
  body_.clear();
  count_ = 0;
  return out;
}

std::string BatchKey(SegmentNumber segment, PartitionId partition, Offset first) {
  std::string key;
  codec::AppendBigEndian64(key, segment);
  codec::AppendBigEndian64(key, partition);
  codec::AppendBigEndian64(key, first);
  return key;
}

Result<BatchPlace> ParseBatchKey(BytesView key) {
  if (key.size() != 24) return Corrupt("batch key of " + std::to_string(key.size()) + " bytes");
  return BatchPlace{codec::LoadBigEndian64(key.data()), codec::LoadBigEndian64(key.data() + 8),
                    codec::LoadBigEndian64(key.data() + 16)};
}

std::string SegmentKey(SegmentNumber segment) {
  std::string key;
  codec::AppendBigEndian64(key, segment);
  return key;
}

std::string Describe(GroupId group, const BatchPlace& place) {
  return "group " + std::to_string(group) + ", segment " + std::to_string(place.segment) + ", partition " +
         std::to_string(place.partition) + ", offset " + std::to_string(place.first);
}

}  // namespace honryu::log
