#include "api/search/impl.h"
#include "api/search/uri_search.h"
#include "honryu/codec/json_scan.h"
#include "honryu/search/api_error.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace honryu::api::search {

namespace {

using codec::Json;

/// Ids of one search for documents.
constexpr std::size_t kIdsOfSearch = 1000;

void Refuse(Write& write, int status, std::string_view type, std::string_view reason) {
  write.status = status;
  engine::ApiError error;
  error.status = status;
  error.type = type;
  error.reason = reason;
  write.error = std::move(error);
}

/// A document while the writes of a request go over it one by one.
struct State {
  bool there = false;
  bool fresh = false;  ///< Written by this request: its place in the log is not known yet.
  std::uint64_t sequence = 0;
  Bytes owner;  ///< Of `source`, unless that is a view into the request.
  BytesView source;
};

void Apply(Write& write, const State& state) {
  const UpdateBody& update = *write.update;
  if (!state.there) {
    if (update.doc_as_upsert) {
      write.source = update.doc;
    } else if (!update.upsert.empty()) {
      write.source = update.upsert;
    } else {
      Refuse(write, 404, "document_missing_exception", "[" + write.id + "]: document missing");
    }
    return;
  }
  std::optional<std::string> merged = MergeDocuments(state.source, update.doc);
  if (!merged.has_value() && update.detect_noop) {
    write.result = "noop";
    write.status = 200;
    write.sequence = state.sequence;
  }
  write.merged = merged.has_value() ? Bytes(std::move(*merged)) : Bytes(std::string(state.source));
  write.source = write.merged.view();
}

}  // namespace

async::Task<Result<std::map<std::string, SearchApi::Impl::Present>>> SearchApi::Impl::FindDocuments(
    async::Context ctx, std::string index, std::vector<std::string> ids) {
  std::map<std::string, Present> documents_found;
  const auto names = store.IndexNames("*");
  if (names.ok() && !std::binary_search(names->begin(), names->end(), index)) co_return documents_found;
  for (std::size_t begin = 0; begin < ids.size(); begin += kIdsOfSearch) {
    Json::Array values;
    for (std::size_t i = begin; i < std::min(ids.size(), begin + kIdsOfSearch); ++i)
      values.push_back(JsonString(ids[i]));
    Json body{Json::Object{}};
    SetMember(body, "size", Json(Json::Value(static_cast<std::int64_t>(values.size()))));
    SetMember(body, "sort", Json(Json::Array{Json(Json::Object{{"_sequence", JsonString("asc")}})}));
    Json::Object wanted;
    wanted.emplace_back("values", Json(std::move(values)));
    SetMember(body, "query", Json(Json::Object{{"ids", Json(std::move(wanted))}}));
    Result<std::string> answer = co_await RunSearch(ctx, index, std::move(body), kIgnoreMissing);
    if (!answer.ok()) co_return answer.error();
    // Sources as they were written: taken from the text, not from numbers that were read and shown again.
    BytesView hits, id, source, sort;
    if (!codec::FindMember(*answer, "hits.hits", &hits)) continue;
    codec::JsonScanner scanner;
    for (std::size_t at = 1; at < hits.size() && hits[at] != ']' && scanner.Scan(hits, at);) {
      const BytesView hit = hits.substr(scanner.begin(), scanner.end() - scanner.begin());
      at = scanner.end() + (hits[scanner.end()] == ',' ? 1 : 0);
      if (!codec::FindMember(hit, "_id", &id) || !codec::FindMember(hit, "_source", &source) ||
          !codec::FindMember(hit, "sort", &sort))
        continue;
      const std::string number(sort.substr(1));
      documents_found[codec::UnescapeJsonString(id)] = {std::strtoull(number.c_str(), nullptr, 10),
                                                        std::string(source)};
    }
  }
  co_return documents_found;
}

async::Task<Result<void>> SearchApi::Impl::PrepareUpdates(async::Context ctx, std::vector<Write>& writes) {
  std::map<std::string, std::vector<std::string>> wanted;  // ids by index
  for (const Write& write : writes)
    if (!write.error && !write.id.empty() && (write.update || write.if_seq_no))
      wanted[write.index].push_back(write.id);
  if (wanted.empty()) co_return Ok();
  // What was acknowledged is what an update starts from.
  Result<void> caught_up = co_await CatchUp(ctx);
  if (!caught_up.ok()) co_return caught_up.error();
  std::map<std::pair<std::string, std::string>, State> states;  // by index and id
  for (auto& [index, ids] : wanted) {
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    Result<std::map<std::string, Present>> found = co_await FindDocuments(ctx, index, ids);
    if (!found.ok()) co_return found.error();
    for (const std::string& id : ids) states[{index, id}] = {};
    for (auto& [id, present] : *found) {
      State& state = states[{index, id}];
      state.there = true;
      state.sequence = present.sequence;
      state.owner = Bytes(std::move(present.source));
      state.source = state.owner.view();
    }
  }
  for (Write& write : writes) {
    const auto known = states.find({write.index, write.id});
    if (write.error || known == states.end()) continue;
    State& state = known->second;
    if (write.if_seq_no && (!state.there || state.fresh || state.sequence != *write.if_seq_no)) {
      Refuse(write, 409, "version_conflict_engine_exception",
             "[" + write.id + "]: version conflict, required seqNo [" + std::to_string(*write.if_seq_no) +
                 "], primary term [1]. " +
                 (state.there ? "current document has seqNo [" + std::to_string(state.sequence) +
                                    "] and primary term [1]"
                              : "but no document was found"));
      continue;
    }
    if (write.update) Apply(write, state);
    if (write.error || write.result == "noop") continue;
    if (write.kind == engine::WriteKind::kCreate && state.there) continue;  // it will be refused
    state.there = write.kind != engine::WriteKind::kDelete;
    state.fresh = true;
    state.owner = write.merged;
    state.source = write.source;
  }
  co_return Ok();
}

}  // namespace honryu::api::search
