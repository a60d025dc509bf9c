#include "views/kpi_row.h"

#include "honryu/codec/endian.h"
#include "honryu/codec/json.h"
#include "honryu/codec/varint.h"

#include <bit>
#include <cmath>

namespace honryu::views {

namespace {

constexpr char kVersion = 1;
constexpr unsigned kFinal = 1, kApproximate = 2;  // on disk: never renumber
constexpr std::uint64_t kSign = 1ULL << 63;

bool IsName(std::string_view text, std::size_t longest) {
  return text.size() <= longest && text.find('\0') == std::string_view::npos;
}

Error Wrong(std::string_view what) {
  return Error(ErrorCode::kInvalidArgument, "kpi row: " + std::string(what));
}

}  // namespace

Result<KpiRow> ParseKpiRow(std::string_view text) {
  HONRYU_TRY(const codec::Json json, codec::Json::Parse(text));
  const auto string = [&json](std::string_view key) {
    const codec::Json* member = json.Find(key);
    return std::string(member == nullptr ? std::string_view() : member->StringOr(""));
  };
  KpiRow row;
  row.metric = string("metric");
  row.window = string("window");
  row.group = string("group");
  if (row.metric.empty() || !IsName(row.metric, 128)) return Wrong("metric must have 1 to 128 characters");
  if (row.window.empty() || !IsName(row.window, 16)) return Wrong("window must have 1 to 16 characters");
  if (!IsName(row.group, 1024)) return Wrong("group must have at most 1024 characters");
  const codec::Json* start = json.Find("start");
  const codec::Json* end = json.Find("end");
  const codec::Json* value = json.Find("value");
  if (start == nullptr || !start->is_number() || end == nullptr || !end->is_number())
    return Wrong("start and end must be numbers (ms)");
  row.start = TimestampFromMs(start->IntOr(0));
  row.end = TimestampFromMs(end->IntOr(0));
  if (row.end <= row.start) return Wrong("end must be above start");
  if (value == nullptr || !value->is_number()) return Wrong("value must be a number");
  row.value = value->DoubleOr(0);
  const codec::Json* approximate = json.Find("approximate");
  row.approximate = approximate != nullptr && approximate->BoolOr(false);
  const codec::Json* final = json.Find("final");
  row.final = final != nullptr && final->BoolOr(false);
  if (const codec::Json* revision = json.Find("revision"))
    row.revision = static_cast<std::uint64_t>(std::max<std::int64_t>(0, revision->IntOr(0)));
  return row;
}

std::string RowPrefix(std::string_view window, std::string_view metric, std::string_view group) {
  std::string key = "r";
  for (const std::string_view part : {window, metric, group}) {
    key += part;
    key += '\0';
  }
  return key;
}

std::string TimeKey(Timestamp start) {
  std::string key;
  codec::AppendBigEndian64(key, static_cast<std::uint64_t>(ToMs(start)) ^ kSign);
  return key;
}

std::string RowKey(const KpiRow& row) {
  return RowPrefix(row.window, row.metric, row.group) + TimeKey(row.start);
}

std::string EncodeRow(const KpiRow& row) {
  std::string out(1, kVersion);
  out += static_cast<char>((row.final ? kFinal : 0) | (row.approximate ? kApproximate : 0));
  codec::AppendU64(out, std::bit_cast<std::uint64_t>(row.value));
  codec::AppendVarint(out, static_cast<std::uint64_t>(ToMs(row.end) - ToMs(row.start)));
  codec::AppendVarint(out, row.revision);
  return out;
}

Result<KpiRow> DecodeRow(std::string_view key, std::string_view value) {
  const Error corrupt(ErrorCode::kCorrupt, "a row of the kpi store is not in its format");
  KpiRow row;
  if (key.empty()) return corrupt;
  key.remove_prefix(1);
  for (std::string* part : {&row.window, &row.metric, &row.group}) {
    const std::size_t zero = key.find('\0');
    if (zero == std::string_view::npos) return corrupt;
    part->assign(key.substr(0, zero));
    key.remove_prefix(zero + 1);
  }
  if (key.size() != 8 || value.size() < 10 || value.front() != kVersion) return corrupt;
  row.start = TimestampFromMs(static_cast<std::int64_t>(codec::LoadBigEndian64(key.data()) ^ kSign));
  const auto flags = static_cast<unsigned>(static_cast<unsigned char>(value[1]));
  row.final = (flags & kFinal) != 0;
  row.approximate = (flags & kApproximate) != 0;
  row.value = std::bit_cast<double>(codec::LoadU64(value.data() + 2));
  value.remove_prefix(10);
  std::uint64_t length = 0;
  if (!codec::TakeVarint(&value, &length) || !codec::TakeVarint(&value, &row.revision)) return corrupt;
  row.end = row.start + std::chrono::milliseconds(static_cast<std::int64_t>(length));
  return row;
}

std::string AfterPrefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace honryu::views
