#include "honryu/async/retry.h"
#include "honryu/consumer/dead_letter.h"

#include <algorithm>
#include <utility>

namespace honryu::consumer {

namespace {

constexpr std::size_t kSmallestPart = 4 << 10;

struct Unstored {
  std::vector<DeadLetter> letters;
  Error error;
  bool too_large = false;
};

/// Which letters have a part that was not stored.
Unstored WhatFailed(std::vector<DeadLetter>& letters, const std::vector<std::size_t>& owners,
                    const std::vector<Result<client::PutPosition>>& results) {
  Unstored left;
  std::size_t last = letters.size();
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].ok()) continue;
    left.error = results[i].error();
    left.too_large = left.too_large || left.error.code() == ErrorCode::kTooLarge;
    if (owners[i] == last) continue;
    last = owners[i];
    left.letters.push_back(std::move(letters[last]));
  }
  return left;
}

}  // namespace

DeadLetterWriter::DeadLetterWriter(DeadLetterConfig config, const std::string& application,
                                   const std::string& stream, client::StreamClient& client,
                                   obs::Registry& metrics)
    : config_(std::move(config)), client_(client) {
  if (config_.stream.empty()) config_.stream = DeadLetterStreamOf(application);
  if (!config_.enabled) return;
  const obs::Labels labels = {{"application", application}, {"stream", stream}};
  for (const auto reason :
       {DeadLetterReason::kHandler, DeadLetterReason::kExpired, DeadLetterReason::kUnopenable}) {
    obs::Labels with = labels;
    with["reason"] = DeadLetterReasonName(reason);
    written_[reason] = metrics.MakeCounter("honryu_consumer_dead_letters_total",
                                           "Records set aside in the dead-letter stream", with);
  }
  errors_ = metrics.MakeCounter("honryu_consumer_dead_letter_errors_total",
                                "Failed attempts to write to the dead-letter stream", labels);
}

// On success `letters` is empty, else it holds those that are not stored yet.
async::Task<Result<void>> DeadLetterWriter::WriteOnce(async::Context ctx, std::vector<DeadLetter>& letters) {
  if (!ensured_) {
    client::StreamSettings settings;
    settings.shards = 1;
    settings.retention_hours = config_.retention_hours;
    Result<void> ensured = co_await client_.EnsureStream(ctx, config_.stream, settings);
    if (!ensured.ok()) co_return ensured.error().WithContext("making stream " + config_.stream);
    ensured_ = true;
  }
  std::vector<client::PutEntry> entries;
  std::vector<std::size_t> owners;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    for (client::PutEntry& entry : EncodeDeadLetter(letters[i], part_bytes_)) {
      entries.push_back(std::move(entry));
      owners.push_back(i);
    }
  }
  Result<std::vector<Result<client::PutPosition>>> results =
      co_await client_.Put(std::move(ctx), config_.stream, std::move(entries));
  if (!results.ok()) {
    // Deleted by a person: made again by the next attempt.
    if (results.error().code() == ErrorCode::kNotFound) ensured_ = false;
    co_return results.error();
  }
  Unstored left = WhatFailed(letters, owners, *results);
  letters = std::move(left.letters);
  if (letters.empty()) co_return Ok();
  if (left.too_large && part_bytes_ <= kSmallestPart) co_return left.error;
  if (left.too_large) {
    part_bytes_ /= 4;
    co_return Error(ErrorCode::kUnavailable, "the dead-letter stream takes smaller records only");
  }
  co_return left.error;
}

async::Task<Result<void>> DeadLetterWriter::Write(async::Context ctx, std::vector<DeadLetter> letters) {
  Random random(async::RetrySeed());
  async::RetryPolicy policy;
  std::map<DeadLetterReason, int> counts;
  for (const DeadLetter& letter : letters) ++counts[letter.reason];
  for (int failures = 0;; ++failures) {
    Result<void> written = co_await WriteOnce(ctx, letters);
    if (written.ok()) break;
    errors_.Add();
    // Not only retryable ones: a stream that is gone is made again, and large letters are cut.
    const bool hopeless =
        written.error().code() == ErrorCode::kTooLarge || written.error().code() == ErrorCode::kCancelled;
    const Duration pause = async::BackoffDelay(policy, failures, random);
    if (hopeless || failures + 1 >= 8 || pause >= ctx.remaining())
      co_return written.error().WithContext("writing dead letters to stream " + config_.stream);
    Result<void> slept = co_await async::SleepFor(pause);
    if (!slept.ok()) co_return slept;
  }
  for (const auto& [reason, count] : counts) written_[reason].Add(count);
  co_return Ok();
}

}  // namespace honryu::consumer
