#include "honryu/codec/json.h"
#include "sql/bound.h"
#include "sql/cast.h"
#include "sql/json_path.h"

namespace honryu::sql {
namespace {

using Args = std::span<const Value* const>;

std::optional<std::string> Follow(EvalContext& context, Args args) {
  const auto path = ParseJsonPath(args[1]->text());
  if (!path.ok()) {
    context.Fail("InvalidArgument", path.error().message());
    return {};
  }
  return FollowJsonPath(args[0]->text(), *path);
}

// The text of a scalar; NULL for JSON null, and where nothing is.
void JsonValue(EvalContext& context, Args args, Value& out) {
  const auto found = Follow(context, args);
  std::string text;
  const bool composite = found.has_value() && !found->empty() && ((*found)[0] == '{' || (*found)[0] == '[');
  if (!found.has_value() || composite || !JsonToPlainText(*found, text)) return out.SetNull();
  out.SetText(text);
}

void JsonQuery(EvalContext& context, Args args, Value& out) {
  const auto found = Follow(context, args);
  if (!found.has_value() || *found == "null") return out.SetNull();
  out.SetText(*found);
}

void JsonExists(EvalContext& context, Args args, Value& out) {
  out.SetBool(Follow(context, args).has_value());
}

// What json['member'] and json[1] mean; arrays count from 1.
void JsonMember(EvalContext&, Args args, Value& out) {
  JsonPath path(1);
  if (args[1]->tag() == Value::Tag::kText) {
    path[0].member = args[1]->text();
  } else {
    if (args[1]->as_int() < 1 || args[1]->as_int() > 1'000'000'000) return out.SetNull();
    path[0].kind = JsonStep::Kind::kIndex;
    path[0].index = static_cast<std::uint32_t>(args[1]->as_int() - 1);
  }
  const auto found = FollowJsonPath(args[0]->text(), path);
  if (!found.has_value() || *found == "null") return out.SetNull();
  out.SetText(*found);
}

void JsonLength(EvalContext&, Args args, Value& out) {
  const auto parsed = codec::Json::Parse(args[0]->text());
  if (!parsed.ok() || !(parsed->is_array() || parsed->is_object())) return out.SetNull();
  out.SetInt(
      static_cast<std::int64_t>(parsed->is_array() ? parsed->array().size() : parsed->object().size()));
}

constexpr FunctionDefinition kFunctions[] = {
    {"JSON_VALUE", "JT:T", JsonValue},   {"EXTRACTJSONFIELD", "JT:T", JsonValue},
    {"JSON_MEMBER", "JA:J", JsonMember}, {"JSON_QUERY", "JT:J", JsonQuery},
    {"JSON_EXISTS", "JT:B", JsonExists}, {"JSON_ARRAY_LENGTH", "J:I", JsonLength},
    {"CARDINALITY", "J:I", JsonLength},
};

}  // namespace

std::span<const FunctionDefinition> JsonFunctions() { return kFunctions; }

}  // namespace honryu::sql
