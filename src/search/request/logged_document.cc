#include "honryu/search/logged_document.h"

#include "honryu/codec/json.h"
#include "honryu/codec/json_scan.h"

#include <array>
#include <optional>
#include <utility>

namespace honryu::search {
namespace {

constexpr std::array<std::pair<std::string_view, WriteKind>, 4> kKinds = {{{"append", WriteKind::kAppend},
                                                                           {"create", WriteKind::kCreate},
                                                                           {"index", WriteKind::kIndex},
                                                                           {"delete", WriteKind::kDelete}}};

Error Malformed(std::string_view what) {
  return Error(ErrorCode::kInvalidArgument, "no logged document: " + std::string(what));
}

}  // namespace

std::string EncodeLoggedDocument(const LoggedDocument& document) {
  std::string text;
  text.reserve(document.source.size() + document.index.size() + document.id.size() + 64);
  codec::JsonWriter out(text);
  out.BeginObject();
  out.Key("_index");
  out.String(document.index);
  if (!document.id.empty()) {
    out.Key("_id");
    out.String(document.id);
  }
  for (const auto& [name, kind] : kKinds)
    if (kind == document.kind && (kind != WriteKind::kAppend || !document.id.empty())) {
      out.Key("_op");
      out.String(name);
    }
  if (document.kind != WriteKind::kDelete) {
    out.Key("_source");
    out.Raw(document.source);
  }
  out.EndObject();
  return text;
}

Result<LoggedDocument> DecodeLoggedDocument(BytesView record) {
  codec::JsonLimits limits;
  limits.max_depth = 66;
  codec::JsonScanner scanner(limits);
  if (!scanner.Scan(record, 0)) return Malformed(scanner.error_reason());
  if (scanner.kind() != codec::JsonKind::kObject) return Malformed("it is no object");
  LoggedDocument document;
  std::optional<WriteKind> kind;
  for (const codec::JsonMember& member : scanner.members()) {
    const bool text = member.kind == codec::JsonKind::kString;
    if (member.key == "_index" && text) {
      document.index = codec::UnescapeJsonString(member.value);
    } else if (member.key == "_id" && text) {
      document.id = codec::UnescapeJsonString(member.value);
    } else if (member.key == "_op" && text) {
      const std::string name = codec::UnescapeJsonString(member.value);
      for (const auto& [known, value] : kKinds)
        if (name == known) kind = value;
      if (!kind) return Malformed("its _op is unknown");
    } else if (member.key == "_source" && member.kind == codec::JsonKind::kObject) {
      document.source = member.value;
    } else {
      return Malformed("it has a member that is none of _index, _id, _op, _source, or of another type");
    }
  }
  document.kind = kind.value_or(document.id.empty() ? WriteKind::kAppend : WriteKind::kIndex);
  if (document.index.empty()) return Malformed("it names no _index");
  if (document.id.empty() && document.kind != WriteKind::kAppend) return Malformed("its _id is missing");
  if (document.source.empty() && document.kind != WriteKind::kDelete)
    return Malformed("its _source is missing");
  return document;
}

}  // namespace honryu::search
