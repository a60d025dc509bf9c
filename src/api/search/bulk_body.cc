#include "api/search/bulk_body.h"

#include "honryu/codec/json.h"
#include "honryu/codec/json_scan.h"
#include "honryu/search/api_error.h"

namespace honryu::api::search {

namespace {

namespace engine = honryu::search;

/// As the store's parser has it: deeper documents could not be read back.
constexpr int kMaxDepth = 64;

/// The next line without its end; false at the end of the body.
bool NextLine(BytesView& body, BytesView& line) {
  if (body.empty()) return false;
  const auto end = body.find('\n');
  line = body.substr(0, end);
  body.remove_prefix(end == BytesView::npos ? body.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return true;
}

bool Blank(BytesView line) { return line.find_first_not_of(" \t\r") == BytesView::npos; }

}  // namespace

Result<std::vector<BulkItem>> ParseBulkBody(BytesView body, std::string_view default_index,
                                            std::size_t max_items) {
  std::vector<BulkItem> items;
  BytesView line;
  std::size_t number = 0;
  while (NextLine(body, line)) {
    ++number;
    if (Blank(line)) continue;
    const auto malformed = [&number](std::string_view what) {
      return engine::IllegalArgument("Malformed action/metadata line [" + std::to_string(number) + "], " +
                                     std::string(what));
    };
    if (items.size() == max_items)
      return engine::IllegalArgument("the request has more than " + std::to_string(max_items) + " actions");
    const auto parsed = codec::Json::Parse(line, 256);
    if (!parsed.ok() || !parsed->is_object() || parsed->object().size() != 1)
      return malformed("expected an object with one action");
    const auto& [action, meta] = parsed->object()[0];
    if (action != "index" && action != "create" && action != "update" && action != "delete")
      return malformed("expected field [create], [delete], [index] or [update] but found [" + action + "]");
    BulkItem item;
    item.action = action;
    item.index = default_index;
    for (const auto& [name, value] : meta.object()) {
      if (name == "_index") {
        item.index = value.StringOr(item.index);
      } else if (name == "_id") {
        item.id = value.is_number() ? value.Dump() : std::string(value.StringOr(""));
      } else if (name == "require_alias") {
        item.require_alias = value.BoolOr(false);
      } else if (name == "if_seq_no") {
        item.if_seq_no = static_cast<std::uint64_t>(value.IntOr(-1));
      } else if (name != "_type" && name != "routing" && name != "_routing" && name != "version" &&
                 name != "version_type" && name != "pipeline" && name != "dynamic_templates" &&
                 name != "retry_on_conflict" && name != "if_primary_term" && name != "require_data_stream" &&
                 name != "list_executed_pipelines" && name != "_source") {
        return malformed("unknown parameter [" + name + "]");
      }
    }
    if (action != "delete") {
      if (!NextLine(body, line)) return malformed("the request ends before its source");
      ++number;
      item.source = line;
    }
    items.push_back(std::move(item));
  }
  if (items.empty()) return engine::ParsingError("request body is required");
  return items;
}

Result<void> CheckSource(BytesView source) {
  codec::JsonLimits limits;
  limits.max_depth = kMaxDepth;
  limits.max_members = 100'000;
  codec::JsonScanner scanner(limits);
  const auto refuse = [](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument,
                 "mapper_parsing_exception: failed to parse: " + std::string(why));
  };
  if (!scanner.Scan(source, 0)) return refuse(scanner.error_reason());
  if (scanner.kind() != codec::JsonKind::kObject) return refuse("the document is no JSON object");
  if (!Blank(source.substr(scanner.end()))) return refuse("there is something behind the document");
  switch (scanner.rule()) {
    case codec::JsonRule::kTooDeep:
      return refuse("the document is nested too deeply");
    case codec::JsonRule::kTooManyMembers:
      return refuse("the document has too many members");
    case codec::JsonRule::kInvalidUtf8:
      return refuse("the document is not UTF-8");
    case codec::JsonRule::kNone:
    case codec::JsonRule::kDuplicateKey:
    case codec::JsonRule::kLoneSurrogate:
      break;
  }
  return Ok();
}

}  // namespace honryu::api::search
