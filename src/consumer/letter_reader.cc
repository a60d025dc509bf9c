#include "consumer/letter_reader.h"

#include "honryu/async/retry.h"

#include <algorithm>
#include <utility>

namespace honryu::consumer {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(30);

/// One read, tried again while the shard's quota of reads or the broker is the trouble.
async::Task<Result<client::ReadBatch>> ReadOnce(client::StreamClient& client, client::ReadRequest request) {
  async::RetryPolicy policy;
  policy.max_attempts = 10;
  policy.initial = std::chrono::milliseconds(200);
  Random random(async::RetrySeed());
  for (int n = 0;; ++n) {
    Result<client::ReadBatch> batch =
        co_await client.Read(async::Context::WithTimeout(kCallTimeout), request);
    if (batch.ok() || !batch.error().retryable() || n + 1 >= policy.max_attempts) co_return batch;
    Result<void> slept = co_await async::SleepFor(async::BackoffDelay(policy, n, random));
    if (!slept.ok()) co_return slept.error();
  }
}

}  // namespace

std::optional<DeadLetterPart> PartJoiner::Add(DeadLetterPart part) {
  if (part.parts == 1) return part;
  const auto key = std::make_pair(part.id, part.parts);
  Parts& parts = open_[key];
  const auto [place, fresh] = parts.data.emplace(part.part, std::string(part.letter.record.data.view()));
  if (fresh) parts.bytes += place->second.size();
  if (parts.data.size() < part.parts) return std::nullopt;
  std::string joined;
  joined.reserve(parts.bytes);
  for (const auto& [index, data] : parts.data) joined += data;
  open_.erase(key);
  part.letter.record.data = Bytes(std::move(joined));
  part.part = 0;
  return part;
}

void Ledger::Add(const RedriveMark& mark) {
  for (const std::string& id : mark.ids) {
    if (mark.state == RedriveMark::State::kStarted) {
      started_[id].insert(mark.redrive);
      continue;
    }
    if (mark.state == RedriveMark::State::kDone) done_.insert(id);
    if (const auto found = started_.find(id); found != started_.end()) {
      found->second.erase(mark.redrive);
      if (found->second.empty()) started_.erase(found);
    }
  }
}

LetterStatus Ledger::StatusOf(const std::string& id) const {
  if (done_.contains(id)) return LetterStatus::kRedriven;
  return started_.contains(id) ? LetterStatus::kUncertain : LetterStatus::kWaiting;
}

async::Task<Result<void>> ReadLetters(
    client::StreamClient& client, std::string stream,
    std::function<async::Task<Result<bool>>(Result<DeadLetterEntry>)> take) {
  HONRYU_CO_TRY(std::vector<client::ShardDescription> shards,
                co_await client.ListShards(async::Context::WithTimeout(kCallTimeout), stream));
  // Ids rise, so parents come first.
  std::ranges::sort(shards, {}, &client::ShardDescription::shard_id);
  for (const client::ShardDescription& shard : shards) {
    client::ReadRequest request;
    request.stream = stream;
    request.shard_id = shard.shard_id;
    request.from = client::FromTrimHorizon{};
    for (;;) {
      Result<client::ReadBatch> batch = co_await ReadOnce(client, request);
      if (!batch.ok()) co_return batch.error().WithContext("reading stream " + stream);
      for (const client::StreamRecord& record : batch->records) {
        Result<bool> more = co_await take(DecodeDeadLetter(record.data));
        if (!more.ok()) co_return more.error();
        if (!*more) co_return Ok();
      }
      const bool caught_up = batch->records.empty() && batch->behind_latest == Duration::zero();
      if (batch->next.empty() || caught_up) break;
      request.from = client::FromCursor{batch->next};
    }
  }
  co_return Ok();
}

}  // namespace honryu::consumer
