#pragma once

#include "honryu/base/result.h"
#include "honryu/codec/json.h"
#include "search/query/query.h"
#include "search/segment/segment.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

/// What a query looks for in a string, for showing where it stands.
struct HighlightTerm {
  enum class Kind : std::uint8_t {
    kWords,     ///< These words one behind the other (or this run of Chinese, Japanese, Korean characters).
    kPrefix,    ///< A word that begins so.
    kWildcard,  ///< A word that this pattern fits (`*`, `?`).
  };
  MatchQuery::Fields fields;  ///< Names or patterns; empty: any.
  Kind kind = Kind::kWords;
  std::vector<std::string> words;  ///< Folded.
};

/// The body of "highlight".
struct Highlight {
  struct Field {
    std::string pattern;
    std::size_t fragment_size = 100;  ///< In bytes; 0: the whole value.
    std::size_t fragments = 5;        ///< 0: the whole value.
    std::string before = "<em>", after = "</em>";
    bool require_field_match = true;
    std::vector<HighlightTerm> terms;  ///< By "highlight_query"; else those of the query.
    bool own_query = false;
  };
  std::vector<Field> fields;
  std::vector<HighlightTerm> terms;

  /// Takes what `query` looks for.
  void CollectTerms(const Query& query);
};

/// kInvalidArgument names what is unknown.
Result<Highlight> ParseHighlight(const codec::Json& json);

/// Values of one field with marks, or pieces of them; none where nothing is found. `fits` are the terms that
/// count for the field.
std::vector<std::string> HighlightText(std::string_view text, const std::vector<const HighlightTerm*>& terms,
                                       const Highlight::Field& field);

/// "highlight":{"field":["… <em>…</em> …"]} of a document, if anything is found.
void WriteHighlights(const codec::Json& document, const Segment& segment, const Highlight& highlight,
                     codec::JsonWriter& out);

}  // namespace honryu::search
