#include "details.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace honryu::demo {
namespace {

using Text = std::string_view;

// Words of log lines, the frequent ones first: they are drawn by Zipf's law.
constexpr Text kWords[] = {
    "request",   "the",         "for",         "user",      "to",         "from",      "cache",
    "in",        "session",     "service",     "with",      "completed",  "was",       "connection",
    "token",     "after",       "retry",       "database",  "received",   "response",  "started",
    "client",    "not",         "queue",       "image",     "feed",       "message",   "and",
    "payload",   "found",       "updated",     "sent",      "worker",     "shard",     "batch",
    "timeout",   "loaded",      "profile",     "a",         "of",         "search",    "result",
    "index",     "page",        "map",         "tile",      "upload",     "download",  "stream",
    "record",    "offset",      "partition",   "consumer",  "producer",   "lease",     "node",
    "region",    "zone",        "replica",     "leader",    "follower",   "election",  "snapshot",
    "restore",   "schema",      "field",       "value",     "expected",   "actual",    "skipped",
    "ignored",   "accepted",    "rejected",    "limit",     "exceeded",   "throttled", "waiting",
    "pending",   "flushed",     "compacted",   "merged",    "split",      "opened",    "closed",
    "handshake", "certificate", "cipher",      "proxy",     "gateway",    "route",     "matched",
    "filter",    "applied",     "rule",        "policy",    "denied",     "granted",   "role",
    "account",   "payment",     "invoice",     "order",     "basket",     "coupon",    "discount",
    "delivery",  "address",     "station",     "train",     "arrival",    "departure", "platform",
    "ticket",    "seat",        "reservation", "cancelled", "confirmed",  "expired",   "renewed",
    "signed",    "verified",    "checksum",    "mismatch",  "repaired",   "scheduled", "triggered",
    "alert",     "resolved",    "threshold",   "latency",   "percentile", "histogram", "sample",
    "metric",    "exported",    "scraped",     "webhook",   "callback",   "promise",   "thread",
    "mutex",     "deadlock",    "released",    "acquired",  "memory",     "allocated", "heap",
    "garbage",   "collected",   "paused",      "resumed",   "swapped",    "disk",      "written",
    "synced",    "block",       "sector",      "checked",   "scrubbed",   "mounted",   "volume",
    "bucket",    "object",      "version",     "deleted",   "archived",   "encrypted", "compressed",
    "decoded",   "parsed",      "rendered",    "template",  "layout",     "component", "hydrated",
    "bundle",    "experiment",  "variant",     "control",   "enrolled",   "exposed",   "converted",
    "funnel",    "cohort",      "recommend",   "ranking",   "score",      "feature",   "embedding",
    "model",     "inference",   "fallback",    "degraded",  "healthy",    "probe",     "liveness",
    "readiness", "evicted",     "rescheduled", "drained",
};
constexpr std::size_t kWordCount = std::size(kWords);

// "#" stands for a number, "@" for one of kThings.
constexpr Text kJapanese[] = {
    "@の読み込みが完了しました。",
    "@の更新に#ミリ秒かかりました。",
    "接続がタイムアウトしたため再試行します。",
    "@を#件取得しました。",
    "利用者の位置情報を更新しました。",
    "改札で待っている利用者に通知を送信しました。",
    "@のキャッシュが見つかりません。",
    "セッションの有効期限を延長しました。",
    "@の検索結果を#件返しました。",
    "画像のアップロードを開始しました。",
    "データベースへの書き込みに成功しました。",
    "@の応答が遅いため別の経路を使います。",
    "認証トークンを確認しました。",
    "@のメッセージを配信しました。",
    "電車の遅延情報を受信しました。",
    "@の予約を確認しました。",
    "地図の表示範囲を計算し直しました。",
    "お支払いの処理を受け付けました。",
    "@の順位を再計算しています。",
    "通信が不安定なため処理を一時停止しました。",
    "@のファイルを#個圧縮しました。",
    "新しい記事の配信を予定しています。",
    "@から#件の要求を受け付けました。",
    "障害から復旧し通常の処理に戻りました。",
};
constexpr Text kThings[] = {"ホーム画面", "記事一覧", "友だち一覧", "プロフィール", "地図",     "検索",
                            "トーク",     "通知設定", "決済",       "写真",         "路線情報", "天気予報",
                            "動画",       "広告",     "ニュース",   "音楽"};

constexpr Text kAgents[] = {
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8a) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
    "Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
    "Safari/605.1.15"};
constexpr Text kPaths[] = {"/api/feed",      "/api/content", "/api/messages", "/api/search",
                           "/api/map/tiles", "/api/profile", "/api/session",  "/api/images"};
constexpr Text kLevels[] = {"info", "info", "info", "info", "debug", "debug", "warn"};
constexpr Text kNetworks[] = {"wifi", "5g", "lte", "lte"};

std::string Hex(std::uint64_t number, int digits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int i = digits - 1; i >= 0; --i) text += kDigits[number >> (4 * i) & 15];
  return text;
}

template <std::size_t kSize>
Text Any(const Text (&values)[kSize], Random& random) {
  return values[random.Below(kSize)];
}

/// A rank below `count` by Zipf's law with exponent 1, by inverting its integral.
std::size_t ZipfRank(std::size_t count, Random& random) {
  const double rank = std::exp(random.Unit() * std::log(static_cast<double>(count) + 1)) - 1;
  return std::min(static_cast<std::size_t>(rank), count - 1);
}

std::string EnglishMessage(Random& random) {
  std::string text;
  const auto words = 20 + random.Below(30);
  for (std::uint64_t i = 0; i < words; ++i) {
    if (i > 0) text += ' ';
    if (random.Chance(0.06))
      text += std::to_string(random.Below(100'000));  // ids, sizes, durations
    else
      text += kWords[ZipfRank(kWordCount, random)];
  }
  if (random.Chance(0.0002)) text += " oomkiller ended the process";  // what one searches for
  return text;
}

std::string JapaneseMessage(Random& random) {
  std::string text;
  const auto sentences = 3 + random.Below(3);
  for (std::uint64_t i = 0; i < sentences; ++i)
    for (const char c : Any(kJapanese, random)) {
      if (c == '#')
        text += std::to_string(random.Below(5'000));
      else if (c == '@')
        text += Any(kThings, random);
      else
        text += c;
    }
  return text;
}

}  // namespace

void WriteDetails(const Person& person, std::uint32_t user, std::uint64_t session, bool failed,
                  Random& random, codec::JsonWriter& json) {
  const auto member = [&json](Text key, Text value) {
    json.Key(key);
    json.String(value);
  };
  const auto number = [&json](Text key, std::uint64_t value) {
    json.Key(key);
    json.Uint(value);
  };
  const std::size_t agent = person.device_type == "ios"       ? 0
                            : person.device_type == "android" ? 1
                                                              : 2 + user % 2;
  json.Key("request");
  json.BeginObject();
  const std::uint64_t high = random.Next(), low = random.Next();
  member("trace_id", Hex(high, 16) + Hex(low, 16));
  member("span_id", Hex(random.Next(), 16));
  // An address is a session's: phones change it as they move.
  const std::uint64_t place = (user * 2'654'435'761ULL + session * 40'503ULL) >> 3;
  member("ip", std::to_string(100 + place % 90) + "." + std::to_string(place / 90 % 256) + "." +
                   std::to_string(place / 23'040 % 256) + "." + std::to_string(1 + place / 5'898'240 % 254));
  member("user_agent", kAgents[agent]);
  member("path", Any(kPaths, random));
  number("status", failed ? 500 + random.Below(4) : random.Chance(0.04) ? 404 : 200);
  const double radius = std::sqrt(-2.0 * std::log(1.0 - random.Unit())), angle = random.Unit();
  const double gaussian = radius * std::cos(2 * std::numbers::pi * angle);
  json.Key("latency_ms");
  json.Double(std::round(40.0 * std::exp(0.8 * gaussian) * 100) / 100);
  number("response_bytes", 200 + random.Below(60'000));
  member("network", Any(kNetworks, random));
  json.EndObject();
  json.Key("log");
  json.BeginObject();
  member("level", failed ? Text("error") : Any(kLevels, random));
  member("logger", "app.server." + std::string(Any(kPaths, random).substr(5, 4)));
  member("host", "web-" + std::to_string(1 + random.Below(24)) + ".ap-northeast-1");
  member("message",
         person.japanese && random.Chance(0.58) ? JapaneseMessage(random) : EnglishMessage(random));
  json.EndObject();
}

}  // namespace honryu::demo
