#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/uint128.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Aggregates of the Kinesis Producer Library: many user records in the data of one Kinesis record
// (docs/formats/kpl-aggregate.md; "KPL aggregated record format" in awslabs/amazon-kinesis-producer):
//   F3 89 9A C2 | AggregatedRecord, Protocol Buffers 2 | MD5 of the message (16 bytes)
// Read and written by hand: three messages of eight fields do not earn a code generator in the build, a
// library at run time and copies of every payload.
namespace honryu::codec {

/// A user record inside an aggregate.
struct KplRecord {
  std::string_view partition_key;            ///< UTF-8 as its producer sent it, not checked.
  std::optional<UInt128> explicit_hash_key;  ///< Stands for the MD5 of the key.
  BytesView data;
};
/// Where the record belongs: its explicit hash key, or the hash of its partition key.
UInt128 HashKeyOf(const KplRecord& record);

/// Whether `data` begins as an aggregate does and is long enough to be one. Only OpenKplAggregate knows.
bool MayBeKplAggregate(BytesView data);

/// The user records of an aggregate, in order, as views into `data`. nullopt: it is a record like any other,
/// because the frame, the checksum or the message is not right (then the Kinesis Client Library hands it on
/// as it is, too). There is at most a record for 6 bytes of data; an aggregate may also be empty.
std::optional<std::vector<KplRecord>> OpenKplAggregate(BytesView data);

/// Builds one aggregate after the other. All records of one must belong to the same shard: the Kinesis
/// Client Library drops those whose hash lies outside the shard they are read from. Not thread-safe.
class KplAggregateWriter {
 public:
  /// The producer library's own limit is 51,200 bytes, far below the 1 MiB of a record, so that one aggregate
  /// does not take a shard's second for itself.
  explicit KplAggregateWriter(std::size_t max_bytes = 51200) : max_bytes_(max_bytes) {}

  /// False, with nothing changed: the aggregate would grow above the limit. The first record is always
  /// taken.
  bool Add(const KplRecord& record);
  std::size_t records() const { return records_count_; }
  /// Of what Finish would return; 0 when empty.
  std::size_t size() const;
  /// Goes with the aggregate as its explicit hash key, so that it lands on its records' shard: the hash key
  /// of the first one. Its partition key is kPartitionKey.
  UInt128 hash_key() const { return hash_key_; }
  static constexpr std::string_view kPartitionKey = "a";  ///< As the producer library.
  /// The aggregate; then the writer is empty. Must not be called on an empty one.
  std::string Finish();

 private:
  /// Keys by their place in a table, and the table as it is written.
  struct Table {
    std::map<std::string, std::uint64_t, std::less<>> places;
    std::string fields;
  };
  static std::uint64_t PlaceOf(const Table& table, std::string_view key);
  static void Insert(Table& table, unsigned field, std::string_view key);

  std::size_t max_bytes_;
  std::size_t records_count_ = 0;
  UInt128 hash_key_;
  Table partition_keys_;
  Table hash_keys_;
  std::string records_;
};

}  // namespace honryu::codec
