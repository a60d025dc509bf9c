#pragma once

#include "honryu/base/result.h"
#include "honryu/search/name_pattern.h"
#include "search/geo/geo_point.h"
#include "search/query/date_math.h"
#include "search/query/doc_set.h"
#include "search/query/field_view.h"
#include "search/query/pattern.h"
#include "search/query/query.h"
#include "search/query/text_match.h"

#include <span>
#include <string_view>
#include <vector>

namespace honryu::search {

/// Evaluates queries over one segment. Not thread-safe.
class SegmentMatcher {
 public:
  SegmentMatcher(const Segment& segment, const QueryContext& context)
      : segment_(segment), context_(context), source_(segment) {}

  /// kInvalidArgument for dates and regular expressions that cannot be read.
  Result<DocSet> Match(const Query& query);
  /// The matches within `range`, without the work for the others.
  Result<DocSet> MatchWithin(const Query& query, DocRange range);
  /// Adds what `query` scores to the documents of `within` (those that it matches): BM25 (Robertson and
  /// Zaragoza 2009, k1 = 1.2, b = 0.75, statistics of this segment) for analysed text, its boost otherwise.
  /// `scores` has a place for every document.
  Result<void> AddScores(const Query& query, const DocSet& within, double boost, std::span<float> scores);

 private:
  using D = Result<DocSet>;
  D Visit(const MatchAllQuery& query);
  D Visit(const MatchNoneQuery& query);
  D Visit(const BoolQuery& query);
  D Visit(const TermsQuery& query);
  D Visit(const IdsQuery& query);
  D Visit(const ExistsQuery& query);
  D Visit(const PatternQuery& query);
  D Visit(const RangeQuery& query);
  D Visit(const MatchQuery& query);
  D Visit(const GeoBoxQuery& query);
  D Visit(const GeoDistanceQuery& query);
  D Visit(const ConstantScoreQuery& query);

  Result<void> MatchOne(const FieldView& view, const Scalar& value, DocSet& docs);
  D MatchPoints(std::string_view field, const DoubleRange& latitudes,
                const std::function<bool(const GeoPoint&)>& inside);
  struct WeightedView {
    FieldView view;
    double boost;
  };
  std::vector<WeightedView> Views(const MatchQuery& query) const;
  std::vector<TextClause> Clauses(const FieldView& view, const MatchQuery& query);
  D MatchField(const FieldView& view, const MatchQuery& query);
  /// kInvalidArgument when a regular expression gives up on a value: leaving it out would be silent.
  D MatchPattern(const FieldView& view, const Pattern& pattern);
  D MatchFieldPattern(const FieldView& view, const MatchQuery& query);
  void ScoreField(const FieldView& view, const MatchQuery& query, const DocSet& within, double boost,
                  std::span<float> scores);

  const Segment& segment_;
  const QueryContext& context_;
  SourceReader source_;
  /// Documents outside of it may be missing from what Visit returns, or too many; see MatchWithin.
  DocRange range_;
};

/// How many of `count` clauses "2", "-1", "75%" or "-25%" asks for (a plain number may ask for more than
/// there are); `fallback` for "".
std::size_t RequiredClauses(std::string_view minimum, std::size_t count, std::size_t fallback);

}  // namespace honryu::search
