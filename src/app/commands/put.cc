#include "command.h"
#include "connection.h"
#include "honryu/base/random.h"
#include "honryu/client/aggregation.h"

#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace honryu::app {
namespace {

struct PutOptions {
  std::string endpoint = "http://127.0.0.1:4567";
  std::string stream;
  std::string key;
  std::vector<std::string> data;
  bool lines = false;
  bool aggregate = false;
};

using Results = Result<std::vector<Result<client::PutPosition>>>;

async::Task<Results> PutAll(client::StreamClient* streams, std::string stream,
                            std::vector<client::PutEntry> entries) {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
  Results done = co_await streams->Put(ctx, std::move(stream), std::move(entries));
  co_return done;
}

async::Task<Results> PutAggregated(client::AggregatingWriter* writer, std::vector<client::PutEntry> entries) {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
  Results done = co_await writer->Put(ctx, std::move(entries));
  co_return done;
}

// Sends one batch and prints a line per record; returns the number of failures.
int SendBatch(Connection& connection, client::AggregatingWriter& writer, const PutOptions& options,
              std::vector<client::PutEntry> entries) {
  const Results done = connection.runtime().BlockOn(
      options.aggregate ? PutAggregated(&writer, std::move(entries))
                        : PutAll(&connection.streams(), options.stream, std::move(entries)));
  if (!done.ok()) return Fail(done.error());
  int failures = 0;
  for (const Result<client::PutPosition>& result : *done) {
    if (result.ok()) {
      std::printf("%s %s\n", result->shard_id.c_str(), result->sequence.ToDecimal().c_str());
    } else {
      failures += Fail(result.error());
    }
  }
  return failures;
}

client::PutEntry Entry(const PutOptions& options, std::string data) {
  client::PutEntry entry;
  entry.partition_key = options.key.empty() ? RandomUuid() : options.key;
  entry.data = Bytes(std::move(data));
  return entry;
}

int RunPut(const PutOptions& options) {
  Connection connection(options.endpoint);
  client::AggregatingWriter writer(connection.streams(), options.stream);
  std::vector<client::PutEntry> entries;
  for (const std::string& data : options.data) entries.push_back(Entry(options, data));
  int failures = 0;
  if (options.data.empty()) {
    std::string line;
    if (!options.lines) {
      line.assign(std::istreambuf_iterator<char>(std::cin), {});
      entries.push_back(Entry(options, line));
    } else {
      const std::size_t kBatch = options.aggregate ? 10000 : 500;  // one PutRecords call is 500 records
      while (std::getline(std::cin, line)) {
        entries.push_back(Entry(options, line));
        if (entries.size() < kBatch) continue;
        failures += SendBatch(connection, writer, options, std::move(entries));
        entries.clear();
      }
    }
  }
  if (!entries.empty()) failures += SendBatch(connection, writer, options, std::move(entries));
  return failures == 0 ? 0 : 1;
}

}  // namespace

void AddPutCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<PutOptions>();
  CLI::App* command =
      app.add_subcommand("put", "Write records to a stream; prints shard and sequence number of each");
  command->add_option("stream", options->stream, "Name of the stream")->required();
  command->add_option("data", options->data,
                      "Records; without any, standard input is one record (or one a line, with --lines)");
  command->add_option("-k,--key", options->key, "Partition key; a random one per record if not given");
  command->add_flag("-l,--lines", options->lines, "Every line of standard input is a record");
  command->add_flag("-a,--aggregate", options->aggregate,
                    "Pack records as the Kinesis Producer Library does: far fewer, and larger, of them");
  command->add_option("--endpoint", options->endpoint, "Kinesis endpoint of the broker")
      ->capture_default_str()
      ->envname("HONRYU_ENDPOINT");
  command->footer(
      "Examples:\n  honryu put events '{\"event_type\":\"test\"}' --key user-1\n  tail -f app.log | honryu "
      "put logs --lines");
  command->callback([options, exit_code] { *exit_code = RunPut(*options); });
}

}  // namespace honryu::app
