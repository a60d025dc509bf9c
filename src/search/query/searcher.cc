#include "search/query/searcher.h"

#include "search/query/matcher.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace honryu::search {
namespace {

constexpr auto kBlock = static_cast<std::uint32_t>(PackedInts::kBlock);
/// The first window of a search, and the largest: what is looked at beyond the count that was asked for is
/// less than that.
constexpr std::uint32_t kFirstWindowBlocks = 16, kMostWindowBlocks = 256;

/// The best `capacity` hits so far, as a heap with the worst in front.
class TopHits {
 public:
  TopHits(const std::vector<SortField>& sort, std::size_t capacity) : sort_(sort), capacity_(capacity) {}
  bool full() const { return hits_.size() >= capacity_; }
  const Hit& worst() const { return hits_.front(); }
  void Offer(Hit hit) {
    if (capacity_ == 0) return;
    const auto before = [this](const Hit& a, const Hit& b) { return Before(a, b); };
    if (full()) {
      if (!Before(hit, worst())) return;
      std::pop_heap(hits_.begin(), hits_.end(), before);
      hits_.pop_back();
    }
    hits_.push_back(std::move(hit));
    std::push_heap(hits_.begin(), hits_.end(), before);
  }
  std::vector<Hit> Take() {
    std::sort(hits_.begin(), hits_.end(), [this](const Hit& a, const Hit& b) { return Before(a, b); });
    return std::move(hits_);
  }

 private:
  bool Before(const Hit& a, const Hit& b) const {
    if (SortsBefore(sort_, a.sort, b.sort)) return true;
    if (SortsBefore(sort_, b.sort, a.sort)) return false;
    return a.segment != b.segment ? a.segment < b.segment : a.doc < b.doc;
  }
  const std::vector<SortField>& sort_;
  std::size_t capacity_;
  std::vector<Hit> hits_;
};

/// Least and greatest key that a segment can have, by its blocks.
struct KeyRange {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t greatest = std::numeric_limits<std::int64_t>::min();
};
KeyRange RangeOf(const Column& column, std::size_t first = 0, std::size_t end = SIZE_MAX) {
  KeyRange range;
  for (auto b = first; b < std::min(end, column.values().blocks()); ++b) {
    range.least = std::min(range.least, column.values().BlockMin(b));
    range.greatest = std::max(range.greatest, column.values().BlockMax(b));
  }
  return range;
}

class Search {
 public:
  Search(const std::vector<IndexedSegment>& segments, const HitsRequest& request, const QueryContext& context,
         const SearchLimits& limits, MatchCollector* collector)
      : segments_(segments),
        request_(request),
        context_{context.now_ms, limits},
        limits_(limits),
        collector_(collector),
        sort_(request.sort.empty() ? std::vector<SortField>{{SortField::By::kScore, {}, true, false, {}, {}}}
                                   : request.sort),
        top_(sort_, request.from + request.size) {
    // Without hits nobody sees a score.
    scoring_ = request.from + request.size > 0 && std::any_of(sort_.begin(), sort_.end(), [](const auto& s) {
                 return s.by == SortField::By::kScore;
               });
    bases_.resize(segments.size());
    for (std::size_t i = 0, base = 0; i < segments.size(); base += segments[i++].segment->doc_count())
      bases_[i] = static_cast<std::int64_t>(base);
  }

  Result<SearchResult> Run() {
    for (const auto number : Order()) {
      auto visited = limits_.Check();
      if (visited.ok() && Hopeless(number)) {
        result_.total_is_least = true;
        continue;
      }
      if (visited.ok()) visited = VisitSegment(number);
      if (!visited.ok() && visited.error().code() == ErrorCode::kDeadlineExceeded) {
        result_.timed_out = true;
        break;
      }
      HONRYU_TRY_VOID(std::move(visited));
      if (result_.terminated_early) break;
    }
    if (result_.total > request_.track_total) {
      result_.total = request_.track_total;
      result_.total_is_least = true;
    } else if (result_.total_is_least) {
      result_.total = std::min(result_.total, request_.track_total);
    }
    result_.hits = top_.Take();
    result_.hits.erase(result_.hits.begin(), result_.hits.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                        request_.from, result_.hits.size())));
    if (!scoring_) result_.max_score.reset();
    return std::move(result_);
  }

 private:
  /// Segments with the best first keys first.
  std::vector<std::size_t> Order() const {
    std::vector<std::size_t> order(segments_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (sort_[0].by != SortField::By::kField) return order;
    std::vector<std::int64_t> best(segments_.size());
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      const SortColumn column(*segments_[i].segment, sort_[0]);
      const auto range = column.plain() != nullptr ? RangeOf(*column.plain()) : KeyRange{};
      best[i] = sort_[0].descending ? range.greatest : range.least;
    }
    std::sort(order.begin(), order.end(), [&](auto a, auto b) {
      if (best[a] == best[b]) return a < b;
      return sort_[0].descending ? best[a] > best[b] : best[a] < best[b];
    });
    return order;
  }

  bool Counted() const { return result_.total >= request_.track_total && collector_ == nullptr; }

  /// True when keys in `range` cannot stand before the worst hit.
  bool CannotBeat(const KeyRange& range) const {
    if (!top_.full() || request_.from + request_.size == 0) return top_.full();
    const auto* worst = std::get_if<std::int64_t>(&top_.worst().sort[0]);
    if (worst == nullptr) return false;
    return sort_[0].descending ? range.greatest < *worst : range.least > *worst;
  }
  bool Hopeless(std::size_t number) const {
    if (!Counted() || sort_[0].by != SortField::By::kField || !top_.full()) return false;
    const SortColumn column(*segments_[number].segment, sort_[0]);
    return column.plain() != nullptr && CannotBeat(RangeOf(*column.plain()));
  }

  Result<void> VisitSegment(std::size_t number) {
    const auto& segment = *segments_[number].segment;
    SegmentMatcher matcher(segment, context_);
    const bool only_collects = request_.from + request_.size == 0 && !request_.post_filter &&
                               request_.terminate_after == 0 &&
                               request_.min_score == -std::numeric_limits<double>::infinity();
    if (collector_ != nullptr && only_collects) {
      HONRYU_TRY(const auto known, collector_->Recall(segments_[number], matcher));
      if (known) {
        seen_ += *known;
        result_.total += *known;
        return Ok();
      }
    }
    if (collector_ == nullptr && InWindows()) {
      const SortColumn column(segment, sort_[0]);
      if (column.plain() != nullptr) return VisitWindows(number, *column.plain(), matcher);
    }
    HONRYU_TRY(auto docs, matcher.Match(request_.query));
    if (segments_[number].deleted != nullptr) docs.AndNot(*segments_[number].deleted);
    if (segments_[number].filter != nullptr) {
      HONRYU_TRY(const auto shown, matcher.Match(segments_[number].filter->query));
      docs.And(shown);
    }
    if (request_.terminate_after > 0 && seen_ + docs.size() >= request_.terminate_after) {
      auto all = docs.ToVector();
      all.resize(static_cast<std::size_t>(request_.terminate_after - seen_));
      docs = DocSet::FromSorted(segment.doc_count(), std::move(all));
      result_.terminated_early = true;
    }
    seen_ += docs.size();
    if (collector_ != nullptr) HONRYU_TRY_VOID(collector_->Collect(segments_[number], docs));
    if (request_.post_filter) {
      HONRYU_TRY(const auto kept, matcher.Match(*request_.post_filter));
      docs.And(kept);
    }
    scores_.clear();
    const bool by_score = scoring_ || request_.min_score > -std::numeric_limits<double>::infinity();
    if (by_score && !docs.empty()) {
      scores_.assign(segment.doc_count(), 0.0f);
      HONRYU_TRY_VOID(matcher.AddScores(request_.query, docs, 1, scores_));
      if (request_.min_score > -std::numeric_limits<double>::infinity())
        docs.Filter([this](std::uint32_t doc) { return scores_[doc] >= request_.min_score; });
    }
    result_.total += docs.size();
    if (request_.from + request_.size > 0) Rank(number, docs);
    return Ok();
  }

  /// Whether it may be that not all matches of a segment have to be found: hits by a field, counted up to a
  /// bound.
  bool InWindows() const {
    return sort_[0].by == SortField::By::kField && !scoring_ && request_.from + request_.size > 0 &&
           request_.track_total < std::numeric_limits<std::uint64_t>::max() &&
           request_.terminate_after == 0 && request_.min_score == -std::numeric_limits<double>::infinity();
  }

  /// Looks at a segment's documents in windows, from where the best keys most likely are: once enough matches
  /// are counted, windows without a better hit are not searched. Windows grow, so that a query with few
  /// matches is not evaluated many times.
  Result<void> VisitWindows(std::size_t number, const Column& keys, SegmentMatcher& matcher) {
    const auto& segment = *segments_[number].segment;
    const std::uint32_t blocks = (segment.doc_count() + kBlock - 1) / kBlock;
    for (std::uint32_t done = 0; done < blocks;) {
      const auto size = std::min(window_blocks_, blocks - done);
      const auto first = sort_[0].descending ? blocks - done - size : done;
      done += size;
      if (Counted() && CannotBeat(RangeOf(keys, first, first + size))) {
        result_.total_is_least = true;
        continue;
      }
      window_blocks_ = std::min(window_blocks_ * 2, kMostWindowBlocks);
      HONRYU_TRY_VOID(limits_.Check());
      const DocRange range{first * kBlock, (first + size) * kBlock};
      HONRYU_TRY(auto docs, matcher.MatchWithin(request_.query, range));
      if (segments_[number].deleted != nullptr) docs.AndNot(*segments_[number].deleted);
      if (segments_[number].filter != nullptr && !docs.empty()) {
        HONRYU_TRY(const auto shown, matcher.MatchWithin(segments_[number].filter->query, range));
        docs.And(shown);
      }
      if (request_.post_filter && !docs.empty()) {
        HONRYU_TRY(const auto kept, matcher.MatchWithin(*request_.post_filter, range));
        docs.And(kept);
      }
      result_.total += docs.size();
      Rank(number, docs, first, first + size);
    }
    return Ok();
  }

  /// Offers the documents of blocks from `first` to before `end`.
  void Rank(std::size_t number, const DocSet& docs, std::uint32_t first = 0, std::uint32_t end = UINT32_MAX) {
    const auto& segment = *segments_[number].segment;
    std::vector<SortColumn> columns;
    for (const auto& sort : sort_) columns.emplace_back(segment, sort);
    const auto* plain = sort_[0].by == SortField::By::kField ? columns[0].plain() : nullptr;
    const std::uint32_t blocks = (segment.doc_count() + kBlock - 1) / kBlock;
    std::vector<std::uint32_t> block_docs;
    std::array<std::int64_t, kBlock> keys;
    end = std::min(end, blocks);
    for (std::uint32_t i = first; i < end; ++i) {
      // Documents come nearly in order of time: the newest are in the last blocks.
      const auto block = sort_[0].descending ? end - 1 - (i - first) : i;
      if (plain != nullptr && CannotBeat({plain->values().BlockMin(block), plain->values().BlockMax(block)}))
        continue;
      block_docs.clear();
      docs.AppendRange(block * kBlock, (block + 1) * kBlock, block_docs);
      if (block_docs.empty()) continue;
      if (plain != nullptr) plain->values().Decode(block, keys.data());
      // Likewise within a block: after the best of them, the others are passed over.
      if (sort_[0].descending) std::reverse(block_docs.begin(), block_docs.end());
      for (const auto doc : block_docs) {
        if (plain != nullptr && CannotBeat({keys[doc % kBlock], keys[doc % kBlock]})) continue;
        if (scoring_ && top_.full() && sort_[0].by == SortField::By::kScore && sort_[0].descending &&
            static_cast<double>(scores_[doc]) < std::get<double>(top_.worst().sort[0])) {
          result_.max_score = std::max(result_.max_score.value_or(scores_[doc]), scores_[doc]);
          continue;
        }
        Hit hit{number, doc, scores_.empty() ? 0.0f : scores_[doc], {}};
        if (scoring_) result_.max_score = std::max(result_.max_score.value_or(hit.score), hit.score);
        for (std::size_t s = 0; s < sort_.size(); ++s) {
          if (sort_[s].by == SortField::By::kScore)
            hit.sort.emplace_back(static_cast<double>(hit.score));
          else if (sort_[s].by == SortField::By::kDocument)
            hit.sort.emplace_back(bases_[number] + doc);
          else
            hit.sort.push_back(columns[s].Get(doc));
        }
        if (!request_.search_after.empty() && !SortsBefore(sort_, request_.search_after, hit.sort)) continue;
        top_.Offer(std::move(hit));
      }
    }
  }

  const std::vector<IndexedSegment>& segments_;
  const HitsRequest& request_;
  const QueryContext context_;
  const SearchLimits& limits_;
  MatchCollector* collector_;
  std::vector<SortField> sort_;
  TopHits top_;
  bool scoring_ = false;
  std::vector<std::int64_t> bases_;
  std::vector<float> scores_;
  std::uint64_t seen_ = 0;
  std::uint32_t window_blocks_ = kFirstWindowBlocks;  ///< Of the next window.
  SearchResult result_;
};

}  // namespace

Result<SearchResult> SearchSegments(const std::vector<IndexedSegment>& segments, const HitsRequest& request,
                                    const QueryContext& context, const SearchLimits& limits,
                                    MatchCollector* collector) {
  return Search(segments, request, context, limits, collector).Run();
}

Result<std::uint64_t> CountMatches(const std::vector<IndexedSegment>& segments, const Query& query,
                                   const QueryContext& context, const SearchLimits& limits) {
  HitsRequest request;
  request.query = query;
  request.size = 0;
  request.track_total = std::numeric_limits<std::uint64_t>::max();
  request.sort.push_back({SortField::By::kDocument, {}, false, false, {}, {}});  // nothing to score
  HONRYU_TRY(const auto result, SearchSegments(segments, request, context, limits, nullptr));
  return result.total;
}

}  // namespace honryu::search
