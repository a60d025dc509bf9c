#include "honryu/client/aggregation.h"

#include "honryu/codec/kpl.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace honryu::client {

namespace {

using Shards = std::vector<ShardDescription>;

constexpr int kRounds = 4;  // the shards may change under a call once or twice, not for ever
constexpr std::size_t kMaxKeyBytes = 256;

UInt128 HashOf(const PutEntry& entry) {
  return entry.explicit_hash_key ? *entry.explicit_hash_key : Md5HashKey(entry.partition_key);
}

bool Holds(const ShardDescription& shard, const UInt128& hash) {
  return shard.hash_start <= hash && hash <= shard.hash_end;
}

const ShardDescription* FindById(const Shards& shards, const std::string& id) {
  const auto found = std::ranges::find(shards, id, &ShardDescription::shard_id);
  return found == shards.end() ? nullptr : &*found;
}

/// One record to put, and which entries are in it.
struct Packed {
  PutEntry entry;
  std::vector<std::size_t> members;
  std::string shard_id;  ///< Where it should come to.
};

// An aggregate within an aggregate would not be opened, and a key that the broker refuses must not take
// others with it: such records go by themselves.
bool GoesAlone(const PutEntry& entry, std::size_t max_bytes) {
  return entry.partition_key.empty() || entry.partition_key.size() > kMaxKeyBytes ||
         entry.data.size() + entry.partition_key.size() > max_bytes || codec::MayBeKplAggregate(entry.data);
}

/// The aggregate in the making of one shard.
class Packer {
 public:
  Packer(const std::vector<PutEntry>& entries, std::size_t max_bytes, std::string shard_id,
         std::vector<Packed>& out)
      : entries_(entries),
        writer_(max_bytes),
        max_bytes_(max_bytes),
        shard_id_(std::move(shard_id)),
        out_(out) {}

  void Add(std::size_t index) {
    const PutEntry& entry = entries_[index];
    if (GoesAlone(entry, max_bytes_)) {
      Flush();
      out_.push_back(Packed{entry, {index}, shard_id_});
      return;
    }
    const codec::KplRecord record{entry.partition_key, entry.explicit_hash_key, entry.data};
    if (!writer_.Add(record)) {
      Flush();
      writer_.Add(record);
    }
    members_.push_back(index);
  }
  void Flush() {
    if (members_.empty()) return;
    Packed packed;
    packed.shard_id = shard_id_;
    packed.entry.partition_key = codec::KplAggregateWriter::kPartitionKey;
    packed.entry.explicit_hash_key = writer_.hash_key();
    packed.entry.data = Bytes(writer_.Finish());
    // The producer library sends a single record plain, too.
    if (members_.size() == 1) packed.entry = entries_[members_[0]];
    packed.members = std::move(members_);
    members_.clear();
    out_.push_back(std::move(packed));
  }

 private:
  const std::vector<PutEntry>& entries_;
  codec::KplAggregateWriter writer_;
  const std::size_t max_bytes_;
  const std::string shard_id_;
  std::vector<Packed>& out_;
  std::vector<std::size_t> members_;
};

std::vector<Packed> Pack(const std::vector<PutEntry>& entries, const std::vector<std::size_t>& pending,
                         const Shards& shards, std::size_t max_bytes) {
  std::vector<const ShardDescription*> open;
  for (const ShardDescription& shard : shards) {
    if (shard.open) open.push_back(&shard);
  }
  std::ranges::sort(open, {}, &ShardDescription::hash_start);
  std::vector<Packed> out;
  std::map<std::string, Packer> packers;
  for (const std::size_t index : pending) {
    const UInt128 hash = HashOf(entries[index]);
    auto at = std::ranges::upper_bound(open, hash, {}, &ShardDescription::hash_start);
    const bool found = at != open.begin() && Holds(**--at, hash);
    if (!found) {  // the list was read while shards changed
      out.push_back(Packed{entries[index], {index}, ""});
      continue;
    }
    packers.try_emplace((*at)->shard_id, entries, max_bytes, (*at)->shard_id, out).first->second.Add(index);
  }
  for (auto& [id, packer] : packers) packer.Flush();
  return out;
}

}  // namespace

bool MayHoldAggregates(const std::vector<StreamRecord>& records) {
  return std::ranges::any_of(
      records, [](const StreamRecord& record) { return codec::MayBeKplAggregate(record.data); });
}

std::vector<StreamRecord> OpenAggregates(std::vector<StreamRecord> records, const ShardDescription& shard) {
  if (!MayHoldAggregates(records)) return records;
  std::vector<StreamRecord> out;
  out.reserve(records.size());
  for (StreamRecord& record : records) {
    const auto opened = codec::OpenKplAggregate(record.data);
    if (!opened) {
      out.push_back(std::move(record));
      continue;
    }
    for (std::size_t i = 0; i < opened->size(); ++i) {
      const codec::KplRecord& user = (*opened)[i];
      if (!Holds(shard, codec::HashKeyOf(user))) continue;
      StreamRecord& one = out.emplace_back();
      one.sequence = record.sequence;
      one.sub_sequence = static_cast<std::uint32_t>(i);
      one.arrival = record.arrival;
      one.partition_key = user.partition_key;
      one.data = record.data.Slice(static_cast<std::size_t>(user.data.data() - record.data.data()),
                                   user.data.size());
    }
  }
  return out;
}

struct AggregatingWriter::Impl {
  Impl(StreamClient& c, std::string s, AggregationConfig a) : client(c), stream(std::move(s)), config(a) {}

  async::Task<Result<std::shared_ptr<const Shards>>> ShardsOf(async::Context ctx, bool refresh) {
    if (!refresh) {
      const std::lock_guard lock(mutex);
      if (shards != nullptr) co_return shards;
    }
    Result<Shards> listed = co_await client.ListShards(std::move(ctx), stream);
    if (!listed.ok()) co_return listed.error();
    const auto fresh = std::make_shared<const Shards>(std::move(*listed));
    const std::lock_guard lock(mutex);
    shards = fresh;
    co_return fresh;
  }

  StreamClient& client;
  const std::string stream;
  const AggregationConfig config;
  std::mutex mutex;  // leaf
  std::shared_ptr<const Shards> shards;
};

AggregatingWriter::AggregatingWriter(StreamClient& client, std::string stream, AggregationConfig config)
    : impl_(std::make_unique<Impl>(client, std::move(stream), config)) {}
AggregatingWriter::~AggregatingWriter() = default;

async::Task<Result<std::vector<Result<PutPosition>>>> AggregatingWriter::Put(async::Context ctx,
                                                                             std::vector<PutEntry> entries) {
  std::vector<Result<PutPosition>> results(entries.size());
  std::vector<std::size_t> pending(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) pending[i] = i;
  Result<std::shared_ptr<const Shards>> shards = co_await impl_->ShardsOf(ctx, false);
  if (!shards.ok()) co_return shards.error();
  for (int round = 0; round < kRounds && !pending.empty(); ++round) {
    const std::vector<Packed> packed = Pack(entries, pending, **shards, impl_->config.max_bytes);
    std::vector<PutEntry> puts;
    puts.reserve(packed.size());
    for (const Packed& one : packed) puts.push_back(one.entry);
    Result<std::vector<Result<PutPosition>>> done =
        co_await impl_->client.Put(ctx, impl_->stream, std::move(puts));
    if (!done.ok()) {
      if (round == 0) co_return done.error();
      for (const std::size_t index : pending) results[index] = done.error();
      co_return results;
    }
    const auto astray = [&](std::size_t p) {
      const Result<PutPosition>& at = (*done)[p];
      return at.ok() && packed[p].members.size() > 1 && at->shard_id != packed[p].shard_id;
    };
    bool stale = false;
    for (std::size_t p = 0; p < packed.size(); ++p) stale = stale || astray(p);
    if (stale) {
      shards = co_await impl_->ShardsOf(ctx, true);
      if (!shards.ok()) shards = std::make_shared<const Shards>();
    }
    pending.clear();
    for (std::size_t p = 0; p < packed.size(); ++p) {
      const ShardDescription* actual = astray(p) ? FindById(**shards, (*done)[p]->shard_id) : nullptr;
      for (const std::size_t index : packed[p].members) {
        const bool unread = astray(p) && (actual == nullptr || !Holds(*actual, HashOf(entries[index])));
        if (unread) {
          pending.push_back(index);
        } else {
          results[index] = (*done)[p];
        }
      }
    }
    std::ranges::sort(pending);
  }
  for (const std::size_t index : pending)
    results[index] = Error(ErrorCode::kUnavailable, "the shards changed while the record was put");
  co_return results;
}

}  // namespace honryu::client
