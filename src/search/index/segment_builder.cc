#include "search/index/segment_builder.h"

#include "search/index/field_writer.h"
#include "search/query/date_math.h"
#include "search/segment/byte_reader.h"
#include "search/segment/segment.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace honryu::search {
namespace {

template <class Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  if constexpr (std::is_floating_point_v<Number>)
    if (!std::isfinite(number)) return std::nullopt;
  return number;
}

std::string DoubleText(double value) {
  char out[40];
  const auto [end, error] = std::to_chars(out, out + sizeof out, value);
  return error == std::errc() ? std::string(out, end) : std::string();
}

std::optional<double> NumberOf(const simdjson::dom::element& element) {
  double value;
  if (element.get_double().get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

/// A date in the format that the mapping gives the field.
std::optional<std::int64_t> OwnDate(std::string_view format, std::string_view text) {
  // Date math is for queries: what "now" was is not in the document.
  if (format.empty() || text.starts_with("now") || text.find("||") != std::string_view::npos)
    return std::nullopt;
  DateReading reading;
  reading.format = format;
  const auto ms = ParseDate(text, reading);
  if (!ms.ok()) return std::nullopt;
  return *ms;
}

}  // namespace

SegmentBuilder::SegmentBuilder(Mapping& mapping) : mapping_(mapping), unique_(mapping.Unique()) {}

std::size_t SegmentBuilder::bytes() const {
  std::size_t total = values_.bytes() + terms_.bytes() + source_.bytes();
  for (const auto& field : fields_) {
    total += field.longs.bytes() + field.booleans.bytes() + field.dates.bytes() + field.doubles.bytes() +
             field.strings.bytes() + field.values.size() * sizeof(FieldBuffer::Value);
    for (const auto& text : field.texts)
      total += text.tokens.size() * 4 + text.begins.size() * 8 + text.terms.size() * 8;
  }
  return total;
}

void SegmentBuilder::Add(BytesView source, const simdjson::dom::object& object, const DocumentKey& key,
                         std::int64_t time_ms) {
  document_ = source;
  document_at_ = 0;
  cuts_.clear();
  OwnField(kTime).dates.Add(docs_, time_ms);
  Store(OwnField(kShard), key.shard, false);
  OwnField(kSequence).longs.Add(docs_, static_cast<std::int64_t>(key.sequence));
  if (key.part != 0) OwnField(kPart).longs.Add(docs_, key.part);
  if (!key.id.empty()) {
    const bool in_document = !key.id_path.empty() && HasExactly(key.id_path, key.id);
    Store(OwnField(in_document ? kIdPath : kId), in_document ? key.id_path : key.id, false);
  }
  WalkObject(object, *root_, 0);
  stored_.clear();
  std::size_t from = 0;
  for (const auto& cut : cuts_) {
    stored_.append(source, from, cut.begin - from);
    stored_ += static_cast<char>(kDetachedMark + cut.mark);
    from = cut.begin + cut.size;
  }
  stored_.append(source, from);
  source_.Add(stored_);
  ++docs_;
}

/// Whether the exact column of `path` will hold this value of it as it is.
bool SegmentBuilder::HasExactly(std::string_view path, std::string_view id) {
  if (id.size() > mapping_.limits().exact_bytes || ParseDateString(id)) return false;
  if (path != exact_path_) {
    FieldSpec spec;
    exact_path_ = path;
    exact_path_fits_ = mapping_.Resolve(path, ValueKind::kString, &spec) &&
                       (spec.type == FieldType::kText || spec.type == FieldType::kKeyword);
  }
  return exact_path_fits_;
}

FieldBuffer& SegmentBuilder::OwnField(Own own) {
  if (own_[own] == nullptr) {
    constexpr std::string_view kNames[] = {kTimeField, kShardField, kSequenceField,
                                           kPartField, kIdField,    kIdPathField};
    own_[own] = &fields_.emplace_back();
    own_[own]->name = kNames[own];
    own_[own]->spec.type = own == kTime                       ? FieldType::kDate
                           : own == kSequence || own == kPart ? FieldType::kLong
                                                              : FieldType::kKeyword;
    own_[own]->space = spaces_++;
  }
  return *own_[own];
}

FieldBuffer* SegmentBuilder::FieldOf(Node& node, ValueKind kind) {
  if (node.field == nullptr || node.segment != segment_) {
    node.segment = segment_;
    // Two places may have one name: {"a.b": 1} and {"a": {"b": 1}}.
    const auto found = by_name_.find(node.path);
    node.field = found != by_name_.end() ? found->second : MakeField(node.path, kind);
  }
  if (node.field != nullptr && node.field->searchable) return node.field;
  ++counters_.ignored_values;
  return nullptr;
}

FieldBuffer* SegmentBuilder::MakeField(const std::string& path, ValueKind kind) {
  // A document's own "_sequence" must not get into the store's.
  if (IsStoreField(path)) {
    FieldSpec none;
    (void)mapping_.Resolve(path, kind, &none);  // which notes it
    return nullptr;
  }
  FieldSpec spec;
  const bool known = mapping_.Resolve(path, kind, &spec);
  // Names without a field are remembered, to be asked for once; but not all of them, of which each document
  // may bring new ones.
  if (!known &&
      (by_name_.size() >= 2 * mapping_.limits().fields || path.size() > mapping_.limits().name_bytes))
    return nullptr;
  FieldBuffer& made = fields_.emplace_back();
  made.name = path;
  made.spec = spec;
  constexpr std::size_t kSpaces = 0xff00;  // what the tables of strings can tell apart, the store's own aside
  const bool room = spaces_ + 2 + spec.views.size() < kSpaces;
  made.searchable = known && room && spec.type != FieldType::kDisabled;
  if (made.searchable) made.space = spaces_++;
  const auto unique = std::find(unique_.begin(), unique_.end(), path);
  if (unique != unique_.end()) made.mark = static_cast<int>(unique - unique_.begin());
  by_name_.emplace(made.name, &made);
  if (made.searchable && spec.type == FieldType::kText) {
    made.texts.push_back({made.name, spec.analyzer, spaces_++, {}, {}, {}});
    for (const auto& view : spec.views)
      made.texts.push_back({made.name + "." + view.name, view.analyzer, spaces_++, {}, {}, {}, false});
  }
  return &made;
}

std::string SegmentBuilder::PathOf(const Node& parent, std::string_view key) const {
  return &parent == root_.get() ? std::string(key) : parent.path + '.' + std::string(key);
}

SegmentBuilder::Node* SegmentBuilder::ChildOf(Node& parent, std::string_view key) {
  constexpr std::size_t kFew = 16;
  auto& children = parent.children;
  if (parent.expected < children.size() && children[parent.expected]->key == key)
    return children[parent.expected++].get();
  if (parent.by_key.empty()) {
    for (std::size_t i = 0; i < children.size(); ++i)
      if (children[i]->key == key) {
        parent.expected = i + 1;
        return children[i].get();
      }
  } else if (const auto found = parent.by_key.find(key); found != parent.by_key.end()) {
    return found->second;
  }
  // As with fields: not every name is remembered, when each document brings new ones.
  if (nodes_ >= 4 * mapping_.limits().fields || key.size() > mapping_.limits().name_bytes) return nullptr;
  ++nodes_;
  auto made = std::make_unique<Node>();
  made->key = key;
  made->path = PathOf(parent, key);
  auto& child = *children.emplace_back(std::move(made));
  if (children.size() == kFew)
    for (const auto& one : children) parent.by_key.emplace(one->key, one.get());
  else if (children.size() > kFew)
    parent.by_key.emplace(child.key, &child);
  parent.expected = children.size();
  return &child;
}

void SegmentBuilder::WalkObject(const simdjson::dom::object& object, Node& node, std::size_t depth) {
  if (depth >= mapping_.limits().depth) {
    ++counters_.ignored_values;
    return;
  }
  node.expected = 0;
  for (const auto member : object) {
    if (Node* child = ChildOf(node, member.key); child != nullptr) {
      Walk(member.value, *child, depth + 1);
    } else {
      Node stray;
      stray.path = PathOf(node, member.key);
      Walk(member.value, stray, depth + 1);
    }
  }
}

void SegmentBuilder::Walk(const simdjson::dom::element& element, Node& node, std::size_t depth) {
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::OBJECT:
      return WalkObject(element.get_object().value_unsafe(), node, depth);
    case element_type::ARRAY:
      if (AddGeoPoint(element, node, depth)) return;
      if (depth >= mapping_.limits().depth) {
        ++counters_.ignored_values;
        return;
      }
      for (const auto item : element.get_array().value_unsafe()) Walk(item, node, depth + 1);
      return;
    case element_type::STRING:
      return AddString(node, element.get_string().value_unsafe());
    case element_type::INT64:
      return AddLong(node, element.get_int64().value_unsafe());
    case element_type::UINT64:
      return AddDouble(node, static_cast<double>(element.get_uint64().value_unsafe()));
    case element_type::DOUBLE:
      return AddDouble(node, element.get_double().value_unsafe());
    case element_type::BOOL:
      return AddBoolean(node, element.get_bool().value_unsafe());
    case element_type::NULL_VALUE:
      return;
  }
}

bool SegmentBuilder::AddGeoPoint(const simdjson::dom::element& element, Node& node, std::size_t depth) {
  // [longitude, latitude], as GeoJSON has it, in a field that the mapping calls a geo_point.
  FieldSpec spec;
  const auto array = element.get_array().value_unsafe();
  if (!mapping_.has_points() || (array.size() != 2 && array.size() != 3) ||
      !mapping_.Find(node.path, &spec) || spec.type != FieldType::kGeoPoint)
    return false;
  const auto lon = NumberOf(array.at(0).value_unsafe()), lat = NumberOf(array.at(1).value_unsafe());
  if (!lon || !lat || depth >= mapping_.limits().depth) return false;
  AddPoint(node, *lat, *lon);
  return true;
}

void SegmentBuilder::AddPoint(Node& node, double lat, double lon) {
  for (const auto& [name, degrees] : {std::pair{"lat", lat}, std::pair{"lon", lon}}) {
    Node stray;
    Node* child = ChildOf(node, name);
    if (child == nullptr) stray.path = PathOf(node, name);
    AddDouble(child != nullptr ? *child : stray, degrees);
  }
}

void SegmentBuilder::AddString(Node& node, std::string_view text) {
  const auto date = ParseDateString(text);
  FieldBuffer* field = FieldOf(node, date ? ValueKind::kDateString : ValueKind::kString);
  if (field == nullptr) return;
  switch (field->spec.type) {
    case FieldType::kText:
    case FieldType::kKeyword:
      return Store(*field, text, true);
    case FieldType::kDate:
      if (const auto own = OwnDate(field->spec.format, text)) return field->dates.Add(docs_, *own);
      if (date) return field->dates.Add(docs_, *date);
      break;
    case FieldType::kLong:
      if (const auto number = ParseNumber<std::int64_t>(text)) return field->longs.Add(docs_, *number);
      [[fallthrough]];
    case FieldType::kDouble:
      if (const auto number = ParseNumber<double>(text)) return field->doubles.Add(docs_, *number);
      break;
    case FieldType::kBoolean:
      if (text == "true" || text == "false") return field->booleans.Add(docs_, text == "true");
      break;
    case FieldType::kGeoPoint:
      if (const auto point = ParseGeoPoint(text)) return AddPoint(node, point->lat, point->lon);
      break;
    case FieldType::kDisabled:
      return;
  }
  Conflict(*field);
  Store(*field, text, true);
}

void SegmentBuilder::AddLong(Node& node, std::int64_t value) {
  FieldBuffer* field = FieldOf(node, ValueKind::kLong);
  if (field == nullptr) return;
  switch (field->spec.type) {
    case FieldType::kText:
    case FieldType::kKeyword:
      return Store(*field, std::to_string(value), true);
    case FieldType::kDate:
      if (const auto ms = DateOfNumber(value, field->spec.format)) return field->dates.Add(docs_, *ms);
      [[fallthrough]];
    case FieldType::kBoolean:
    case FieldType::kGeoPoint:
      Conflict(*field);
      break;
    default:
      break;
  }
  field->longs.Add(docs_, value);
}

void SegmentBuilder::AddDouble(Node& node, double value) {
  FieldBuffer* field = FieldOf(node, ValueKind::kDouble);
  if (field == nullptr) return;
  switch (field->spec.type) {
    case FieldType::kText:
    case FieldType::kKeyword:
      return Store(*field, DoubleText(value), true);
    case FieldType::kDate:
      if (const auto ms = DateOfNumber(value, field->spec.format)) return field->dates.Add(docs_, *ms);
      [[fallthrough]];
    case FieldType::kBoolean:
    case FieldType::kGeoPoint:
      Conflict(*field);
      break;
    default:
      break;
  }
  field->doubles.Add(docs_, value);
}

void SegmentBuilder::AddBoolean(Node& node, bool value) {
  FieldBuffer* field = FieldOf(node, ValueKind::kBoolean);
  if (field == nullptr) return;
  if (field->spec.type == FieldType::kText || field->spec.type == FieldType::kKeyword)
    return Store(*field, value ? "true" : "false", true);
  if (field->spec.type != FieldType::kBoolean) Conflict(*field);
  field->booleans.Add(docs_, value);
}

void SegmentBuilder::Conflict(FieldBuffer& field) {
  ++counters_.conflicting_values;
  if (!field.spec.conflicting) mapping_.MarkConflicting(field.name);
  field.spec.conflicting = true;
}

void SegmentBuilder::Store(FieldBuffer& field, std::string_view text, bool limited) {
  if (limited && text.size() > mapping_.limits().exact_bytes) {
    ++counters_.overlong_values;
    field.strings.Add(docs_, static_cast<std::uint32_t>(field.values.size()));
    field.values.push_back({0, static_cast<std::uint32_t>(text.size()), true});
  } else if (field.mark >= 0) {
    Detach(field, text);
    field.strings.Add(docs_, static_cast<std::uint32_t>(field.values.size()));
    field.values.push_back({values_.Append(text), static_cast<std::uint32_t>(text.size()), false});
  } else {
    bool fresh;
    std::uint32_t offset;
    auto& number = values_.Find(InternTable::MakeKey(field.space, text), &fresh, &offset);
    if (fresh) number = static_cast<std::uint32_t>(field.values.size());
    field.strings.Add(docs_, number);
    if (!fresh) return;
    field.values.push_back({offset, static_cast<std::uint32_t>(text.size()), false});
  }
  for (auto& view : field.texts) StoreText(field, view, text);
}

/// Notes where the string stands in the source. Only the first one of a field in a document can be put back.
void SegmentBuilder::Detach(FieldBuffer& field, std::string_view text) {
  if (text.empty() || (!field.strings.docs.empty() && field.strings.docs.back() == docs_)) return;
  // Strings come in their order in the source, so the search goes on where the last one ended. A string that
  // is written with escapes is not found, and stays.
  for (auto at = document_.find(text, document_at_); at != BytesView::npos;
       at = document_.find(text, at + 1)) {
    if (at == 0 || document_[at - 1] != '"' || document_.substr(at + text.size(), 1) != "\"") continue;
    cuts_.push_back({at, text.size(), field.mark});
    document_at_ = at + text.size();
    return;
  }
}

void SegmentBuilder::StoreText(FieldBuffer& field, TextBuffer& text, std::string_view value) {
  if (!analyzers_[static_cast<std::size_t>(text.analyzer)].Analyze(value, tokens_, mapping_.limits().tokens))
    ++counters_.cut_texts;
  if (text.exact) {
    if (tokens_.size() == 1 && tokens_[0].text == value && !field.values.back().overlong) return;
    MakeTokens(field, text, field.values.size() - 1);
  }
  AddTokens(text);
}

void SegmentBuilder::MakeTokens(const FieldBuffer& field, TextBuffer& text, std::size_t values) {
  text.exact = false;
  std::vector<Token> others;
  others.swap(tokens_);
  for (std::size_t v = 0; v < values; ++v) {
    const auto& value = field.values[v];
    tokens_.assign(1, {BytesView(values_.arena()).substr(value.offset, value.length), TokenKind::kWord, 0});
    AddTokens(text);
  }
  tokens_.swap(others);
}

void SegmentBuilder::AddTokens(TextBuffer& text) {
  text.begins.push_back(text.tokens.size());
  // Prepare and prefetch the whole batch first: the look-ups then wait for memory together, not one by one.
  if (keys_.size() < tokens_.size()) keys_.resize(tokens_.size());
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    keys_[i] = InternTable::MakeKey(text.space, tokens_[i].text);
    terms_.Prefetch(keys_[i]);
  }
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    bool fresh;
    std::uint32_t offset;
    auto& number = terms_.Find(keys_[i], &fresh, &offset);
    if (fresh) {
      number = static_cast<std::uint32_t>(text.terms.size());
      text.terms.push_back({offset, static_cast<std::uint32_t>(tokens_[i].text.size())});
    }
    text.tokens.push_back(number);
  }
}

void SegmentBuilder::LearnUnique() {
  constexpr std::uint32_t kEnough = 1000;  // documents, before anything is said about a field
  constexpr std::size_t kWorth = 12;       // bytes: shorter strings cost little twice
  if (docs_ < kEnough) return;
  for (const auto& field : fields_) {
    if (!field.searchable || IsStoreField(field.name)) continue;
    std::size_t exact = 0, bytes = 0, overlong = 0;
    for (const auto& value : field.values) {
      overlong += value.overlong ? 1 : 0;
      if (!value.overlong) ++exact, bytes += value.length;
    }
    const auto strings = field.strings.docs.size() - overlong;
    if (exact * 4 >= docs_ && exact * 10 >= strings * 9 && bytes >= exact * kWorth)
      mapping_.MarkUnique(field.name);
  }
}

std::string SegmentBuilder::Finish(bool pack_terms) {
  SegmentFileWriter file(pack_terms, last_bytes_);
  LearnUnique();
  for (auto& field : fields_) {
    if (!field.searchable) continue;
    const auto& docs = field.strings.docs;
    if (!field.texts.empty() && field.texts[0].exact &&
        std::adjacent_find(docs.begin(), docs.end()) != docs.end())
      MakeTokens(field, field.texts[0], field.values.size());
    WriteField(field, values_.arena(), terms_.arena(), docs_, file);
  }
  std::string section;
  for (const auto& name : unique_) AppendString(section, name);
  if (!section.empty()) file.AddSection(SectionKind::kDetached, kNoField, section);
  const auto [head, data] = source_.Finish();
  file.AddSection(SectionKind::kSource, kNoField, head, data);
  auto bytes = file.Finish(docs_);
  last_bytes_ = bytes.size();
  docs_ = spaces_ = 0;
  fields_.clear();
  by_name_.clear();
  own_ = {};
  ++segment_;
  counters_ = {};
  constexpr std::size_t kNodesKept = 1000;
  if (nodes_ > kNodesKept) {
    root_ = std::make_unique<Node>();
    nodes_ = 0;
  }
  exact_path_.clear();
  values_.Clear();
  terms_.Clear();
  unique_ = mapping_.Unique();
  return bytes;
}

}  // namespace honryu::search
