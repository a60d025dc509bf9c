#include "honryu/client/local_client.h"

#include <cstdlib>
#include <utility>

namespace honryu::client {
namespace {

constexpr std::uint64_t kMaxReadBytes = 10 << 20;

Lease FromRow(broker::LeaseRow row) {
  Lease lease;
  lease.application = std::move(row.application);
  lease.stream = std::move(row.stream);
  lease.shard_id = std::move(row.shard_id);
  lease.owner = std::move(row.owner);
  lease.counter = row.counter;
  lease.expires = row.expires;
  lease.checkpoint = row.checkpoint;
  lease.finished = row.finished;
  lease.state = std::move(row.state);
  return lease;
}

broker::LeaseRow ToRow(Lease lease) {
  broker::LeaseRow row;
  row.application = std::move(lease.application);
  row.stream = std::move(lease.stream);
  row.shard_id = std::move(lease.shard_id);
  row.owner = std::move(lease.owner);
  row.state = std::move(lease.state);
  row.counter = lease.counter;
  row.expires = lease.expires;
  row.checkpoint = lease.checkpoint;
  row.finished = lease.finished;
  return row;
}

class LocalClient final : public StreamClient {
 public:
  explicit LocalClient(broker::Broker& broker) : broker_(broker) {}

  async::Task<Result<void>> EnsureStream(async::Context ctx, std::string stream,
                                         StreamSettings settings) override {
    Result<void> created = co_await broker_.CreateStream(ctx, stream, settings.shards);
    const bool exists = !created.ok() && created.error().code() == ErrorCode::kAlreadyExists;
    if (!created.ok() && !exists) co_return created;
    Result<void> active = co_await broker_.WaitActive(ctx, stream);
    if (!active.ok() || exists) co_return active;
    const Result<broker::StreamSnapshot> made = broker_.Snapshot(stream);
    if (!made.ok()) co_return made.error();
    if ((*made)->retention_hours == settings.retention_hours) co_return Ok();
    Result<void> retention = co_await broker_.SetRetention(ctx, stream, settings.retention_hours);
    co_return retention;
  }

  async::Task<Result<Duration>> RetentionOf(async::Context, std::string stream) override {
    const Result<broker::StreamSnapshot> found = broker_.Snapshot(stream);
    if (!found.ok()) co_return found.error();
    co_return Duration(std::chrono::hours((*found)->retention_hours));
  }

  async::Task<Result<std::vector<ShardDescription>>> ListShards(async::Context, std::string stream) override {
    const Result<broker::StreamSnapshot> found = broker_.Snapshot(stream);
    if (!found.ok()) co_return found.error();
    const broker::Stream& described = **found;
    std::vector<ShardDescription> shards;
    for (const broker::Shard& shard : described.shards) {
      ShardDescription description;
      description.shard_id = broker::ShardIdText(shard.index);
      if (shard.parent) description.parent_id = broker::ShardIdText(*shard.parent);
      if (shard.adjacent_parent) description.adjacent_parent_id = broker::ShardIdText(*shard.adjacent_parent);
      description.hash_start = shard.hash_start;
      description.hash_end = shard.hash_end;
      description.open = !shard.ending.has_value();
      shards.push_back(std::move(description));
    }
    co_return shards;
  }

  async::Task<Result<std::vector<Result<PutPosition>>>> Put(async::Context ctx, std::string stream,
                                                            std::vector<PutEntry> entries) override {
    std::vector<broker::PutRecordEntry> borrowed;
    borrowed.reserve(entries.size());
    for (const PutEntry& entry : entries)
      borrowed.push_back({entry.partition_key, entry.data, entry.explicit_hash_key});
    Result<std::vector<Result<broker::PutPlace>>> places =
        co_await broker_.Put(std::move(ctx), std::move(stream), std::move(borrowed));
    if (!places.ok()) co_return places.error();
    std::vector<Result<PutPosition>> out;
    out.reserve(places->size());
    for (const Result<broker::PutPlace>& place : *places) {
      if (place.ok()) {
        out.emplace_back(PutPosition{broker::ShardIdText(place->shard), place->sequence});
      } else {
        out.emplace_back(place.error());
      }
    }
    co_return out;
  }

  async::Task<Result<ReadBatch>> Read(async::Context ctx, ReadRequest request) override {
    Result<broker::ShardPlace> place = co_await Place(ctx, &request);
    if (!place.ok()) co_return place.error();
    Result<broker::ReadResult> read = co_await broker_.Read(std::move(ctx), std::move(*place),
                                                            request.max_records, kMaxReadBytes, request.wait);
    if (!read.ok()) co_return read.error();
    ReadBatch batch;
    batch.records.reserve(read->records.size());
    for (broker::ReadRecord& record : read->records) {
      batch.records.push_back(
          {record.sequence, record.arrival, std::string(record.partition_key), std::move(record.data)});
    }
    if (read->next) batch.next = Cursor(*read->next);
    for (const broker::Shard& child : read->children)
      batch.children.push_back(broker::ShardIdText(child.index));
    batch.behind_latest = read->behind_latest;
    co_return batch;
  }

  async::Task<Result<std::vector<Lease>>> ListLeases(async::Context, std::string application,
                                                     std::string stream) override {
    Result<std::vector<broker::LeaseRow>> rows = broker_.ListLeases(application, stream);
    if (!rows.ok()) co_return rows.error();
    std::vector<Lease> leases;
    for (broker::LeaseRow& row : *rows) leases.push_back(FromRow(std::move(row)));
    co_return leases;
  }
  async::Task<Result<Lease>> AcquireLease(async::Context ctx, std::string application, std::string stream,
                                          std::string shard_id, std::string owner,
                                          Duration duration) override {
    Result<broker::LeaseRow> row =
        co_await broker_.AcquireLease(std::move(ctx), std::move(application), std::move(stream),
                                      std::move(shard_id), std::move(owner), duration);
    if (!row.ok()) co_return row.error();
    co_return FromRow(std::move(*row));
  }
  async::Task<Result<Lease>> RenewLease(async::Context ctx, Lease held, Duration duration) override {
    Result<broker::LeaseRow> row =
        co_await broker_.RenewLease(std::move(ctx), ToRow(std::move(held)), duration);
    if (!row.ok()) co_return row.error();
    co_return FromRow(std::move(*row));
  }
  async::Task<Result<void>> SaveCheckpoint(async::Context ctx, Lease held) override {
    return broker_.SaveCheckpoint(std::move(ctx), ToRow(std::move(held)));
  }
  async::Task<Result<void>> ReleaseLease(async::Context ctx, Lease held) override {
    return broker_.ReleaseLease(std::move(ctx), ToRow(std::move(held)));
  }

 private:
  // A cursor names the place by itself, so that it never expires: "incarnation/offset".
  static std::string Cursor(const broker::ShardPlace& place) {
    return std::to_string(place.incarnation) + "/" + std::to_string(place.offset);
  }

  async::Task<Result<broker::ShardPlace>> Place(async::Context ctx, const ReadRequest* request) {
    const std::optional<std::uint32_t> shard = broker::ParseShardId(request->shard_id);
    if (!shard) co_return Error(ErrorCode::kInvalidArgument, "not a shard id: " + request->shard_id);
    if (const auto* cursor = std::get_if<FromCursor>(&request->from)) {
      const std::size_t slash = cursor->cursor.find('/');
      if (slash == std::string::npos ||
          cursor->cursor.find_first_not_of("0123456789/") != std::string::npos || slash == 0 ||
          cursor->cursor.size() > 41) {
        co_return Error(ErrorCode::kInvalidArgument, "not a cursor of this client");
      }
      co_return broker::ShardPlace{request->stream, std::strtoull(cursor->cursor.c_str(), nullptr, 10),
                                   *shard, std::strtoull(cursor->cursor.c_str() + slash + 1, nullptr, 10),
                                   Timestamp()};
    }
    broker::Broker::IteratorRequest find;
    find.stream = request->stream;
    find.shard = *shard;
    if (std::holds_alternative<FromLatest>(request->from)) find.type = broker::IteratorType::kLatest;
    if (const auto* time = std::get_if<FromTimestamp>(&request->from)) {
      find.type = broker::IteratorType::kAtTimestamp;
      find.time = time->time;
    }
    if (const auto* after = std::get_if<AfterSequence>(&request->from)) {
      find.type = broker::IteratorType::kAfterSequenceNumber;
      find.sequence = after->sequence;
    }
    Result<broker::ShardPlace> place = co_await broker_.FindPlace(std::move(ctx), std::move(find));
    co_return place;
  }

  broker::Broker& broker_;
};

}  // namespace

std::unique_ptr<StreamClient> MakeLocalClient(broker::Broker& broker) {
  return std::make_unique<LocalClient>(broker);
}

}  // namespace honryu::client
