#include "api/search/document_merge.h"

#include "api/search/bulk_body.h"
#include "honryu/codec/json.h"
#include "honryu/codec/json_scan.h"
#include "honryu/search/api_error.h"

#include <algorithm>
#include <vector>

namespace honryu::api::search {

namespace {

namespace engine = honryu::search;

struct Member {
  std::string key;
  BytesView value;
  bool object = false;
};

std::vector<Member> MembersOf(BytesView object) {
  codec::JsonLimits limits;
  limits.max_depth = 256;
  limits.max_members = 100'000;
  codec::JsonScanner scanner(limits);
  std::vector<Member> members;
  if (!scanner.Scan(object, 0)) return members;
  for (const codec::JsonMember& member : scanner.members())
    members.push_back({std::string(member.key), member.value, member.kind == codec::JsonKind::kObject});
  return members;
}

bool Same(BytesView a, BytesView b) {
  if (a == b) return true;
  const auto x = codec::Json::Parse(a), y = codec::Json::Parse(b);
  return x.ok() && y.ok() && x->Dump() == y->Dump();
}

bool Merge(BytesView under, BytesView over, codec::JsonWriter& out) {
  bool changed = false;
  std::vector<Member> members = MembersOf(under);
  std::vector<Member> news = MembersOf(over);
  out.BeginObject();
  for (const Member& old : members) {
    out.Key(old.key);
    const auto found =
        std::find_if(news.begin(), news.end(), [&old](const Member& one) { return one.key == old.key; });
    if (found == news.end()) {
      out.Raw(old.value);
      continue;
    }
    if (old.object && found->object) {
      changed = Merge(old.value, found->value, out) || changed;
    } else {
      changed = changed || !Same(old.value, found->value);
      out.Raw(found->value);
    }
    news.erase(found);
  }
  for (const Member& fresh : news) {
    out.Key(fresh.key);
    out.Raw(fresh.value);
  }
  out.EndObject();
  return changed || !news.empty();
}

}  // namespace

Result<UpdateBody> ParseUpdateBody(BytesView body) {
  HONRYU_TRY_VOID(CheckSource(body));
  UpdateBody update;
  for (const Member& member : MembersOf(body)) {
    const bool yes = member.value == "true";
    if (member.key == "doc" || member.key == "upsert") {
      if (!member.object) return engine::ParsingError("[UpdateRequest] [" + member.key + "] is no object");
      (member.key == "doc" ? update.doc : update.upsert) = member.value;
    } else if (member.key == "doc_as_upsert") {
      update.doc_as_upsert = yes;
    } else if (member.key == "detect_noop") {
      update.detect_noop = yes;
    } else if (member.key == "_source") {
      update.show_source = member.value != "false";
    } else if (member.key == "script" || member.key == "scripted_upsert") {
      if (member.key == "script" || yes)
        return engine::IllegalArgument("scripts are not supported: send the changed part as [doc]");
    } else {
      return engine::ParsingError("[UpdateRequest] unknown field [" + member.key + "]");
    }
  }
  if (update.doc.empty())
    return Error(ErrorCode::kInvalidArgument,
                 "action_request_validation_exception: Validation Failed: 1: script or doc is missing;");
  return update;
}

std::optional<std::string> MergeDocuments(BytesView under, BytesView over) {
  std::string merged;
  codec::JsonWriter out(merged);
  if (!Merge(under, over, out)) return std::nullopt;
  return merged;
}

}  // namespace honryu::api::search
