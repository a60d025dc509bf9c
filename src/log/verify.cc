#include "format.h"
#include "honryu/codec/endian.h"
#include "honryu/kv/database.h"
#include "honryu/log/rocksdb_engine.h"
#include "rocksdb_state.h"

#include <map>

namespace honryu::log {

namespace {

struct Verifier {
  kv::Database& database;
  std::function<void(std::uint64_t, std::uint64_t)> progress;
  VerifyReport report;
  std::map<PartitionId, Offset> next;  // of each partition, as far as read

  void Fault(GroupId group, const BatchPlace& place, const std::string& why) {
    report.faults.push_back(Describe(group, place) + ": " + why);
  }

  void CheckBatch(GroupId group, const BatchPlace& place, BytesView value, Offset indexed_first,
                  bool first_of_segment) {
    const Result<BatchHeader> header = DecodeBatchHeader(value);
    if (!header.ok()) return Fault(group, place, header.error().message());
    if (header->base != place.first)
      return Fault(group, place, "the batch begins at offset " + std::to_string(header->base));
    if (first_of_segment && indexed_first != place.first)
      Fault(group, place, "the index says offset " + std::to_string(indexed_first));
    Offset& expected = next[place.partition];
    if (header->base < expected) Fault(group, place, "overlaps offsets up to " + std::to_string(expected));
    expected = header->base + header->record_count;
    const Result<std::vector<Bytes>> units = SplitUnits(*header, Bytes::Copy(value.substr(kBatchHeaderSize)));
    if (!units.ok()) return Fault(group, place, units.error().message());
    for (const Bytes& unit : *units) {
      if (UnitIsSealed(unit)) {
        report.records += UnitRecordCount(unit);
        report.sealed_records += UnitRecordCount(unit);
        if (const Result<void> good = VerifyUnit(unit); !good.ok())
          Fault(group, place, good.error().message());
        continue;
      }
      const Result<void> read = ReadUnit(unit, true, nullptr, [&](const Bytes& record) {
        ++report.records;
        report.bytes += record.size();
        return true;
      });
      if (!read.ok()) Fault(group, place, read.error().message());
    }
    if (++report.batches % 1024 == 0 && progress) progress(report.batches, report.bytes);
  }

  void CheckGroup(GroupId group, const kv::Family& family,
                  const std::map<std::pair<SegmentNumber, PartitionId>, Offset>& index) {
    kv::Iterator it = database.Scan(family, {}, {}, 4 << 20);
    BatchPlace last;
    std::uint64_t segments = 0;
    for (it.SeekToFirst(); it.valid(); it.Next()) {
      const Result<BatchPlace> place = ParseBatchKey(it.key());
      if (!place.ok()) {
        Fault(group, last, place.error().message());
        continue;
      }
      const auto row = index.find({place->segment, place->partition});
      if (row == index.end()) continue;  // left over from retention: no reader finds it
      if (place->segment != last.segment) ++segments;
      const bool first = place->segment != last.segment || place->partition != last.partition;
      CheckBatch(group, *place, it.value(), row->second, first);
      last = *place;
    }
    report.segments += segments;
    if (const Result<void> status = it.status(); !status.ok())
      Fault(group, last, "reading on failed: " + status.error().message());
  }
};

}  // namespace

Result<VerifyReport> VerifyLog(const std::string& path,
                               std::function<void(std::uint64_t, std::uint64_t)> progress) {
  kv::OpenOptions options;
  options.path = path;
  options.create = false;
  options.read_only = true;
  HONRYU_TRY(const std::unique_ptr<kv::Database> database, kv::Database::Open(options, "group-"));
  const auto meta = database->Find("meta"), index = database->Find("index");
  if (meta == nullptr || index == nullptr) return Error(ErrorCode::kCorrupt, path + " holds no log");
  Verifier verifier{*database, std::move(progress), {}, {}};
  std::map<GroupId, std::map<std::pair<SegmentNumber, PartitionId>, Offset>> rows;
  kv::Iterator partitions = database->Scan(*meta, "p", "q");
  for (partitions.SeekToFirst(); partitions.valid(); partitions.Next()) ++verifier.report.partitions;
  HONRYU_TRY_VOID(partitions.status());
  kv::Iterator it = database->Scan(*index, "i", "j");
  for (it.SeekToFirst(); it.valid(); it.Next()) {
    if (it.key().size() != 25 || it.value().size() != 16) {
      verifier.report.faults.push_back("index: a row has a wrong size");
      continue;
    }
    const char* key = it.key().data();
    rows[codec::LoadBigEndian64(key + 1)]
        [{codec::LoadBigEndian64(key + 17), codec::LoadBigEndian64(key + 9)}] =
            codec::LoadU64(it.value().data());
  }
  HONRYU_TRY_VOID(it.status());
  for (const auto& [group, index_rows] : rows) {
    const std::shared_ptr<kv::Family> family = database->Find(FamilyName(group));
    if (family == nullptr) {
      verifier.report.faults.push_back("group " + std::to_string(group) + ": indexed, but it has no data");
      continue;
    }
    verifier.CheckGroup(group, *family, index_rows);
  }
  return std::move(verifier.report);
}

}  // namespace honryu::log
