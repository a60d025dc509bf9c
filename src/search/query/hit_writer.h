#pragma once

#include "honryu/base/result.h"
#include "honryu/codec/json.h"
#include "search/query/highlight.h"
#include "search/query/searcher.h"
#include "search/query/sort.h"

#include <optional>
#include <string>
#include <vector>

namespace honryu::search {

/// Which parts of the source an answer shows. Patterns may hold `*`; a path covers everything below it.
struct SourceFilter {
  bool show = true;
  std::vector<std::string> includes, excludes;
  bool whole() const { return show && includes.empty() && excludes.empty(); }
};

/// A field to show as an array of values; dates by `format`.
struct ShownField {
  std::string name;
  std::string format;
};

/// What of its hits an answer shows.
struct HitView {
  SourceFilter source;
  std::vector<ShownField> fields;
  std::optional<Highlight> highlight;
};

/// The body of "_source".
SourceFilter ParseSource(const codec::Json& json);
/// Adds what "fields" or "docvalue_fields" lists.
void ParseFields(const codec::Json& json, std::vector<ShownField>& out);
/// "f", {"f":"desc"}, {"f":{"order":…}}, or a list of these.
Result<std::vector<SortField>> ParseSort(const codec::Json& json);

/// {"_index","_id","_score","_source","fields","highlight","sort"}, as far as they are asked for. `sorts` are
/// those that gave hit.sort; empty: by score.
Result<void> WriteHit(const IndexedSegment& indexed, const Hit& hit, const std::vector<SortField>& sorts,
                      const HitView& view, Segment::SourceCache& cache, codec::JsonWriter& out);

}  // namespace honryu::search
