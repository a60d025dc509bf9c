#include "api/search/impl.h"
#include "api/search/uri_search.h"
#include "honryu/codec/json_scan.h"
#include "honryu/obs/log.h"
#include "honryu/search/api_error.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

namespace honryu::api::search {

namespace {

using codec::Json;
using codec::JsonWriter;

/// Of a shard as the store names it: "events.0.6920a3c1" (docs/search-design.md).
std::string StreamOf(std::string_view shard) {
  const auto last = shard.rfind('.');
  const auto middle = last == std::string_view::npos || last == 0 ? last : shard.rfind('.', last - 1);
  return std::string(shard.substr(0, middle));
}

/// Matches of both: a query, and a filter's JSON.
Result<Json> Both(const Json& query, std::string_view filter) {
  HONRYU_TRY(auto parsed, Json::Parse(filter));
  Json::Object clauses;
  clauses.emplace_back("filter", Json(Json::Array{query, std::move(parsed)}));
  return Json(Json::Object{{"bool", Json(std::move(clauses))}});
}

}  // namespace

async::Task<std::string> SearchApi::Impl::LogCopies(async::Context ctx, std::vector<std::string> shards,
                                                    Timestamp at) {
  std::set<std::string> streams;
  for (const std::string& shard : shards) streams.insert(StreamOf(shard));
  std::string body;
  JsonWriter out(body);
  out.BeginArray();
  for (const std::string& stream : streams) {
    Result<Duration> retention = co_await client.RetentionOf(ctx, stream);
    out.BeginObject();
    out.Key("stream");
    out.String(stream);
    if (retention.ok()) {
      out.Key("retention_hours");
      out.Int(std::chrono::duration_cast<std::chrono::hours>(*retention).count());
      // Every record that was erased here is older than the erasure.
      out.Key("readable_until");
      out.PlainString(FormatTimestamp(std::chrono::time_point_cast<Timestamp::duration>(at + *retention)));
    } else {
      out.Key("error");
      out.String("how long it is kept is not known: " + retention.error().message());
    }
    out.EndObject();
  }
  out.EndArray();
  co_return body;
}

async::Task<Result<void>> SearchApi::Impl::LogErasure(async::Context ctx, std::string id,
                                                      std::string record) {
  std::vector<client::PutEntry> entries(1);
  entries[0].partition_key = id;
  entries[0].data = Bytes(record);
  ctx.deadline = std::min(ctx.deadline, std::chrono::steady_clock::now() + config.put_timeout);
  Result<std::vector<Result<client::PutPosition>>> put =
      co_await client.Put(ctx, config.erasure_stream, std::move(entries));
  if (!put.ok()) co_return put.error();
  if (!(*put)[0].ok()) co_return (*put)[0].error();
  co_return Ok();
}

async::Task<Answer> SearchApi::Impl::DeleteByQuery(const Call& call) {
  const MonoTime begin = std::chrono::steady_clock::now();
  Result<Json> body = SearchBody(call.request);
  if (!body.ok()) co_return Answer::Failed(body.error());
  const Json* query = body->Find("query");
  if (query == nullptr)
    co_return Answer::Failed(400, "action_request_validation_exception",
                             "Validation Failed: 1: query is missing;");
  const MonoTime asked = clock.Mono();
  // What was acknowledged before this request is subject to it.
  Result<void> caught_up = co_await CatchUp(call.ctx);
  if (!caught_up.ok()) co_return Answer::Failed(caught_up.error());
  const auto [indices, filters] = settings.Reach(call.Part(0));
  // Behind aliases with filters each index has a query of its own: an erasure for each of them.
  const auto names = NamesAmong(indices, call.missing());
  if (!names.ok()) co_return Answer::Failed(names.error(), call.Part(0));
  std::map<std::string, std::string> targets;  // query -> indices
  for (const std::string& name : *names) {
    const auto filter = filters.find(name);
    const Result<Json> narrowed = filter != filters.end() ? Both(*query, filter->second) : *query;
    if (!narrowed.ok()) co_return Answer::Failed(narrowed.error());
    std::string& list = targets[Json(Json::Object{{"query", *narrowed}}).Dump()];
    list += (list.empty() ? "" : ",") + name;
  }
  if (filters.empty()) {
    targets.clear();
    targets.emplace(Json(Json::Object{{"query", *query}}).Dump(), indices);
  }
  struct Made {
    std::vector<engine::EraseReceipt> receipts;
    std::optional<Error> failed;
  };
  Result<Made> erased = co_await upkeep.RunInTurn([this, targets]() -> Result<Made> {
    Made made;
    for (const auto& [text, list] : targets) {
      auto receipt = store.Erase(list, text);
      if (!receipt.ok()) {
        made.failed = receipt.error();
        break;
      }
      made.receipts.push_back(std::move(*receipt));
    }
    return made;
  });
  if (!erased.ok()) co_return Answer::Failed(erased.error(), call.Part(0));
  const std::vector<engine::EraseReceipt>& receipts = erased->receipts;
  std::uint64_t documents_gone = 0;
  for (const auto& receipt : receipts) documents_gone += receipt.documents;
  if (documents_gone > 0) {
    const auto reached = NamesAmong(indices, kIgnoreMissing);  // also what came since
    contexts.CloseOver(reached.ok() ? *reached : *names);
  }
  // Of several erasures the first may have been made.
  if (erased->failed) co_return Answer::Failed(*erased->failed, call.Part(0));
  {
    // What was written lately before that is visible now, or erased: the store knows better which ids are
    // taken.
    const std::lock_guard lock(unseen_mutex);
    std::erase_if(recent, [asked](const auto& entry) { return entry.second.until <= asked + kRecentFor; });
  }
  std::vector<std::string> logs;
  for (const auto& receipt : receipts) {
    LOG(info, "documents erased", {"indices", indices}, {"documents", receipt.documents},
        {"segments", receipt.segments_rewritten}, {"left", receipt.left}, {"erasure", receipt.id},
        {"request", call.request.request_id});
    if (!config.erasure_stream.empty()) {
      Result<void> noted = co_await LogErasure(call.ctx, receipt.id, receipt.record);
      if (!noted.ok())
        co_return Answer::Failed(503, "unavailable_shards_exception",
                                 "the documents are gone here, but the erasure could not be noted in the log "
                                 "for other copies of the store; repeat it: " +
                                     noted.error().message());
    }
    std::string log = co_await LogCopies(call.ctx, receipt.shards, receipt.at);
    logs.push_back(std::move(log));
  }
  std::string text;
  JsonWriter out(text);
  const auto number = [&out](std::string_view name, std::uint64_t value) {
    out.Key(name);
    out.Uint(value);
  };
  out.BeginObject();
  out.Key("took");
  out.Int(ToMs(std::chrono::steady_clock::now() - begin));
  out.Key("timed_out");
  out.Bool(false);
  number("total", documents_gone);
  number("deleted", documents_gone);
  number("batches", 1);
  number("version_conflicts", 0);
  number("noops", 0);
  out.Key("retries");
  out.Raw(R"({"bulk":0,"search":0})");
  number("throttled_millis", 0);
  number("throttled_until_millis", 0);
  out.Key("failures");
  out.Raw("[]");
  // The proof: what was rewritten, that nothing is found any more, and where a copy still is.
  const auto write_receipt = [&](const engine::EraseReceipt& receipt, std::string_view of,
                                 std::string_view log) {
    out.BeginObject();
    out.Key("id");
    out.String(receipt.id);
    out.Key("request");
    out.String(call.request.request_id);
    out.Key("time");
    out.PlainString(FormatTimestamp(receipt.at));
    out.Key("indices");
    out.String(of);
    number("documents", receipt.documents);
    number("segments_rewritten", receipt.segments_rewritten);
    number("left", receipt.left);
    number("quarantined_segments", receipt.quarantined_segments);
    BytesView up_to;
    if (codec::FindMember(receipt.record, "positions", &up_to)) {
      out.Key("up_to");
      out.Raw(up_to);
    }
    out.Key("log");
    out.Raw(log);
    if (!config.erasure_stream.empty()) {
      out.Key("noted_in");
      out.String(config.erasure_stream);
    }
    out.EndObject();
  };
  out.Key(targets.size() == 1 ? "receipt" : "receipts");
  if (targets.size() != 1) out.BeginArray();
  std::size_t at = 0;
  for (const auto& [erased_query, list] : targets) {
    write_receipt(receipts[at], list, logs[at]);
    ++at;
  }
  if (targets.size() != 1) out.EndArray();
  out.EndObject();
  co_return Answer::Json(std::move(text));
}

}  // namespace honryu::api::search
