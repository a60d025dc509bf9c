#include "command.h"
#include "connection.h"
#include "honryu/base/units.h"
#include "honryu/client/aggregation.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace honryu::app {
namespace {

struct ReadOptions {
  std::string endpoint = "http://127.0.0.1:4567";
  std::string stream;
  std::string shard;
  std::string from = "trim_horizon";
  std::uint64_t limit = 0;
  bool json = false;
  bool raw = false;
  bool follow = false;
};

struct Reader {
  client::ShardDescription shard;
  client::StartPosition position;
  bool done = false;
};

Result<client::StartPosition> ParseFrom(const std::string& text) {
  if (text == "trim_horizon" || text == "TRIM_HORIZON")
    return client::StartPosition(client::FromTrimHorizon{});
  if (text == "latest" || text == "LATEST") return client::StartPosition(client::FromLatest{});
  if (text.size() > 40 && text.find_first_not_of("0123456789") == std::string::npos) {
    HONRYU_TRY(const SequenceNumber sequence, SequenceNumber::FromDecimal(text));
    return client::StartPosition(client::AfterSequence{sequence});
  }
  if (!text.empty() && text[0] == '-') {
    HONRYU_TRY(const Duration back, ParseDuration(text.substr(1)));
    return client::StartPosition(
        client::FromTimestamp{SystemClock().Now() - std::chrono::milliseconds(ToMs(back))});
  }
  HONRYU_TRY(const Timestamp time, ParseTimestamp(text));
  return client::StartPosition(client::FromTimestamp{time});
}

void Print(const ReadOptions& options, const std::string& shard, const client::StreamRecord& record) {
  if (!options.json) {
    std::fwrite(record.data.data(), 1, record.data.size(), stdout);
    std::fputc('\n', stdout);
    return;
  }
  std::string line;
  codec::JsonWriter writer(line);
  writer.BeginObject();
  writer.Key("shard");
  writer.String(shard);
  writer.Key("sequence");
  writer.PlainString(record.sequence.ToDecimal());
  if (record.sub_sequence > 0) {
    writer.Key("sub_sequence");
    writer.Uint(record.sub_sequence);
  }
  writer.Key("arrival");
  writer.PlainString(FormatTimestamp(record.arrival));
  writer.Key("partition_key");
  writer.String(record.partition_key);
  writer.Key("data");
  writer.String(record.data);
  writer.EndObject();
  std::puts(line.c_str());
}

async::Task<Result<client::ReadBatch>> ReadOnce(client::StreamClient* streams, client::ReadRequest request) {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(60));
  Result<client::ReadBatch> batch = co_await streams->Read(ctx, std::move(request));
  co_return batch;
}

async::Task<Result<std::vector<client::ShardDescription>>> Shards(client::StreamClient* streams,
                                                                  std::string stream) {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
  Result<std::vector<client::ShardDescription>> shards = co_await streams->ListShards(ctx, std::move(stream));
  co_return shards;
}

// Children that are not read yet, from their beginning.
void AddChildren(const std::vector<client::ShardDescription>& shards,
                 const std::vector<std::string>& children, std::vector<Reader>& readers) {
  for (const client::ShardDescription& shard : shards) {
    const bool is_child = std::find(children.begin(), children.end(), shard.shard_id) != children.end();
    const bool known = std::any_of(readers.begin(), readers.end(), [&](const Reader& reader) {
      return reader.shard.shard_id == shard.shard_id;
    });
    if (is_child && !known) readers.push_back({shard, client::FromTrimHorizon{}, false});
  }
}

int RunRead(const ReadOptions& options) {
  InstallStopSignals();
  Connection connection(options.endpoint);
  const Result<client::StartPosition> from = ParseFrom(options.from);
  if (!from.ok()) return Fail(from.error().WithContext("--from"));
  const auto shards = connection.runtime().BlockOn(Shards(&connection.streams(), options.stream));
  if (!shards.ok()) return Fail(shards.error());
  std::vector<Reader> readers;
  for (const client::ShardDescription& shard : *shards) {
    if (options.shard.empty() || options.shard == shard.shard_id) readers.push_back({shard, *from, false});
  }
  if (readers.empty())
    return Fail(Error(ErrorCode::kNotFound, "no shard " + options.shard + " in " + options.stream));
  std::uint64_t printed = 0;
  bool open = true;
  while (open && !StopRequested() && std::ferror(stdout) == 0) {  // … | head
    open = false;
    bool any = false;
    for (std::size_t i = 0; i < readers.size() && !StopRequested(); ++i) {
      if (readers[i].done) continue;
      client::ReadRequest request;
      request.stream = options.stream;
      request.shard_id = readers[i].shard.shard_id;
      request.from = readers[i].position;
      const auto batch = connection.runtime().BlockOn(ReadOnce(&connection.streams(), request));
      if (!batch.ok() && batch.error().code() == ErrorCode::kOverloaded) {  // the shard's quota of reads
        (void)connection.runtime().BlockOn(async::SleepFor(std::chrono::milliseconds(250)));
        open = true;
        continue;
      }
      if (!batch.ok()) return Fail(batch.error());
      std::vector<client::StreamRecord> records = batch->records;
      if (!options.raw) records = client::OpenAggregates(std::move(records), readers[i].shard);
      for (const client::StreamRecord& record : records) {
        Print(options, readers[i].shard.shard_id, record);
        if (options.limit != 0 && ++printed >= options.limit) return 0;
      }
      any = any || !batch->records.empty();
      if (batch->next.empty()) {
        readers[i].done = true;
        if (!options.shard.empty() || batch->children.empty()) continue;
        const auto now = connection.runtime().BlockOn(Shards(&connection.streams(), options.stream));
        if (!now.ok()) return Fail(now.error());
        AddChildren(*now, batch->children, readers);
        continue;
      }
      readers[i].position = client::FromCursor{batch->next};
      if (!options.follow && batch->records.empty() && batch->behind_latest == Duration::zero()) {
        readers[i].done = true;
        continue;
      }
      open = true;
    }
    std::fflush(stdout);
    if (open && !any && options.follow) {
      (void)connection.runtime().BlockOn(async::SleepFor(std::chrono::milliseconds(100)));
    }
  }
  return 0;
}

void AddReadOptions(CLI::App* command, ReadOptions& options) {
  command->add_option("stream", options.stream, "Name of the stream")->required();
  command->add_option("--shard", options.shard, "Only this shard, e.g. shardId-000000000000");
  command
      ->add_option("--from", options.from,
                   "trim_horizon, latest, a time (2026-11-21T10:00:00+09:00), a span back (-15m), or a "
                   "sequence number to read after")
      ->capture_default_str();
  command->add_option("-n,--limit", options.limit, "Stop after this many records (0: no limit)")
      ->capture_default_str();
  command->add_flag("--raw", options.raw, "Print aggregates of the Kinesis Producer Library as they are");
  command->add_flag("--json", options.json,
                    "Print shard, sequence number, arrival, key and data as one JSON object a line");
  command->add_option("--endpoint", options.endpoint, "Kinesis endpoint of the broker")
      ->capture_default_str()
      ->envname("HONRYU_ENDPOINT");
}

}  // namespace

void AddGetCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<ReadOptions>();
  CLI::App* command = app.add_subcommand("get", "Print the records of a stream up to its end");
  AddReadOptions(command, *options);
  command->footer("Example:\n  honryu get events --from -15m --limit 10");
  command->callback([options, exit_code] { *exit_code = RunRead(*options); });
}

void AddTailCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<ReadOptions>();
  options->from = "latest";
  options->follow = true;
  CLI::App* command = app.add_subcommand("tail", "Print records as they come, until interrupted");
  AddReadOptions(command, *options);
  command->footer("Example:\n  honryu tail kpi | grep page_view");
  command->callback([options, exit_code] { *exit_code = RunRead(*options); });
}

}  // namespace honryu::app
