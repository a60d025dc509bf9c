#include "api/search/impl.h"
#include "api/search/uri_search.h"
#include "honryu/client/sequence_counter.h"
#include "honryu/obs/log.h"
#include "honryu/search/api_error.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

namespace honryu::api::search {

namespace {

using codec::JsonWriter;

constexpr std::size_t kMaxIdBytes = 512;
constexpr std::size_t kMaxRecent = 1'000'000;

std::string KeyOf(const Write& write) { return write.index + '\n' + write.id; }

/// Documents of one id go to one shard, in order.
std::string PartitionKey(const Write& write) {
  return std::to_string(std::hash<std::string>{}(KeyOf(write)));
}

void Refuse(Write& write, int status, std::string_view type, std::string_view reason) {
  write.status = status;
  engine::ApiError error;
  error.status = status;
  error.type = type;
  error.reason = reason;
  write.error = std::move(error);
}

void WriteItem(const Write& write, bool with_shards, JsonWriter& out) {
  out.BeginObject();
  out.Key("_index");
  out.String(write.index);
  out.Key("_id");
  if (write.id.empty())
    out.Null();
  else
    out.String(write.id);
  if (write.error) {
    out.Key("status");
    out.Int(write.status);
    out.Key("error");
    out.BeginObject();
    out.Key("type");
    out.String(write.error->type);
    out.Key("reason");
    out.String(write.error->reason);
    out.EndObject();
  } else {
    out.Key("_version");
    out.Int(1);
    out.Key("result");
    out.String(write.result);
    if (with_shards) {
      out.Key("_shards");
      out.Raw(write.result == "noop" ? R"({"total":0,"successful":0,"failed":0})"
                                     : R"({"total":1,"successful":1,"failed":0})");
    }
    out.Key("_seq_no");
    out.Uint(write.sequence);
    out.Key("_primary_term");
    out.Int(1);
    if (write.show_source) {
      out.Key("get");
      out.BeginObject();
      out.Key("_seq_no");
      out.Uint(write.sequence);
      out.Key("_primary_term");
      out.Int(1);
      out.Key("found");
      out.Bool(true);
      out.Key("_source");
      out.Raw(write.source);
      out.EndObject();
    }
    if (write.status != 0) {
      out.Key("status");
      out.Int(write.status);
    }
  }
  out.EndObject();
}

Error Unavailable(const Error& error) {
  if (error.code() == ErrorCode::kOverloaded)
    return Error(ErrorCode::kOverloaded, "es_rejected_execution_exception: " + error.message());
  // The stream of documents is still being made: come again, nothing is wrong with the documents.
  if (error.code() == ErrorCode::kFailedPrecondition || error.code() == ErrorCode::kNotFound)
    return Error(ErrorCode::kUnavailable, "unavailable_shards_exception: " + error.message());
  return error;
}

}  // namespace

std::string SearchApi::Impl::NewId() {
  // Rising, so that the ids of a segment share their beginnings.
  constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  std::uint64_t number = id_counter.fetch_add(1);
  std::string id(12, '0');
  for (std::size_t i = id.size(); i-- > 0;) {
    id[i] = kLetters[number % kLetters.size()];
    number /= kLetters.size();
  }
  return id;
}

async::Task<Result<void>> SearchApi::Impl::AnswerConflicts(std::vector<Write>& writes) {
  const auto concerns = [](const Write& write) {
    return !write.error && !write.id.empty() && write.kind != engine::WriteKind::kAppend;
  };
  std::unordered_map<std::string, bool> there;  // by key, before and between the writes
  std::map<std::string, std::map<std::string, std::string>> to_look_up;  // index -> id -> key
  {
    const std::lock_guard lock(unseen_mutex);
    const MonoTime now = clock.Mono();
    if (recent.size() > kMaxRecent) recent.clear();
    if (recent.size() > recent_limit) {
      std::erase_if(recent, [now](const auto& entry) { return entry.second.until <= now; });
      recent_limit = std::max<std::size_t>(1000, 2 * recent.size());
    }
    for (const Write& write : writes) {
      if (!concerns(write)) continue;
      std::string key = KeyOf(write);
      const auto known = recent.find(key);
      if (known != recent.end() && known->second.until > now)
        there[std::move(key)] = known->second.there;
      else
        to_look_up[write.index][write.id] = std::move(key);
    }
  }
  for (const auto& [index, ids_of] : to_look_up) {
    std::vector<std::string> ids;
    for (const auto& [id, key] : ids_of) ids.push_back(id);
    Result<std::vector<bool>> found = co_await upkeep.Run(
        [this, name = index, ids]() -> Result<std::vector<bool>> { return store.Present(name, ids); });
    if (!found.ok()) co_return found.error();
    for (std::size_t i = 0; i < ids.size(); ++i) there[ids_of.at(ids[i])] = (*found)[i];
  }
  for (Write& write : writes) {
    if (!concerns(write)) continue;
    bool& known = there[KeyOf(write)];
    if (write.kind == engine::WriteKind::kCreate && known) {
      Refuse(write, 409, "version_conflict_engine_exception",
             "[" + write.id + "]: version conflict, document already exists (current version [1])");
      continue;
    }
    if (write.result != "noop")
      write.result = write.kind == engine::WriteKind::kDelete ? (known ? "deleted" : "not_found")
                                                              : (known ? "updated" : "created");
    known = write.kind != engine::WriteKind::kDelete;
  }
  co_return Ok();
}

async::Task<Result<void>> SearchApi::Impl::Log(async::Context ctx, std::vector<Write>& writes,
                                               std::string_view refresh) {
  if (config.document_stream.empty())
    co_return Error(ErrorCode::kPermissionDenied, "security_exception: this server takes no documents here");
  std::vector<client::PutPosition> positions;
  Result<void> logged = co_await PutIntoLog(ctx, writes, positions);
  if (!logged.ok()) co_return logged.error();
  documents.Add(static_cast<double>(positions.size()));
  rejected.Add(static_cast<double>(std::count_if(
      writes.begin(), writes.end(), [](const Write& write) { return write.error.has_value(); })));
  if (positions.empty() || refresh == "false") co_return Ok();
  async::Context wait = ctx;
  wait.deadline = std::min(ctx.deadline, std::chrono::steady_clock::now() + config.visible_timeout);
  Result<void> visible = co_await await_visible(wait, std::move(positions), refresh != "wait_for");
  // The documents are safe; they are only not visible yet.
  if (!visible.ok())
    LOG_LIMITED(warn, "documents did not become visible in time", {"error", visible.error()});
  co_return Ok();
}

// Holds the claims on the ids for as long as it runs.
async::Task<Result<void>> SearchApi::Impl::PutIntoLog(async::Context ctx, std::vector<Write>& writes,
                                                      std::vector<client::PutPosition>& positions) {
  std::vector<std::uint64_t> ids;
  for (const Write& write : writes)
    if (!write.error && !write.id.empty()) ids.push_back(std::hash<std::string>{}(KeyOf(write)));
  Result<IdClaims::Hold> claimed = co_await claims.Claim(ctx, std::move(ids));
  if (!claimed.ok()) co_return claimed.error();
  Result<void> prepared = co_await PrepareUpdates(ctx, writes);
  if (!prepared.ok()) co_return prepared.error();
  Result<void> checked = co_await AnswerConflicts(writes);
  if (!checked.ok()) co_return checked.error();
  std::vector<client::PutEntry> entries;
  std::vector<Write*> sent;
  for (Write& write : writes) {
    if (write.error || write.result == "noop") continue;
    if (write.id.empty()) {
      write.id = NewId();
      write.kind = engine::WriteKind::kAppend;
    }
    engine::LoggedDocument logged;
    logged.index = write.index;
    logged.id = write.id;
    logged.kind = write.kind;
    logged.source = write.source;
    std::string record = engine::EncodeLoggedDocument(logged);
    if (record.size() + 64 > config.max_document.bytes) {
      Refuse(write, 413, "illegal_argument_exception",
             "the document is too large: " + std::to_string(record.size()) + " bytes, limit " +
                 std::to_string(config.max_document.bytes));
      continue;
    }
    client::PutEntry entry;
    entry.partition_key = PartitionKey(write);
    entry.data = Bytes(std::move(record));
    entries.push_back(std::move(entry));
    sent.push_back(&write);
  }
  if (!entries.empty()) {
    async::Context put = ctx;
    put.deadline = std::min(ctx.deadline, std::chrono::steady_clock::now() + config.put_timeout);
    Result<std::vector<Result<client::PutPosition>>> stored =
        co_await client.Put(put, config.document_stream, std::move(entries));
    if (!stored.ok()) co_return Unavailable(stored.error());
    const std::lock_guard lock(unseen_mutex);
    const MonoTime until = clock.Mono() + kRecentFor;
    for (std::size_t i = 0; i < sent.size(); ++i) {
      Write& write = *sent[i];
      const Result<client::PutPosition>& position = (*stored)[i];
      if (!position.ok()) {
        const engine::ApiError error = engine::ToApiError(Unavailable(position.error()));
        Refuse(write, error.status, error.type, error.reason);
        continue;
      }
      write.sequence = client::SequenceCounter(position->sequence);
      if (write.result.empty()) write.result = "created";
      write.status = write.result == "created" ? 201 : write.result == "not_found" ? 404 : 200;
      unseen[position->shard_id] = *position;
      positions.push_back(*position);
      if (write.kind != engine::WriteKind::kAppend)
        recent[KeyOf(write)] = {until, write.kind != engine::WriteKind::kDelete};
    }
  }
  co_return Ok();
}

async::Task<Result<void>> SearchApi::Impl::CatchUp(async::Context ctx) {
  std::map<std::string, client::PutPosition> newest;
  {
    const std::lock_guard lock(unseen_mutex);
    newest = unseen;
  }
  if (newest.empty()) co_return Ok();
  std::vector<client::PutPosition> positions;
  for (const auto& [shard, position] : newest) positions.push_back(position);
  ctx.deadline = std::min(ctx.deadline, std::chrono::steady_clock::now() + config.visible_timeout);
  Result<void> visible = co_await await_visible(std::move(ctx), std::move(positions), true);
  if (!visible.ok()) co_return visible;
  const std::lock_guard lock(unseen_mutex);
  for (const auto& [shard, position] : newest) {
    const auto found = unseen.find(shard);
    if (found != unseen.end() && found->second.sequence == position.sequence) unseen.erase(found);
  }
  co_return Ok();
}

namespace {

/// What `refresh` asks for: "false", "true" or "wait_for".
std::string RefreshOf(const Call& call) {
  const std::string* given = call.request.Query("refresh");
  if (given == nullptr || *given == "false") return "false";
  return *given == "wait_for" ? "wait_for" : "true";
}

/// What an update asks for; its document is made when the present one is known (PrepareUpdates).
void ReadUpdate(Write& write, BytesView body, bool show_source) {
  write.kind = engine::WriteKind::kIndex;
  const auto update = ParseUpdateBody(body);
  if (!update.ok()) {
    const engine::ApiError error = engine::ToApiError(update.error());
    return Refuse(write, error.status, error.type, error.reason);
  }
  write.update = *update;
  write.source = update->upsert.empty() ? update->doc : update->upsert;
  write.show_source = show_source || update->show_source;
  if (write.id.empty())
    Refuse(write, 400, "action_request_validation_exception", "Validation Failed: 1: id is missing;");
}

/// if_seq_no of a request; false when it is no number.
bool ReadIfSeqNo(const Call& call, Write& write) {
  const std::string* given = call.request.Query("if_seq_no");
  if (given == nullptr) return true;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), number);
  if (error != std::errc() || end != given->data() + given->size()) return false;
  // There is one term: another one is of some other index.
  write.if_seq_no = call.Param("if_primary_term", "1") == "1" ? number : ~std::uint64_t{0};
  return true;
}

engine::WriteKind KindOf(std::string_view action, std::string_view id) {
  if (id.empty()) return engine::WriteKind::kAppend;
  if (action == "create") return engine::WriteKind::kCreate;
  if (action == "delete") return engine::WriteKind::kDelete;
  return engine::WriteKind::kIndex;
}

void Check(Write& write, const IndexSettings& settings, const engine::Store& store, std::int64_t now_ms) {
  if (write.error) return;
  if (write.index.starts_with('<')) {
    auto plain = engine::ExpandIndexDates(write.index, now_ms);
    if (!plain.ok()) {
      const engine::ApiError error = engine::ToApiError(plain.error());
      return Refuse(write, error.status, error.type, error.reason);
    }
    write.index = std::move(*plain);
  }
  if (write.index.empty()) {
    Refuse(write, 400, "action_request_validation_exception", "Validation Failed: 1: index is missing;");
    return;
  }
  if (write.require_alias && !settings.HasAlias(write.index)) {
    Refuse(write, 404, "index_not_found_exception",
           "no such index [" + write.index + "] and [require_alias] request flag is [true] and [" +
               write.index + "] is not an alias");
    return;
  }
  const auto index = settings.WriteIndex(write.index);
  if (!index.ok()) {
    const engine::ApiError error = engine::ToApiError(index.error());
    Refuse(write, error.status, error.type, error.reason);
    return;
  }
  write.index = *index;
  if (const auto name = engine::CheckIndexName(write.index); !name.ok()) {
    const engine::ApiError error = engine::ToApiError(name.error());
    Refuse(write, error.status, error.type, error.reason);
    return;
  }
  if (write.id.size() > kMaxIdBytes) {
    Refuse(write, 400, "illegal_argument_exception",
           "id is too long, must be no longer than 512 bytes but was: " + std::to_string(write.id.size()));
    return;
  }
  if (write.kind == engine::WriteKind::kDelete) return;
  Result<void> sound = CheckSource(write.source);
  if (sound.ok()) sound = store.CheckFields(write.index, write.source);
  if (sound.ok() && write.update) sound = store.CheckFields(write.index, write.update->doc);
  if (!sound.ok()) {
    const engine::ApiError error = engine::ToApiError(sound.error());
    Refuse(write, error.status, error.type, error.reason);
  }
}

}  // namespace

async::Task<Answer> SearchApi::Impl::Bulk(const Call& call) {
  if (call.method != "POST" && call.method != "PUT")
    co_return Answer::Failed(405, "illegal_argument_exception", "_bulk takes POST and PUT");
  const MonoTime begin = std::chrono::steady_clock::now();
  const std::string default_index(call.Part(0).starts_with('_') ? "" : call.Part(0));
  struct Parsed {
    std::vector<Write> writes;
  };
  // Views in the writes point into the request's body, which the shared slice keeps alive on the pool.
  Result<std::shared_ptr<Parsed>> parsed =
      co_await upkeep.Run([this, body = call.request.body, default_index,
                           require_alias = call.Flag("require_alias")]() -> Result<std::shared_ptr<Parsed>> {
        HONRYU_TRY(auto items, ParseBulkBody(body.view(), default_index, config.max_bulk_items));
        auto result = std::make_shared<Parsed>();
        for (BulkItem& item : items) {
          Write write;
          write.require_alias = item.require_alias.value_or(require_alias);
          write.action = item.action;
          write.index = std::move(item.index);
          write.id = std::move(item.id);
          write.source = item.source;
          write.kind = KindOf(write.action, write.id);
          write.if_seq_no = item.if_seq_no;
          if (write.action == "update") ReadUpdate(write, item.source, false);
          if (write.action == "delete" && write.id.empty())
            Refuse(write, 400, "action_request_validation_exception", "Validation Failed: 1: id is missing;");
          Check(write, settings, store, ToMs(clock.Now()));
          result->writes.push_back(std::move(write));
        }
        return result;
      });
  if (!parsed.ok()) co_return Answer::Failed(parsed.error());
  std::vector<Write>& writes = (*parsed)->writes;
  Result<void> logged = co_await Log(call.ctx, writes, RefreshOf(call));
  if (!logged.ok()) co_return Answer::Failed(logged.error());
  const bool errors =
      std::any_of(writes.begin(), writes.end(), [](const Write& write) { return write.error.has_value(); });
  // Shippers look for this very text, in this order and without blanks.
  std::string body = R"({"took":)" + std::to_string(ToMs(std::chrono::steady_clock::now() - begin)) +
                     R"(,"errors":)" + (errors ? "true" : "false") + R"(,"items":[)";
  bool first = true;
  for (const Write& write : writes) {
    if (!first) body += ',';
    first = false;
    JsonWriter out(body);
    out.BeginObject();
    out.Key(write.action);
    WriteItem(write, true, out);
    out.EndObject();
  }
  body += "]}";
  co_return Answer::Json(std::move(body));
}

// Checks the one write of `writes`, puts it into the log, and says what came of it.
async::Task<Answer> SearchApi::Impl::LogOne(const Call& call, std::vector<Write> writes) {
  Write& write = writes[0];
  Check(write, settings, store, ToMs(clock.Now()));
  if (!write.error) {
    Result<void> logged = co_await Log(call.ctx, writes, RefreshOf(call));
    if (!logged.ok()) co_return Answer::Failed(logged.error(), write.index);
  }
  if (write.error)
    co_return Answer::Failed(write.status, write.error->type, write.error->reason, write.index);
  const int status = std::exchange(write.status, 0);
  Answer answer;
  answer.status = status;
  JsonWriter out(answer.body);
  WriteItem(write, true, out);
  co_return answer;
}

async::Task<Answer> SearchApi::Impl::WriteDocument(const Call& call) {
  if (call.method != "POST" && call.method != "PUT")
    co_return Answer::Failed(405, "illegal_argument_exception", "documents are written by POST and PUT");
  std::vector<Write> writes(1);
  Write& write = writes[0];
  write.require_alias = call.Flag("require_alias");
  write.index = call.Part(0);
  write.id = call.Part(2);
  const bool create = call.Part(1) == "_create" || call.Param("op_type") == "create";
  write.action = create ? "create" : "index";
  write.source = call.request.body.view();
  if (write.id.empty() && (call.method == "PUT" || call.Part(1) == "_create"))
    co_return Answer::Failed(400, "illegal_argument_exception", "the id is missing");
  write.kind = KindOf(write.action, write.id);
  if (!ReadIfSeqNo(call, write))
    co_return Answer::Failed(400, "illegal_argument_exception", "if_seq_no must be a number");
  Answer answer = co_await LogOne(call, std::move(writes));
  co_return answer;
}

async::Task<Answer> SearchApi::Impl::UpdateDocument(const Call& call) {
  std::vector<Write> writes(1);
  Write& write = writes[0];
  write.action = "update";
  write.index = call.Part(0);
  write.id = call.Part(2);
  ReadUpdate(write, call.request.body.view(), call.Flag("_source"));
  if (!ReadIfSeqNo(call, write))
    co_return Answer::Failed(400, "illegal_argument_exception", "if_seq_no must be a number");
  Answer answer = co_await LogOne(call, std::move(writes));
  co_return answer;
}

async::Task<Answer> SearchApi::Impl::DeleteDocument(const Call& call) {
  std::vector<Write> writes(1);
  Write& write = writes[0];
  write.action = "delete";
  write.index = call.Part(0);
  write.id = call.Part(2);
  write.kind = engine::WriteKind::kDelete;
  if (!ReadIfSeqNo(call, write))
    co_return Answer::Failed(400, "illegal_argument_exception", "if_seq_no must be a number");
  if (write.id.empty()) co_return Answer::Failed(400, "illegal_argument_exception", "the id is missing");
  Answer answer = co_await LogOne(call, std::move(writes));
  co_return answer;
}

async::Task<Answer> SearchApi::Impl::Refresh(const Call& call) {
  if (!call.Part(0).starts_with('_')) {
    const auto names = Names(call.Part(0), call.missing());
    if (!names.ok()) co_return Answer::Failed(names.error(), call.Part(0));
  }
  Result<void> caught_up = co_await CatchUp(call.ctx);
  if (!caught_up.ok()) co_return Answer::Failed(caught_up.error());
  Result<void> refreshed = co_await await_visible(call.ctx, {}, true);
  if (!refreshed.ok()) co_return Answer::Failed(refreshed.error());
  co_return Answer::Json(R"({"_shards":{"total":1,"successful":1,"failed":0}})");
}

}  // namespace honryu::api::search
