#include "api/query/live_feed.h"

#include <cmath>
#include <utility>

namespace honryu::api::query {

void WriteRow(const views::KpiRow& row, bool with_series, codec::JsonWriter& json) {
  json.BeginObject();
  if (with_series) {
    json.Key("metric");
    json.String(row.metric);
    json.Key("window");
    json.String(row.window);
  }
  json.Key("start");
  json.PlainString(FormatTimestamp(row.start));
  json.Key("end");
  json.PlainString(FormatTimestamp(row.end));
  json.Key("group");
  json.String(row.group);
  json.Key("value");
  constexpr double kExact = 9007199254740992;  // 2^53: whole numbers up to here are themselves
  if (std::floor(row.value) == row.value && std::abs(row.value) <= kExact) {
    json.Int(static_cast<std::int64_t>(row.value));
  } else {
    json.Double(row.value);
  }
  if (row.approximate) {
    json.Key("approximate");
    json.Bool(true);
  }
  json.Key("final");
  json.Bool(row.final);
  json.EndObject();
}

void Subscriber::Offer(const std::vector<views::KpiRow>& rows) {
  const std::lock_guard lock(mutex_);
  for (const views::KpiRow& row : rows) {
    if (overflowed_) return;
    if (!filter_.Takes(row)) continue;
    rows_.insert_or_assign(Key(row.metric, row.window, row.group, ToMs(row.start)), row);
    if (rows_.size() > max_rows_) {
      rows_.clear();
      overflowed_ = true;
    }
  }
}

Subscriber::Waiting Subscriber::Take() {
  const std::lock_guard lock(mutex_);
  Waiting waiting;
  waiting.overflowed = std::exchange(overflowed_, false);
  for (auto& [key, row] : rows_) waiting.rows.push_back(std::move(row));
  rows_.clear();
  return waiting;
}

std::shared_ptr<Subscriber> LiveFeed::Subscribe(LiveFilter filter, std::size_t max, std::size_t max_rows) {
  const std::lock_guard lock(mutex_);
  std::erase_if(subscribers_, [](const auto& subscriber) { return subscriber.expired(); });
  if (subscribers_.size() >= max) return nullptr;
  auto subscriber = std::make_shared<Subscriber>(std::move(filter), max_rows);
  subscribers_.push_back(subscriber);
  return subscriber;
}

void LiveFeed::Publish(const std::vector<views::KpiRow>& rows) {
  const std::lock_guard lock(mutex_);
  for (const auto& weak : subscribers_) {
    if (const std::shared_ptr<Subscriber> subscriber = weak.lock()) subscriber->Offer(rows);
  }
}

std::size_t LiveFeed::size() {
  const std::lock_guard lock(mutex_);
  std::erase_if(subscribers_, [](const auto& subscriber) { return subscriber.expired(); });
  return subscribers_.size();
}

}  // namespace honryu::api::query
