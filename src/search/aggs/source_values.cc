#include "search/aggs/source_values.h"

#include "honryu/search/api_error.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

namespace honryu::search {
namespace {

using Type = SourceCode::Type;

/// A document with more combinations than this is refused: they would all be buckets.
constexpr std::size_t kMaxCombinations = 65'535;
constexpr std::size_t kCodeBytes = 1 + sizeof(std::int64_t);

void Append(const SourceCode& code, std::string& tuple) {
  tuple += static_cast<char>(code.type);
  tuple.append(reinterpret_cast<const char*>(&code.value), sizeof code.value);
}
SourceCode CodeAt(std::string_view tuple, std::size_t place) {
  SourceCode code;
  code.type = static_cast<Type>(tuple[place * kCodeBytes]);
  tuple.copy(reinterpret_cast<char*>(&code.value), sizeof code.value, place * kCodeBytes + 1);
  return code;
}

}  // namespace

SourceValues::SourceValues(const AggSpec& spec, AggSegment& segment, std::size_t wanted)
    : spec_(spec), segment_(segment), rounder_(spec) {
  const auto view = ViewField(segment.segment(), spec.field);
  if (!view) return;
  field_ = view->field;
  path_ = view->path;
  dates_ = field_->dates.has_value();
  const auto open = [&](Type type, const std::optional<Column>& column) {
    if (column) cursors_.push_back({type, ColumnCursor(*column, wanted)});
  };
  open(Type::kWhole, field_->longs);
  open(Type::kDouble, field_->doubles);
  open(Type::kBoolean, field_->booleans);
  open(Type::kWhole, field_->dates);
}

void SourceValues::Of(std::uint32_t doc, std::vector<SourceCode>& out) {
  out.clear();
  for (auto& cursor : cursors_)
    cursor.column.Of(doc,
                     [&](std::int64_t stored) { Take(cursor.type, stored, cursor.column.column(), out); });
  if (field_ != nullptr && field_->keywords && spec_.kind == AggSpec::Kind::kTerms) TakeStrings(doc, out);
  if (out.empty() && spec_.missing) out.push_back({Type::kDefault, 0});
  if (out.empty() && spec_.missing_bucket) out.push_back({});
  std::sort(out.begin(), out.end(), [](const SourceCode& a, const SourceCode& b) {
    return a.type != b.type ? a.type < b.type : a.value < b.value;
  });
  out.erase(std::unique(out.begin(), out.end(),
                        [](const SourceCode& a, const SourceCode& b) {
                          return a.type == b.type && a.value == b.value;
                        }),
            out.end());
}

void SourceValues::TakeStrings(std::uint32_t doc, std::vector<SourceCode>& out) {
  const KeywordColumn& column = *field_->keywords;
  std::size_t begin, end;
  if (column.ordinals.index().Find(doc, &begin, &end))
    for (; begin < end; ++begin)
      if (column.Ordinal(begin) < column.terms.size())
        out.push_back({Type::kOrdinal, static_cast<std::int64_t>(column.Ordinal(begin))});
  if (!std::binary_search(column.overlong.begin(), column.overlong.end(), doc)) return;
  segment_.source().Strings(doc, path_, [&](std::string_view text) {
    if (column.terms.Find(text)) return;
    const auto known = std::find(texts_.begin(), texts_.end(), text);
    out.push_back({Type::kText, known - texts_.begin()});
    if (known == texts_.end()) texts_.emplace_back(text);
  });
}

SortValue SourceValues::Decode(const SourceCode& code) const {
  switch (code.type) {
    case Type::kMissing:
      return {};
    case Type::kDouble:
      return std::bit_cast<double>(code.value);
    case Type::kOrdinal:
      return field_->keywords->terms.Term(static_cast<std::uint32_t>(code.value));
    case Type::kText:
      return texts_[static_cast<std::size_t>(code.value)];
    case Type::kDefault:
      if (const auto* text = std::get_if<std::string>(&*spec_.missing)) return *text;
      if (const auto* whole = std::get_if<std::int64_t>(&*spec_.missing)) return *whole;
      if (const auto* fraction = std::get_if<double>(&*spec_.missing)) return *fraction;
      return std::int64_t{std::get<bool>(*spec_.missing) ? 1 : 0};
    default:
      return code.value;
  }
}

void SourceValues::Take(Type type, std::int64_t stored, const Column& column, std::vector<SourceCode>& out) {
  const double number = type == Type::kDouble ? column.ToDouble(stored) : static_cast<double>(stored);
  if (spec_.kind == AggSpec::Kind::kDateHistogram) {
    if (type != Type::kDouble) out.push_back({Type::kWhole, rounder_.Key(stored)});
  } else if (spec_.kind == AggSpec::Kind::kHistogram) {
    const double key = std::floor((number - spec_.offset) / spec_.interval) * spec_.interval + spec_.offset;
    out.push_back({Type::kDouble, std::bit_cast<std::int64_t>(key)});
  } else if (type == Type::kDouble) {
    out.push_back({type, std::bit_cast<std::int64_t>(number)});
  } else {
    out.push_back({type, stored});
  }
}

Result<void> ForEachTuple(const std::vector<AggSpec>& specs, AggSegment& segment,
                          std::span<const std::uint32_t> docs, AggContext& context, std::size_t& charged,
                          const std::function<Result<void>(Tuple, std::span<const std::uint32_t>)>& take) {
  std::vector<SourceValues> sources;
  sources.reserve(specs.size());
  for (const auto& spec : specs) sources.emplace_back(spec, segment, docs.size());
  std::unordered_map<std::string, std::vector<std::uint32_t>> groups;
  std::vector<std::vector<SourceCode>> values(sources.size());
  std::vector<std::string> tuples, next;
  std::size_t bytes = 0;
  for (const auto doc : docs) {
    tuples.assign(1, std::string());
    for (std::size_t i = 0; i < sources.size(); ++i) {
      sources[i].Of(doc, values[i]);
      if (tuples.size() * values[i].size() > kMaxCombinations)
        return IllegalArgument("a document has more than " + std::to_string(kMaxCombinations) +
                               " combinations of values");
      next.clear();
      for (const auto& tuple : tuples)
        for (const auto& code : values[i]) Append(code, next.emplace_back(tuple));
      tuples.swap(next);
    }
    for (auto& tuple : tuples) {
      auto [found, fresh] = groups.try_emplace(std::move(tuple));
      bytes += sizeof(std::uint32_t) + (fresh ? 64 + found->first.size() : 0);
      found->second.push_back(doc);
    }
    if (bytes > charged) HONRYU_TRY_VOID(context.Reserve(bytes - std::exchange(charged, bytes)));
  }
  for (const auto& [codes, list] : groups) {
    Tuple tuple;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const auto code = CodeAt(codes, i);
      tuple.values.push_back(sources[i].Decode(code));
      const bool boolean = code.type == Type::kBoolean ||
                           (code.type == Type::kDefault && std::holds_alternative<bool>(*specs[i].missing));
      const bool date = code.type == Type::kWhole && sources[i].dates();
      tuple.forms.push_back(boolean ? Tuple::Form::kBoolean
                            : date  ? Tuple::Form::kDate
                                    : Tuple::Form::kPlain);
    }
    HONRYU_TRY_VOID(take(std::move(tuple), list));
  }
  return Ok();
}

}  // namespace honryu::search
