#include "honryu/consumer/opening.h"

#include "consumer/splitting.h"
#include "honryu/client/aggregation.h"
#include "honryu/codec/compression.h"
#include "honryu/codec/kpl.h"
#include "honryu/codec/zip.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace honryu::consumer {

namespace {

using namespace std::string_view_literals;

/// Repetitive data of this size is harmless however well it was packed.
constexpr std::size_t kRatioFree = 1 << 20;

enum class Packing : std::uint8_t { kNone, kGzip, kZlib, kZstd, kZip };

Packing PackingOf(BytesView data, const OpeningConfig& config) {
  const auto byte = [data](std::size_t i) { return static_cast<unsigned char>(data[i]); };
  // gzip (RFC 1952): the method is 8 and the three upper flags are zero.
  if (config.gzip && data.size() >= 18 && data.starts_with("\x1f\x8b\x08"sv) && (byte(3) & 0xe0) == 0)
    return Packing::kGzip;
  if (config.zstd && data.starts_with("\x28\xb5\x2f\xfd"sv)) return Packing::kZstd;
  if (config.zip && codec::MayBeZip(data)) return Packing::kZip;
  // zlib (RFC 1950): method 8, window up to 32 KiB, header divisible by 31, no preset dictionary. The
  // smallest stream has 8 bytes.
  if (config.zlib && data.size() >= 8 && (byte(0) & 0x0f) == 8 && byte(0) >> 4 <= 7 &&
      (byte(0) * 256 + byte(1)) % 31 == 0 && (byte(1) & 0x20) == 0)
    return Packing::kZlib;
  return Packing::kNone;
}

struct Failure {
  OpenFailure kind = OpenFailure::kBroken;
  std::string message;
};

/// Opens one record that a producer put. What it has used of the stream record's limits is in the counts.
class Opener {
 public:
  Opener(const OpeningConfig& config, std::size_t stream_bytes)
      : config_(config),
        by_ratio_(std::max(kRatioFree, config.max_ratio * std::max<std::size_t>(stream_bytes, 1))) {}

  std::size_t unpacked = 0;  ///< Bytes.
  std::size_t parts = 0;     ///< Records out of archives, lines and arrays.

  std::optional<Failure> Open(const Bytes& data, std::vector<Bytes>& out) { return Layer(data, 0, out); }

 private:
  // NOLINTNEXTLINE(misc-no-recursion): at most max_layers deep
  std::optional<Failure> Layer(const Bytes& data, int depth, std::vector<Bytes>& out) {
    const Packing packing = PackingOf(data, config_);
    if (packing == Packing::kNone) return Split(data, out);
    if (depth >= config_.max_layers)
      return Failure{OpenFailure::kTooDeep,
                     "more than " + std::to_string(config_.max_layers) + " layers of compression"};
    if (packing == Packing::kZip) return Archive(data, depth, out);
    const auto format = packing == Packing::kZstd ? codec::Compression::kZstd : codec::Compression::kGzip;
    Result<std::string> plain = codec::Decompress(format, data, Left());
    if (!plain.ok() && packing == Packing::kZlib && plain.error().code() == ErrorCode::kInvalidArgument)
      return Split(data, out);
    if (!plain.ok()) return Refused(plain.error());
    unpacked += plain->size();
    return Layer(Bytes(std::move(*plain)), depth + 1, out);
  }

  // NOLINTNEXTLINE(misc-no-recursion): at most max_layers deep
  std::optional<Failure> Archive(const Bytes& data, int depth, std::vector<Bytes>& out) {
    codec::ZipLimits limits;
    limits.max_bytes = Left();
    limits.max_files = config_.max_records - std::min(config_.max_records, parts);
    Result<std::vector<std::string>> files = codec::OpenZip(data, limits);
    if (!files.ok()) return Refused(files.error());
    parts += files->size();
    for (const std::string& file : *files) unpacked += file.size();
    for (std::string& file : *files) {
      std::optional<Failure> failure = Layer(Bytes(std::move(file)), depth + 1, out);
      if (failure) return failure;
    }
    return std::nullopt;
  }

  std::optional<Failure> Split(const Bytes& data, std::vector<Bytes>& out) {
    const std::size_t before = out.size();
    const std::size_t most = config_.max_records - std::min(config_.max_records, parts);
    switch (SplitJson(data, config_, most, out)) {
      case SplitOutcome::kWhole:
        out.push_back(data);
        return std::nullopt;
      case SplitOutcome::kSplit:
        parts += out.size() - before;
        return std::nullopt;
      case SplitOutcome::kTooMany:
        return Failure{OpenFailure::kTooMany,
                       "more than " + std::to_string(config_.max_records) + " records in one"};
      case SplitOutcome::kBroken:
        break;
    }
    return Failure{OpenFailure::kBroken, "begins as a JSON array, and is none"};
  }

  std::size_t Left() const {
    const std::size_t most = std::min(config_.max_bytes, by_ratio_);
    return most - std::min(most, unpacked);
  }

  Failure Refused(const Error& error) const {
    Failure failure;
    failure.message = error.message();
    if (error.code() == ErrorCode::kUnimplemented) {
      failure.kind = OpenFailure::kUnsupported;
    } else if (error.code() == ErrorCode::kOutOfRange) {
      failure.kind = OpenFailure::kTooMany;
    } else if (error.code() == ErrorCode::kTooLarge) {
      failure.kind = by_ratio_ < config_.max_bytes ? OpenFailure::kRatio : OpenFailure::kTooLarge;
    }
    return failure;
  }

  const OpeningConfig& config_;
  const std::size_t by_ratio_;
};

}  // namespace

OpeningConfig OpeningConfig::All() {
  OpeningConfig config;
  config.gzip = config.zlib = config.zstd = config.zip = true;
  config.lines = config.arrays = SplitRule::kCertain;
  return config;
}

bool OpeningConfig::any() const {
  return aggregates || gzip || zlib || zstd || zip || lines != SplitRule::kNever ||
         arrays != SplitRule::kNever;
}

Result<void> OpeningConfig::Validate() const {
  const auto wrong = [](const char* what) { return Error(ErrorCode::kInvalidArgument, what); };
  if (max_bytes < 1 || max_bytes > (std::size_t{1} << 30))
    return wrong("opening: max_bytes must be 1 to 1 GiB");
  if (max_ratio < 1 || max_ratio > 1'000'000) return wrong("opening: max_ratio must be 1 to 1000000");
  if (max_records < 1 || max_records > 10'000'000) return wrong("opening: max_records must be 1 to 10000000");
  if (max_layers < 1 || max_layers > 16) return wrong("opening: max_layers must be 1 to 16");
  return Ok();
}

std::string_view OpenFailureName(OpenFailure failure) {
  switch (failure) {
    case OpenFailure::kBroken:
      return "broken";
    case OpenFailure::kTooLarge:
      return "too_large";
    case OpenFailure::kRatio:
      return "ratio";
    case OpenFailure::kTooMany:
      return "too_many";
    case OpenFailure::kTooDeep:
      return "too_deep";
    case OpenFailure::kUnsupported:
      return "unsupported";
  }
  return "unknown";
}

bool MayNeedOpening(BytesView data, const OpeningConfig& config) {
  return (config.aggregates && codec::MayBeKplAggregate(data)) || PackingOf(data, config) != Packing::kNone ||
         MayNeedSplitting(data, config);
}

namespace {

OpenedRecords OpenAll(std::vector<client::StreamRecord> put, Opener opener) {
  OpenedRecords opened;
  std::uint32_t next = 0;
  std::vector<Bytes> parts;
  for (client::StreamRecord& one : put) {
    next = std::max(next, one.sub_sequence);
    const std::size_t unpacked = opener.unpacked, count = opener.parts;
    parts.clear();
    std::optional<Failure> failure = opener.Open(one.data, parts);
    if (failure) {
      // Its results are gone, so its neighbours have what it used.
      opener.unpacked = unpacked;
      opener.parts = count;
      one.sub_sequence = next++;
      opened.failed.push_back({std::move(one), failure->kind, std::move(failure->message)});
      continue;
    }
    for (Bytes& part : parts) {
      client::StreamRecord& result = opened.records.emplace_back();
      result.sequence = one.sequence;
      result.arrival = one.arrival;
      result.partition_key = one.partition_key;
      result.data = std::move(part);
      result.sub_sequence = next++;
    }
  }
  return opened;
}

}  // namespace

OpenedRecords OpenRecord(client::StreamRecord record, const client::ShardDescription& shard,
                         const OpeningConfig& config) {
  if (!MayNeedOpening(record.data, config)) {
    OpenedRecords opened;
    opened.records.push_back(std::move(record));
    return opened;
  }
  const Opener opener(config, record.data.size());
  std::vector<client::StreamRecord> put;
  put.push_back(std::move(record));
  if (config.aggregates) put = client::OpenAggregates(std::move(put), shard);
  return OpenAll(std::move(put), opener);
}

OpenedRecords OpenUserRecords(std::vector<client::StreamRecord> records, const OpeningConfig& config) {
  std::size_t bytes = 0;
  for (const client::StreamRecord& record : records) bytes += record.data.size();
  return OpenAll(std::move(records), Opener(config, bytes));
}

}  // namespace honryu::consumer
