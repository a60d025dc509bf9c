#include "command.h"
#include "connection.h"
#include "honryu/base/units.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/json_scan.h"
#include "honryu/consumer/redrive.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace honryu::app {
namespace {

struct DlqOptions {
  std::string endpoint = "http://127.0.0.1:4567";
  std::string application;
  std::string stream;  ///< Of dead letters; empty: the application's.
  std::string from, to;
  std::string source, shard, reason;
  std::vector<std::string> ids;
  std::string id;
  std::string destination;
  std::size_t limit = 20;
  bool json = false, raw = false, all = false, again = false, dry_run = false;
};

/// "-15m" is a span back from now; anything else a time. Empty: nothing.
Result<std::optional<Timestamp>> ParseTime(const std::string& text) {
  if (text.empty()) return std::optional<Timestamp>();
  if (text[0] == '-') {
    HONRYU_TRY(const Duration back, ParseDuration(text.substr(1)));
    return std::optional<Timestamp>(SystemClock().Now() - std::chrono::milliseconds(ToMs(back)));
  }
  HONRYU_TRY(const Timestamp time, ParseTimestamp(text));
  return std::optional<Timestamp>(time);
}

Result<consumer::LetterFilter> FilterOf(const DlqOptions& options) {
  consumer::LetterFilter filter;
  filter.ids.insert(options.ids.begin(), options.ids.end());
  if (!options.id.empty()) filter.ids.insert(options.id);
  filter.stream = options.source;
  filter.shard = options.shard;
  filter.reason = options.reason;
  HONRYU_TRY(filter.from, ParseTime(options.from));
  HONRYU_TRY(filter.to, ParseTime(options.to));
  return filter;
}

std::string StreamOf(const DlqOptions& options) {
  return options.stream.empty() ? consumer::DeadLetterStreamOf(options.application) : options.stream;
}

/// Data that is text as a text, other data in base64.
void WriteData(codec::JsonWriter& writer, BytesView data) {
  std::string quoted;
  codec::AppendJsonString(data, quoted);
  codec::JsonScanner scanner;
  // The writer replaces what is no UTF-8: then it does not read back.
  const bool text = scanner.Scan(quoted, 0) && codec::UnescapeJsonString(quoted) == data;
  writer.Key(text ? "data" : "data_base64");
  if (text) {
    writer.Raw(quoted);
  } else {
    writer.PlainString(codec::Base64Encode(data));
  }
}

std::string JsonOf(const consumer::StoredLetter& stored, bool with_data) {
  const consumer::DeadLetter& letter = stored.letter.letter;
  std::string line;
  codec::JsonWriter writer(line);
  const auto text = [&writer](std::string_view key, std::string_view value) {
    writer.Key(key);
    writer.String(value);
  };
  writer.BeginObject();
  text("id", stored.letter.id);
  text("status", consumer::LetterStatusName(stored.status));
  text("reason", stored.letter.reason);
  text("message", letter.message);
  writer.Key("attempts");
  writer.Int(letter.attempts);
  text("first_failure", FormatTimestamp(letter.first_failure));
  text("last_failure", FormatTimestamp(letter.last_failure));
  text("application", letter.application);
  text("stream", letter.stream);
  text("shard", letter.shard_id);
  text("sequence", letter.record.sequence.ToDecimal());
  writer.Key("sub_sequence");
  writer.Uint(letter.record.sub_sequence);
  text("arrival", FormatTimestamp(letter.record.arrival));
  text("partition_key", letter.record.partition_key);
  writer.Key("size");
  writer.Uint(stored.letter.size);
  if (with_data) WriteData(writer, letter.record.data);
  writer.EndObject();
  return line;
}

void PrintCounts(const char* what, const std::map<std::string, std::size_t>& counts) {
  if (counts.empty()) return;
  std::printf("  %s:", what);
  for (const auto& [name, count] : counts) std::printf("  %s %zu", name.c_str(), count);
  std::printf("\n");
}

void PrintSummary(const std::string& stream, const consumer::LetterSummary& summary) {
  std::printf("%s: %zu letters, %zu bytes", stream.c_str(), summary.letters, summary.bytes);
  if (summary.oldest)
    std::printf(", %s to %s", FormatTimestamp(*summary.oldest).c_str(),
                FormatTimestamp(*summary.newest).c_str());
  std::printf("\n");
  PrintCounts("by reason", summary.by_reason);
  PrintCounts("by status", summary.by_status);
  if (summary.by_application.size() > 1) PrintCounts("by application", summary.by_application);
  if (summary.foreign > 0) std::printf("  other records: %zu\n", summary.foreign);
}

Result<consumer::LetterList> Read(Connection& connection, const DlqOptions& options,
                                  const std::string& stream, std::size_t limit, bool with_data) {
  consumer::LetterScan scan;
  scan.stream = stream;
  HONRYU_TRY(scan.filter, FilterOf(options));
  scan.limit = limit;
  scan.with_data = with_data;
  return connection.runtime().BlockOn(consumer::ListDeadLetters(connection.streams(), std::move(scan)));
}

Result<std::vector<std::string>> DeadLetterStreams(Connection& connection) {
  std::vector<std::string> found;
  std::string after;
  for (bool more = true; more;) {
    std::string body;
    codec::JsonWriter writer(body);
    writer.BeginObject();
    writer.Key("Limit");
    writer.Int(1000);
    if (!after.empty()) {
      writer.Key("ExclusiveStartStreamName");
      writer.String(after);
    }
    writer.EndObject();
    HONRYU_TRY(const codec::Json page, connection.Call("ListStreams", body));
    const codec::Json* const names = page.Find("StreamNames");
    if (names == nullptr || names->array().empty()) break;
    for (const codec::Json& name : names->array()) {
      after = name.StringOr("");
      if (after.ends_with("-dead-letters")) found.push_back(after);
    }
    const codec::Json* const rest = page.Find("HasMoreStreams");
    more = rest != nullptr && rest->BoolOr(false);
  }
  return found;
}

int List(const DlqOptions& options) {
  Connection connection(options.endpoint);
  std::vector<std::string> streams = {StreamOf(options)};
  const bool all = options.application.empty() && options.stream.empty();
  if (all) {
    Result<std::vector<std::string>> found = DeadLetterStreams(connection);
    if (!found.ok()) return Fail(found.error());
    streams = std::move(*found);
    if (streams.empty()) std::printf("no dead letters\n");
  }
  for (const std::string& stream : streams) {
    const auto list = Read(connection, options, stream, all ? 0 : options.limit, false);
    if (!list.ok() && list.error().code() == ErrorCode::kNotFound && options.stream.empty()) {
      std::printf("no dead letters: there is no stream %s\n", stream.c_str());
      continue;
    }
    if (!list.ok()) return Fail(list.error());
    for (const consumer::StoredLetter& stored : list->letters) {
      if (options.json) {
        std::puts(JsonOf(stored, false).c_str());
        continue;
      }
      const consumer::DeadLetter& letter = stored.letter.letter;
      std::printf("%s  %s  %-9s  %-10s  %3d x  %s/%s  %s  %zu bytes  %s\n", stored.letter.id.c_str(),
                  FormatTimestamp(letter.last_failure).c_str(),
                  std::string(consumer::LetterStatusName(stored.status)).c_str(),
                  stored.letter.reason.c_str(), letter.attempts, letter.stream.c_str(),
                  letter.shard_id.c_str(), letter.record.partition_key.c_str(), stored.letter.size,
                  letter.message.substr(0, 100).c_str());
    }
    if (!options.json) PrintSummary(stream, list->summary);
  }
  return 0;
}

int Show(const DlqOptions& options) {
  Connection connection(options.endpoint);
  const std::string stream = StreamOf(options);
  const auto list = Read(connection, options, stream, 2, true);
  if (!list.ok()) return Fail(list.error());
  if (list->letters.empty())
    return Fail(Error(ErrorCode::kNotFound, "no letter " + options.id + " in stream " + stream));
  if (list->letters.size() > 1)
    return Fail(Error(ErrorCode::kInvalidArgument, "several letters begin with " + options.id));
  const consumer::StoredLetter& stored = list->letters.front();
  if (options.raw) {
    const Bytes& data = stored.letter.letter.record.data;
    std::fwrite(data.data(), 1, data.size(), stdout);
    return 0;
  }
  std::puts(JsonOf(stored, true).c_str());
  return 0;
}

bool TellProgress(const consumer::RedriveProgress& progress) {
  if (progress.done + progress.refused == 0) {
    std::fprintf(stderr, "%zu letters to put back\n", progress.chosen);
  } else {
    std::fprintf(stderr, "%zu of %zu put back\n", progress.done, progress.chosen);
  }
  return !StopRequested();
}

int RunRedrive(const DlqOptions& options) {
  const bool filtered = !options.ids.empty() || !options.reason.empty() || !options.from.empty() ||
                        !options.to.empty() || !options.source.empty() || !options.shard.empty();
  if (filtered == options.all) {
    return Fail(Error(ErrorCode::kInvalidArgument,
                      options.all
                          ? "--all and a filter exclude each other"
                          : "say which letters: --all, or --id, --reason, --from, --to, --source, --shard"));
  }
  InstallStopSignals();
  Connection connection(options.endpoint);
  consumer::RedriveRequest request;
  request.stream = StreamOf(options);
  Result<consumer::LetterFilter> filter = FilterOf(options);
  if (!filter.ok()) return Fail(filter.error());
  request.filter = std::move(*filter);
  request.again = options.again;
  request.destination = options.destination;
  const bool dry_run = options.dry_run;
  const auto done = connection.runtime().BlockOn(consumer::Redrive(
      connection.streams(), std::move(request), SystemClock(),
      [dry_run](const consumer::RedriveProgress& progress) { return TellProgress(progress) && !dry_run; }));
  if (!done.ok()) return Fail(done.error());
  std::printf("%zu put back, %zu left out as put back before, %zu uncertain, %zu refused\n", done->done,
              done->skipped, done->uncertain, done->refused);
  if (done->uncertain > 0)
    std::fprintf(stderr, "uncertain: an earlier redrive was cut off with them; --again puts them back\n");
  if (StopRequested()) std::fprintf(stderr, "interrupted; the same command goes on where this one stopped\n");
  return done->refused > 0 || StopRequested() ? 1 : 0;
}

void AddFilterOptions(CLI::App* command, DlqOptions& options) {
  command->add_option("--from", options.from, "Only what failed since then: a time, or a span back (-15m)");
  command->add_option("--to", options.to, "Only what failed before then");
  command->add_option("--reason", options.reason, "Only of this reason: handler, expired, unopenable");
  command->add_option("--source", options.source, "Only of records of this stream");
  command->add_option("--shard", options.shard, "Only of records of this shard");
}

}  // namespace

void AddDlqCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<DlqOptions>();
  CLI::App* dlq = app.add_subcommand("dlq", "Dead letters: records that an application could not process");
  dlq->add_option("--endpoint", options->endpoint, "Kinesis endpoint of the broker")
      ->capture_default_str()
      ->envname("HONRYU_ENDPOINT");
  dlq->add_option("--stream", options->stream, "Dead-letter stream, if it is not <application>-dead-letters");
  dlq->require_subcommand(1);
  dlq->fallthrough();
  dlq->footer(
      "Examples:\n  honryu dlq list\n  honryu dlq list billing --from -1h\n  honryu dlq show billing "
      "5f1c09ab\n"
      "  honryu dlq redrive billing --reason handler");
  CLI::App* list = dlq->add_subcommand("list", "The newest letters of an application, and sums by reason");
  list->add_option("application", options->application, "Whose; none: the sums of all applications");
  list->add_option("-n,--limit", options->limit, "Print at most so many letters")->capture_default_str();
  list->add_flag("--json", options->json, "One JSON object a line");
  AddFilterOptions(list, *options);
  list->callback([options, exit_code] { *exit_code = List(*options); });
  CLI::App* show = dlq->add_subcommand("show", "One letter with its data, as JSON");
  show->add_option("application", options->application, "Whose")->required();
  show->add_option("id", options->id, "Its id, or the beginning of it")->required();
  show->add_flag("--raw", options->raw, "Print the data alone, as it is");
  show->callback([options, exit_code] { *exit_code = Show(*options); });
  CLI::App* redrive = dlq->add_subcommand("redrive", "Put letters back into the stream that they came from");
  redrive->add_option("application", options->application, "Whose")->required();
  redrive->add_flag("--all", options->all, "All that were not put back yet");
  redrive->add_option("--id", options->ids, "Only these (or those that begin so)");
  AddFilterOptions(redrive, *options);
  redrive->add_option("--into", options->destination, "Another stream to put them into");
  redrive->add_flag("--again", options->again, "Also what was, or may have been, put back before");
  redrive->add_flag("--dry-run", options->dry_run, "Only tell how many letters it would be");
  redrive->callback([options, exit_code] { *exit_code = RunRedrive(*options); });
}

}  // namespace honryu::app
