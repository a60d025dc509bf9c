#include "api/dynamodb/shapes.h"

#include <algorithm>
#include <array>
#include <utility>

// How a request says what to read, to require or to change: by expressions, or in the older form of maps by
// attribute (developer guide, "Legacy conditional parameters"), which KCL uses for its leases.
namespace honryu::api::dynamodb {

using codec::Json;
using tables::Condition;
using tables::Operand;
using tables::Update;
using tables::Value;
using Op = Condition::Op;

namespace {

constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";

struct Comparison {
  std::string_view name;
  Op op;
  bool negated;
  std::size_t least, most;  // values
};
constexpr std::array<Comparison, 13> kComparisons = {{
    {"EQ", Op::kEqual, false, 1, 1},
    {"NE", Op::kNotEqual, false, 1, 1},
    {"LT", Op::kLess, false, 1, 1},
    {"LE", Op::kLessEqual, false, 1, 1},
    {"GT", Op::kGreater, false, 1, 1},
    {"GE", Op::kGreaterEqual, false, 1, 1},
    {"NOT_NULL", Op::kExists, false, 0, 0},
    {"NULL", Op::kNotExists, false, 0, 0},
    {"CONTAINS", Op::kContains, false, 1, 1},
    {"NOT_CONTAINS", Op::kContains, true, 1, 1},
    {"BEGINS_WITH", Op::kBeginsWith, false, 1, 1},
    {"IN", Op::kIn, false, 1, 100},
    {"BETWEEN", Op::kBetween, false, 2, 2},
}};

Condition Make(Op op, const std::string& attribute, std::vector<Value> values) {
  Condition out;
  out.op = op;
  out.operands.push_back(Operand::OfPath(tables::PathOf(attribute)));
  for (Value& value : values) out.operands.push_back(Operand::Constant(std::move(value)));
  return out;
}

Result<Condition> ReadLegacyCondition(const std::string& attribute, const Json& json) {
  if (!json.is_object()) return Error(ErrorCode::kOutOfRange, "a structure is expected");
  const Members members(json);
  HONRYU_TRY(const std::string name, members.Text("ComparisonOperator"));
  const Json* value = members.Find("Value");
  if (name.empty()) {
    HONRYU_TRY(const bool exists, members.Flag("Exists", true));
    if (!exists) {
      if (value != nullptr)
        return Wrong(std::string(kInvalid) +
                     "Value cannot be used when Exists is false for Attribute: " + attribute);
      return Make(Op::kNotExists, attribute, {});
    }
    if (value == nullptr)
      return Wrong(std::string(kInvalid) +
                   "Value must be provided when Exists is true for Attribute: " + attribute);
    HONRYU_TRY(Value wanted, ReadValue(*value));
    return Make(Op::kEqual, attribute, {std::move(wanted)});
  }
  const auto* known = std::ranges::find(kComparisons, name, &Comparison::name);
  if (known == kComparisons.end()) return Wrong(std::string(kInvalid) + "Unsupported operator: " + name);
  std::vector<Value> values;
  HONRYU_TRY(const Json::Array* const list, members.List("AttributeValueList"));
  for (const Json& element : *list) {
    HONRYU_TRY(Value one, ReadValue(element));
    values.push_back(std::move(one));
  }
  if (value != nullptr && values.empty()) {
    HONRYU_TRY(Value one, ReadValue(*value));
    values.push_back(std::move(one));
  }
  if (values.size() < known->least || values.size() > known->most)
    return Wrong(std::string(kInvalid) + "Invalid number of argument(s) for the " + name +
                 " ComparisonOperator");
  Condition condition = Make(known->op, attribute, std::move(values));
  if (!known->negated) return condition;
  Condition inverse;
  inverse.op = Op::kNot;
  inverse.parts.push_back(std::move(condition));
  return inverse;
}

Result<Update> ReadLegacyUpdates(const Json& json) {
  Update update;
  for (const auto& [name, change] : json.object()) {
    if (!change.is_object()) return Error(ErrorCode::kOutOfRange, "a structure is expected");
    const Members members(change);
    HONRYU_TRY(std::string action, members.Text("Action"));
    if (action.empty()) action = "PUT";
    const Json* given = members.Find("Value");
    std::optional<Value> value;
    if (given != nullptr) {
      HONRYU_TRY(value, ReadValue(*given));
    }
    if (!value && action != "DELETE") {
      return Wrong(std::string(kInvalid) +
                   "Only DELETE action is allowed when no attribute value is specified");
    }
    if (action == "PUT") {
      Update::Set set;
      set.path = tables::PathOf(name);
      set.left.operand = Operand::Constant(std::move(*value));
      update.set.push_back(std::move(set));
    } else if (action == "ADD") {
      const Value::Type type = value->type();
      if (type != Value::Type::kNumber && type != Value::Type::kList && type < Value::Type::kStringSet)
        return Wrong(std::string(kInvalid) + "ADD action is not supported for the type " +
                     std::string(TypeName(type)));
      update.add.push_back({tables::PathOf(name), std::move(*value)});
    } else if (action == "DELETE" && !value) {
      update.remove.push_back(tables::PathOf(name));
    } else if (action == "DELETE") {
      if (value->type() < Value::Type::kStringSet) {
        return Wrong(std::string(kInvalid) + "DELETE action with value is not supported for the type " +
                     std::string(TypeName(value->type())));
      }
      update.remove_from.push_back({tables::PathOf(name), std::move(*value)});
    } else {
      return Wrong(
          "1 validation error detected: Value '" + action + "' at 'attributeUpdates." + name +
          ".member.action' failed to satisfy constraint: Member must satisfy enum value set: [ADD, PUT, "
          "DELETE]");
    }
  }
  return update;
}

}  // namespace

Result<tables::Substitutions> ReadSubstitutions(const Members& request) {
  tables::Substitutions out;
  HONRYU_TRY(const Json* const names, request.Object("ExpressionAttributeNames"));
  if (names != nullptr) {
    if (names->object().empty()) return Wrong("ExpressionAttributeNames must not be empty");
    for (const auto& [key, value] : names->object()) {
      if (!value.is_string()) return Error(ErrorCode::kOutOfRange, "a string is expected");
      if (key.size() < 2 || key[0] != '#') {
        return Wrong("ExpressionAttributeNames contains invalid key: Syntax error; key: \"" + key + "\"");
      }
      out.names[key] = std::string(value.StringOr(""));
    }
  }
  HONRYU_TRY(const Json* const values, request.Object("ExpressionAttributeValues"));
  if (values != nullptr) {
    if (values->object().empty()) return Wrong("ExpressionAttributeValues must not be empty");
    for (const auto& [key, value] : values->object()) {
      if (key.size() < 2 || key[0] != ':') {
        return Wrong("ExpressionAttributeValues contains invalid key: Syntax error; key: \"" + key + "\"");
      }
      Result<Value> read = ReadValue(value);
      if (!read.ok()) {
        if (read.error().code() != ErrorCode::kInvalidArgument) return read.error();
        return Wrong("ExpressionAttributeValues contains invalid value: " + read.error().message() +
                     " for key " + key);
      }
      out.values[key] = std::move(*read);
    }
  }
  return out;
}

Result<std::optional<Condition>> ReadLegacyConditions(const Members& request, std::string_view what) {
  HONRYU_TRY(const Json* const map, request.Object(what));
  if (map == nullptr || map->object().empty()) return std::optional<Condition>();
  HONRYU_TRY(const std::string join, request.Text("ConditionalOperator"));
  if (!join.empty() && join != "AND" && join != "OR") {
    return Wrong("1 validation error detected: Value '" + join +
                 "' at 'conditionalOperator' failed to satisfy constraint: Member must satisfy enum value "
                 "set: [OR, AND]");
  }
  Condition all;
  all.op = join == "OR" ? Op::kOr : Op::kAnd;
  for (const auto& [name, condition] : map->object()) {
    HONRYU_TRY(Condition part, ReadLegacyCondition(name, condition));
    all.parts.push_back(std::move(part));
  }
  return std::optional<Condition>(std::move(all));
}

Result<std::optional<Condition>> ReadCondition(const Members& request, tables::Substitutions& substitutions) {
  if (!request.Has("ConditionExpression")) return ReadLegacyConditions(request, "Expected");
  HONRYU_TRY(const std::string text, request.Text("ConditionExpression"));
  HONRYU_TRY(Condition condition, tables::ParseCondition(text, substitutions, "ConditionExpression"));
  return std::optional<Condition>(std::move(condition));
}

Result<Update> ReadUpdate(const Members& request, tables::Substitutions& substitutions) {
  if (request.Has("UpdateExpression")) {
    HONRYU_TRY(const std::string text, request.Text("UpdateExpression"));
    return tables::ParseUpdate(text, substitutions);
  }
  HONRYU_TRY(const Json* const updates, request.Object("AttributeUpdates"));
  if (updates == nullptr) return Update();
  return ReadLegacyUpdates(*updates);
}

Result<std::optional<std::vector<tables::Path>>> ReadProjection(const Members& request,
                                                                tables::Substitutions& substitutions) {
  using Paths = std::optional<std::vector<tables::Path>>;
  if (request.Has("ProjectionExpression")) {
    HONRYU_TRY(const std::string text, request.Text("ProjectionExpression"));
    HONRYU_TRY(std::vector<tables::Path> paths, tables::ParseProjection(text, substitutions));
    return Paths(std::move(paths));
  }
  HONRYU_TRY(const std::vector<std::string> names, request.Texts("AttributesToGet"));
  if (names.empty()) return Paths();
  std::vector<tables::Path> paths;
  for (const std::string& name : names) paths.push_back(tables::PathOf(name));
  return Paths(std::move(paths));
}

Result<void> CheckNotMixed(const Members& request) {
  const auto present = [&request](std::initializer_list<std::string_view> names) {
    std::string found;
    for (const std::string_view name : names)
      if (request.Has(name)) found.append(found.empty() ? "" : ", ").append(name);
    return found;
  };
  const std::string legacy = present({"AttributesToGet", "AttributeUpdates", "ConditionalOperator",
                                      "Expected", "KeyConditions", "QueryFilter", "ScanFilter"});
  const std::string modern = present({"ConditionExpression", "FilterExpression", "KeyConditionExpression",
                                      "ProjectionExpression", "UpdateExpression"});
  if (!legacy.empty() && !modern.empty()) {
    return Wrong(
        "Can not use both expression and non-expression parameters in the same request: Non-expression "
        "parameters: {" +
        legacy + "} Expression parameters: {" + modern + "}");
  }
  if (modern.empty()) {
    for (const std::string_view name : {"ExpressionAttributeNames", "ExpressionAttributeValues"}) {
      if (request.Has(name))
        return Wrong(std::string(name) + " can only be specified when using expressions");
    }
  }
  return Ok();
}

}  // namespace honryu::api::dynamodb
