#include "honryu/search/mapping.h"

#include "honryu/codec/json.h"
#include "honryu/search/name_pattern.h"
#include "search/geo/geo_point.h"
#include "search/query/date_math.h"

#include <algorithm>
#include <array>
#include <optional>

namespace honryu::search {
namespace {

using codec::Json;

std::optional<FieldType> TypeOf(std::string_view name) {
  if (name == "text" || name == "match_only_text") return FieldType::kText;
  if (name == "keyword" || name == "ip" || name == "constant_keyword" || name == "wildcard" ||
      name == "version" || name == "flattened")
    return FieldType::kKeyword;
  if (name == "long" || name == "integer" || name == "short" || name == "byte" || name == "unsigned_long")
    return FieldType::kLong;
  if (name == "double" || name == "float" || name == "half_float" || name == "scaled_float")
    return FieldType::kDouble;
  if (name == "boolean") return FieldType::kBoolean;
  if (name == "date" || name == "date_nanos") return FieldType::kDate;
  if (name == "geo_point") return FieldType::kGeoPoint;
  if (name == "binary") return FieldType::kDisabled;
  return std::nullopt;
}

Result<AnalyzerKind> AnalyzerOf(const Json& field) {
  const Json* name = field.Find("analyzer");
  if (name == nullptr) return AnalyzerKind::kStandard;
  if (const auto kind = ParseAnalyzer(name->StringOr(""))) return *kind;
  return Error(ErrorCode::kInvalidArgument, "unknown analyzer [" + std::string(name->StringOr("")) + "]");
}

Result<FieldSpec> ReadField(const std::string& path, const Json& field) {
  FieldSpec spec;
  const auto name = field.Find("type") == nullptr ? "object" : field.Find("type")->StringOr("");
  const auto type = TypeOf(name);
  if (!type)
    return Error(ErrorCode::kInvalidArgument,
                 "No handler for type [" + std::string(name) + "] declared on field [" + path + "]");
  spec.type = *type;
  if (const Json* meta = field.Find("meta"))
    if (const Json* conflicting = meta->Find("conflicting"))
      spec.conflicting = conflicting->StringOr("") == "true";
  if (const Json* format = field.Find("format"); format != nullptr && spec.type == FieldType::kDate) {
    const auto text = format->StringOr("");
    if (const auto known = CheckDateFormats(text); !known.ok())
      return known.error().WithContext("failed to parse mapper [" + path + "]");
    // What is read anyway is read faster without a format.
    if (!AreUsualDateFormats(text)) spec.format = text;
  }
  HONRYU_TRY(spec.analyzer, AnalyzerOf(field));
  if (const Json* views = field.Find("fields"))
    for (const auto& [view, body] : views->object()) {
      const Json* view_type = body.Find("type");
      if (view_type == nullptr || view_type->StringOr("") != "text") continue;  // exact views exist already
      HONRYU_TRY(const auto analyzer, AnalyzerOf(body));
      spec.views.push_back({view, analyzer});
    }
  return spec;
}

/// What a mapping declares beside its fields.
struct Objects {
  std::map<std::string, const Json*> dynamic;  ///< By object.
  std::vector<std::string> declared;
  std::map<std::string, const Json*> fields;  ///< As they were given, by path.
};

Result<void> Walk(const std::string& prefix, const Json& properties, std::size_t depth,
                  std::map<std::string, FieldSpec>& out, Objects& objects) {
  if (depth == 0) return Error(ErrorCode::kInvalidArgument, "the mapping is nested too deeply");
  for (const auto& [name, field] : properties.object()) {
    const auto path = prefix.empty() ? name : prefix + "." + name;
    const Json* enabled = field.Find("enabled");
    const Json* inner = field.Find("properties");
    if (enabled != nullptr && !enabled->BoolOr(true)) {
      out[path].type = FieldType::kDisabled;
      continue;
    }
    if (const Json* dynamic = field.Find("dynamic")) objects.dynamic[path] = dynamic;
    const Json* kind = field.Find("type");
    if (kind == nullptr || inner != nullptr || kind->StringOr("") == "object" ||
        kind->StringOr("") == "nested")
      objects.declared.push_back(path);
    if (inner != nullptr) HONRYU_TRY_VOID(Walk(path, *inner, depth - 1, out, objects));
    // Beside members a type says that there are values, too; that of a place only describes the members.
    if (kind != nullptr && kind->StringOr("") != "object" && kind->StringOr("") != "nested" &&
        (inner == nullptr || kind->StringOr("") != "geo_point")) {
      HONRYU_TRY(out[path], ReadField(path, field));
      objects.fields[path] = &field;
    }
  }
  return Ok();
}

/// What a new declaration of a field leaves open stays as it was.
void Keep(const FieldSpec& known, const Json& given, FieldSpec& spec) {
  spec.conflicting = spec.conflicting || known.conflicting;  // the values that came are still there
  if (given.Find("format") == nullptr) spec.format = known.format;
  if (given.Find("analyzer") == nullptr) spec.analyzer = known.analyzer;
  for (const auto& view : known.views)
    if (std::none_of(spec.views.begin(), spec.views.end(),
                     [&view](const auto& one) { return one.name == view.name; }))
      spec.views.push_back(view);
}

bool IsGeoMember(std::string_view name) {
  return std::any_of(kGeoMembers.begin(), kGeoMembers.end(),
                     [name](const auto& names) { return name == names.first || name == names.second; });
}

std::string_view KindName(ValueKind kind) {
  switch (kind) {
    case ValueKind::kString:
      return "string";
    case ValueKind::kDateString:
      return "date";
    case ValueKind::kLong:
      return "long";
    case ValueKind::kDouble:
      return "double";
    case ValueKind::kBoolean:
      return "boolean";
  }
  return "string";
}

std::string Replaced(std::string text, std::string_view what, std::string_view by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

Result<DynamicTemplate> ReadTemplate(const std::string& name, const Json& body) {
  DynamicTemplate made;
  made.name = name;
  made.body = body.Dump();
  const auto text = [&body](std::string_view member) {
    const Json* value = body.Find(member);
    return value != nullptr ? std::string(value->StringOr("")) : std::string();
  };
  made.match = text("match");
  made.unmatch = text("unmatch");
  made.path_match = text("path_match");
  made.path_unmatch = text("path_unmatch");
  made.kind = text("match_mapping_type");
  if (made.kind == "*") made.kind.clear();
  const Json* mapping = body.Find("mapping");
  if (mapping == nullptr)
    return Error(ErrorCode::kInvalidArgument, "dynamic template [" + name + "] has no mapping");
  made.mapping = mapping->Dump();
  // One that no value could use is refused now.
  HONRYU_TRY(const auto trial, Json::Parse(Replaced(made.mapping, "{dynamic_type}", "keyword")));
  if (trial.Find("type") != nullptr && trial.Find("type")->StringOr("") != "object" &&
      trial.Find("type")->StringOr("") != "nested") {
    const auto field = ReadField(name, trial);
    if (!field.ok()) return field.error();
  }
  return made;
}

constexpr std::size_t kLeftOutNames = 8;

/// "", ".a", "a..b" and "a." have a part without a name.
bool HasEmptyPart(std::string_view path) {
  return path.empty() || path.front() == '.' || path.back() == '.' ||
         path.find("..") != std::string_view::npos;
}

/// Fields as a tree, for {"properties":{"a":{"properties":{"b":…}}}}.
struct Node {
  const FieldSpec* spec = nullptr;
  std::string beside;  ///< Members beside "properties".
  std::map<std::string, Node> children;
};

/// Whether queries can take the object as a place.
bool IsPlace(const Node& node) {
  const auto has = [&node](std::string_view name, auto&& fits) {
    const auto found = node.children.find(std::string(name));
    return found != node.children.end() && found->second.spec != nullptr && fits(found->second.spec->type);
  };
  const auto number = [](FieldType type) { return type == FieldType::kDouble || type == FieldType::kLong; };
  const auto string = [](FieldType type) { return type == FieldType::kText || type == FieldType::kKeyword; };
  if (has(kGeoCoordinates, number) && has("type", string)) return true;
  return std::any_of(kGeoMembers.begin(), kGeoMembers.end(), [&](const auto& names) {
    return has(names.first, number) && has(names.second, number);
  });
}

void WriteField(const FieldSpec& spec, const Node& node, codec::JsonWriter& out);

void WriteTree(const Node& node, codec::JsonWriter& out, bool is_root);

void WriteProperties(const Node& node, codec::JsonWriter& out) {
  out.Key("properties");
  out.BeginObject();
  for (const auto& [name, child] : node.children) {
    out.Key(name);
    if (child.spec != nullptr)
      WriteField(*child.spec, child, out);
    else
      WriteTree(child, out, false);
  }
  out.EndObject();
}

void WriteTree(const Node& node, codec::JsonWriter& out, bool is_root) {
  out.BeginObject();
  if (!is_root && IsPlace(node)) {
    out.Key("type");
    out.String(FieldTypeName(FieldType::kGeoPoint));
  }
  if (!node.beside.empty()) out.Raw(node.beside);
  WriteProperties(node, out);
  out.EndObject();
}

void WriteField(const FieldSpec& spec, const Node& node, codec::JsonWriter& out) {
  out.BeginObject();
  out.Key("type");
  out.String(FieldTypeName(spec.type));
  if (spec.type == FieldType::kDisabled) {
    out.Key("enabled");
    out.Bool(false);
  }
  if (spec.type == FieldType::kText) {
    if (spec.analyzer != AnalyzerKind::kStandard) {
      out.Key("analyzer");
      out.String(AnalyzerName(spec.analyzer));
    }
    out.Key("fields");
    out.BeginObject();
    out.Key("keyword");
    out.Raw(R"({"type":"keyword"})");
    for (const auto& view : spec.views) {
      out.Key(view.name);
      out.BeginObject();
      out.Key("type");
      out.String("text");
      out.Key("analyzer");
      out.String(AnalyzerName(view.analyzer));
      out.EndObject();
    }
    out.EndObject();
  }
  if (!spec.format.empty()) {
    out.Key("format");
    out.String(spec.format);
  }
  // Some documents have an object where others have a value. The members of a declared place go without
  // saying.
  const bool both = !node.children.empty() && spec.type != FieldType::kGeoPoint;
  if (spec.conflicting || both) {
    out.Key("meta");
    out.Raw(R"({"conflicting":"true"})");
  }
  if (both) WriteProperties(node, out);
  out.EndObject();
}

}  // namespace

std::string_view FieldTypeName(FieldType type) {
  switch (type) {
    case FieldType::kText:
      return "text";
    case FieldType::kKeyword:
      return "keyword";
    case FieldType::kLong:
      return "long";
    case FieldType::kDouble:
      return "double";
    case FieldType::kBoolean:
      return "boolean";
    case FieldType::kDate:
      return "date";
    case FieldType::kGeoPoint:
      return "geo_point";
    case FieldType::kDisabled:
      return "object";
  }
  return "object";
}

Mapping::Mapping(MappingLimits limits) : limits_(limits) {}

Result<void> Mapping::Merge(std::string_view json) {
  HONRYU_TRY(const auto parsed, Json::Parse(json));
  const Json* root = parsed.Find("mappings") != nullptr ? parsed.Find("mappings") : &parsed;
  std::map<std::string, FieldSpec> read;
  Objects objects;
  if (const Json* properties = root->Find("properties"))
    HONRYU_TRY_VOID(Walk("", *properties, limits_.depth, read, objects));
  if (const Json* dynamic = root->Find("dynamic")) objects.dynamic[""] = dynamic;
  std::map<std::string, Dynamic, std::less<>> modes;
  for (const auto& [path, mode] : objects.dynamic) {
    const auto text = mode->is_bool() ? (mode->BoolOr(true) ? "true" : "false") : mode->StringOr("");
    if (text == "true" || text == "runtime")
      modes[path] = Dynamic::kTrue;
    else if (text == "false")
      modes[path] = Dynamic::kFalse;
    else if (text == "strict")
      modes[path] = Dynamic::kStrict;
    else
      return Error(ErrorCode::kInvalidArgument,
                   "Could not convert [dynamic] to boolean: [" + std::string(text) + "]");
  }
  std::vector<DynamicTemplate> templates;
  const Json* listed = root->Find("dynamic_templates");
  if (listed != nullptr)
    for (const Json& item : listed->array())
      for (const auto& [name, body] : item.object()) {
        HONRYU_TRY(auto made, ReadTemplate(name, body));
        templates.push_back(std::move(made));
      }
  const std::lock_guard lock(mutex_);
  for (const auto& [path, spec] : read) {
    const auto known = fields_.find(path);
    if (known != fields_.end() && known->second.type != spec.type)
      return Error(ErrorCode::kInvalidArgument, "mapper [" + path + "] cannot be changed from type [" +
                                                    std::string(FieldTypeName(known->second.type)) +
                                                    "] to [" + std::string(FieldTypeName(spec.type)) + "]");
  }
  for (auto& [path, spec] : read) {
    if (spec.type == FieldType::kGeoPoint) has_points_.store(true);
    const auto known = fields_.find(path);
    const auto given = objects.fields.find(path);
    if (known != fields_.end() && given != objects.fields.end()) Keep(known->second, *given->second, spec);
    fields_[path] = std::move(spec);
  }
  if (listed != nullptr) templates_ = std::move(templates);
  if (const Json* detection = root->Find("date_detection")) date_detection_ = detection->BoolOr(true);
  for (const auto& [path, mode] : modes) dynamic_[path] = mode;
  objects_.insert(objects.declared.begin(), objects.declared.end());
  bool strict = false;
  for (const auto& [path, mode] : dynamic_) strict = strict || mode == Dynamic::kStrict;
  strict_.store(strict);
  return Ok();
}

/// Of the object, or of the nearest around it. `mutex_` is held.
Mapping::Dynamic Mapping::DynamicOf(std::string_view object) const {
  for (;;) {
    if (const auto found = dynamic_.find(object); found != dynamic_.end()) return found->second;
    if (object.empty()) return Dynamic::kTrue;
    const auto dot = object.rfind('.');
    object = object.substr(0, dot == std::string_view::npos ? 0 : dot);
  }
}

bool Mapping::Allows(std::string_view parent, std::string_view path) const {
  const std::lock_guard lock(mutex_);
  if (DynamicOf(parent) != Dynamic::kStrict) return true;
  if (fields_.contains(path) || objects_.contains(path)) return true;
  const std::string inside = std::string(path) + ".";
  const auto next = fields_.lower_bound(inside);
  return next != fields_.end() && next->first.starts_with(inside);
}

std::string Mapping::ToJson() const {
  const auto fields = Fields();
  Node root;
  const auto node_of = [&root](std::string_view path) {
    Node* node = &root;
    for (std::size_t begin = 0; !path.empty() && begin <= path.size();) {
      const auto end = std::min(path.find('.', begin), path.size());
      node = &node->children[std::string(path.substr(begin, end - begin))];
      begin = end + 1;
    }
    return node;
  };
  for (const auto& [path, spec] : fields) node_of(path)->spec = &spec;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& path : objects_) node_of(path);
    for (const auto& [path, mode] : dynamic_) {
      if (path.empty() && mode == Dynamic::kTrue) continue;
      codec::JsonWriter members(node_of(path)->beside);
      members.Key("dynamic");
      members.String(mode == Dynamic::kStrict ? "strict" : mode == Dynamic::kTrue ? "true" : "false");
    }
    if (!date_detection_) {
      if (!root.beside.empty()) root.beside += ',';
      root.beside += R"("date_detection":false)";
    }
    if (!templates_.empty()) {
      if (!root.beside.empty()) root.beside += ',';
      codec::JsonWriter members(root.beside);
      members.Key("dynamic_templates");
      members.BeginArray();
      for (const auto& made : templates_) {
        members.BeginObject();
        members.Key(made.name);
        members.Raw(made.body);
        members.EndObject();
      }
      members.EndArray();
    }
  }
  if (const auto left_out = LeftOut(); !left_out.empty()) {
    if (!root.beside.empty()) root.beside += ',';
    codec::JsonWriter members(root.beside);
    members.Key("_meta");
    members.BeginObject();
    members.Key("honryu");
    members.BeginObject();
    members.Key("fields_limit");
    members.Uint(limits_.fields);
    members.Key("kept_in_source_only");
    members.BeginArray();
    for (const auto& name : left_out) members.String(name);
    members.EndArray();
    members.EndObject();
    members.EndObject();
  }
  std::string text;
  codec::JsonWriter out(text);
  WriteTree(root, out, true);
  return text;
}

std::size_t Mapping::size() const {
  const std::lock_guard lock(mutex_);
  return fields_.size();
}

std::vector<std::string> Mapping::LeftOut() const {
  const std::lock_guard lock(mutex_);
  return left_out_;
}

bool IsStoreField(std::string_view name) {
  constexpr std::array<std::string_view, 18> kNames = {
      "_time",   "_shard",  "_sequence", "_part",         "_id",      "_id_path",
      "_index",  "_source", "_type",     "_score",        "_doc",     "_routing",
      "_seq_no", "_all",    "_version",  "_primary_term", "_ignored", "_field_names"};
  return name.starts_with('_') && std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool Mapping::Resolve(std::string_view path, ValueKind kind, FieldSpec* spec) {
  const std::lock_guard lock(mutex_);
  auto found = fields_.find(path);
  if (found == fields_.end()) {
    // Parents that are switched off take their children along.
    for (auto dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.', dot + 1)) {
      const auto parent = fields_.find(path.substr(0, dot));
      if (parent != fields_.end() && parent->second.type == FieldType::kDisabled) {
        *spec = parent->second;
        return true;
      }
    }
    const auto dot = path.rfind('.');
    const auto parent = path.substr(0, dot == std::string_view::npos ? 0 : dot);
    if (DynamicOf(parent) != Dynamic::kTrue) return false;
    if (fields_.size() >= limits_.fields || path.size() > limits_.name_bytes || HasEmptyPart(path) ||
        IsStoreField(path)) {
      if (left_out_.size() < kLeftOutNames) {
        auto name = std::string(path.substr(0, limits_.name_bytes));
        if (std::find(left_out_.begin(), left_out_.end(), name) == left_out_.end())
          left_out_.push_back(std::move(name));
      }
      return false;
    }
    found = fields_.emplace(std::string(path), MakeField(path, kind)).first;
    const auto object = fields_.find(parent);
    if (object != fields_.end() && object->second.type == FieldType::kGeoPoint &&
        IsGeoMember(path.substr(dot + 1)))
      found->second.type = FieldType::kDouble;  // "35.7" is a number here
    if (found->second.type == FieldType::kGeoPoint) has_points_.store(true);
  }
  *spec = found->second;
  return true;
}

FieldSpec Mapping::MakeField(std::string_view path, ValueKind kind) const {
  if (kind == ValueKind::kDateString && !date_detection_) kind = ValueKind::kString;
  const auto last = path.substr(path.rfind('.') + 1);
  for (const auto& made : templates_) {
    if (!made.kind.empty() && made.kind != KindName(kind)) continue;
    if (!made.match.empty() && !NameFits(made.match, last)) continue;
    if (!made.unmatch.empty() && NameFits(made.unmatch, last)) continue;
    if (!made.path_match.empty() && !NameFits(made.path_match, path)) continue;
    if (!made.path_unmatch.empty() && NameFits(made.path_unmatch, path)) continue;
    const auto type = kind == ValueKind::kString ? std::string_view("text") : KindName(kind);
    const auto json = Json::Parse(Replaced(Replaced(made.mapping, "{dynamic_type}", type), "{name}", last));
    if (!json.ok() || json->Find("type") == nullptr) break;
    const auto field = ReadField(std::string(path), *json);
    if (field.ok()) return *field;
    break;
  }
  FieldSpec made;
  switch (kind) {
    case ValueKind::kString:
      made.type = FieldType::kText;
      break;
    case ValueKind::kDateString:
      made.type = FieldType::kDate;
      break;
    case ValueKind::kLong:
      made.type = FieldType::kLong;
      break;
    case ValueKind::kDouble:
      made.type = FieldType::kDouble;
      break;
    case ValueKind::kBoolean:
      made.type = FieldType::kBoolean;
      break;
  }
  return made;
}

bool Mapping::Find(std::string_view path, FieldSpec* spec) const {
  const std::lock_guard lock(mutex_);
  const auto found = fields_.find(path);
  if (found == fields_.end()) return false;
  *spec = found->second;
  return true;
}

void Mapping::MarkUnique(std::string_view path) {
  constexpr std::size_t kMost = 8;  // kMaxDetached: so many marks a source has
  const std::lock_guard lock(mutex_);
  if (unique_.size() < kMost && std::find(unique_.begin(), unique_.end(), path) == unique_.end())
    unique_.emplace_back(path);
}

std::vector<std::string> Mapping::Unique() const {
  const std::lock_guard lock(mutex_);
  return unique_;
}

void Mapping::MarkConflicting(std::string_view path) {
  const std::lock_guard lock(mutex_);
  if (const auto found = fields_.find(path); found != fields_.end()) found->second.conflicting = true;
}

std::map<std::string, FieldSpec> Mapping::Fields() const {
  const std::lock_guard lock(mutex_);
  return {fields_.begin(), fields_.end()};
}

}  // namespace honryu::search
