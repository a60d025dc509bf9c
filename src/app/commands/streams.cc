#include "command.h"
#include "connection.h"

#include <cstdio>
#include <memory>
#include <string>

namespace honryu::app {
namespace {

struct StreamsOptions {
  std::string endpoint = "http://127.0.0.1:4567";
  std::string stream;
  int shards = 4;
};

std::string Body(const StreamsOptions& options, bool with_shards) {
  std::string body;
  codec::JsonWriter writer(body);
  writer.BeginObject();
  writer.Key("StreamName");
  writer.String(options.stream);
  if (with_shards) {
    writer.Key("ShardCount");
    writer.Int(options.shards);
  }
  writer.EndObject();
  return body;
}

std::string Text(const codec::Json& object, std::string_view key) {
  const codec::Json* member = object.Find(key);
  return member == nullptr ? std::string() : std::string(member->StringOr(""));
}

long long Number(const codec::Json& object, std::string_view key) {
  const codec::Json* member = object.Find(key);
  return member == nullptr ? 0 : static_cast<long long>(member->DoubleOr(0));
}

int List(const StreamsOptions& options) {
  Connection connection(options.endpoint);
  StreamsOptions one = options;
  std::string after;
  for (;;) {
    const auto page = connection.Call(
        "ListStreams", after.empty() ? std::string("{\"Limit\":1000}")
                                     : "{\"Limit\":1000,\"ExclusiveStartStreamName\":\"" + after + "\"}");
    if (!page.ok()) return Fail(page.error());
    const codec::Json* names = page->Find("StreamNames");
    if (names == nullptr) return 0;
    for (const codec::Json& name : names->array()) {
      one.stream = after = std::string(name.StringOr(""));
      const auto answer = connection.Call("DescribeStreamSummary", Body(one, false));
      if (!answer.ok() && answer.error().code() == ErrorCode::kNotFound) continue;  // deleted meanwhile
      if (!answer.ok()) return Fail(answer.error());
      const codec::Json* summary = answer->Find("StreamDescriptionSummary");
      if (summary == nullptr)
        return Fail(Error(ErrorCode::kInternal, "answer without StreamDescriptionSummary"));
      std::printf("%-40s %-9s %4lld shards  %5lld h\n", one.stream.c_str(),
                  Text(*summary, "StreamStatus").c_str(), Number(*summary, "OpenShardCount"),
                  Number(*summary, "RetentionPeriodHours"));
    }
    const codec::Json* more = page->Find("HasMoreStreams");
    if (more == nullptr || !more->BoolOr(false)) return 0;
  }
}

int Simple(const StreamsOptions& options, const std::string& operation, bool with_shards, bool print) {
  Connection connection(options.endpoint);
  const auto answer = connection.Call(operation, Body(options, with_shards));
  if (!answer.ok()) return Fail(answer.error());
  if (print) std::puts(answer->Dump().c_str());
  return 0;
}

}  // namespace

void AddStreamsCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<StreamsOptions>();
  CLI::App* streams = app.add_subcommand("streams", "List, create, describe and delete streams");
  streams->add_option("--endpoint", options->endpoint, "Kinesis endpoint of the broker")
      ->capture_default_str()
      ->envname("HONRYU_ENDPOINT");
  streams->require_subcommand(1);
  streams->fallthrough();
  streams->add_subcommand("list", "Names, status, open shards and retention")->callback([options, exit_code] {
    *exit_code = List(*options);
  });
  CLI::App* create = streams->add_subcommand("create", "Create a stream");
  create->add_option("stream", options->stream, "Name")->required();
  create->add_option("--shards", options->shards, "Number of shards")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  create->callback([options, exit_code] { *exit_code = Simple(*options, "CreateStream", true, false); });
  CLI::App* describe = streams->add_subcommand("describe", "Print the description as JSON");
  describe->add_option("stream", options->stream, "Name")->required();
  describe->callback([options, exit_code] { *exit_code = Simple(*options, "DescribeStream", false, true); });
  CLI::App* remove = streams->add_subcommand("delete", "Delete a stream with all its records");
  remove->add_option("stream", options->stream, "Name")->required();
  remove->callback([options, exit_code] { *exit_code = Simple(*options, "DeleteStream", false, false); });
}

}  // namespace honryu::app
