#include "search/aggs/values.h"
#include "search/query/hit_writer.h"

#include <algorithm>

namespace honryu::search {
namespace {

class TopHits final : public Aggregation {
 public:
  using Aggregation::Aggregation;

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    count_ += docs.size();
    const auto wanted = spec_.from + spec_.size;
    if (wanted == 0) return Ok();
    std::vector<SortColumn> columns;
    for (const auto& sort : spec_.sort) columns.emplace_back(segment.segment(), sort);
    for (const auto doc : docs) {
      Kept kept{&segment.indexed(), {0, doc, 0, {}}};
      for (std::size_t i = 0; i < spec_.sort.size(); ++i)
        kept.hit.sort.push_back(spec_.sort[i].by == SortField::By::kDocument ? SortValue(std::int64_t{doc})
                                                                             : columns[i].Get(doc));
      const auto before = [this](const Kept& a, const Kept& b) {
        return SortsBefore(spec_.sort, a.hit.sort, b.hit.sort);
      };
      if (best_.size() == wanted && !before(kept, best_.back())) continue;
      if (best_.size() < wanted) HONRYU_TRY_VOID(context_.Reserve(sizeof(Kept) + 64));
      best_.insert(std::upper_bound(best_.begin(), best_.end(), kept, before), std::move(kept));
      if (best_.size() > wanted) best_.pop_back();
    }
    return Ok();
  }

  Result<void> Write(codec::JsonWriter& out) override {
    out.Key("hits");
    out.BeginObject();
    out.Key("total");
    out.BeginObject();
    out.Key("value");
    out.Uint(count_);
    out.Key("relation");
    out.String("eq");
    out.EndObject();
    out.Key("max_score");
    out.Null();
    out.Key("hits");
    out.BeginArray();
    for (std::size_t i = spec_.from; i < best_.size(); ++i) {
      Segment::SourceCache cache;
      HONRYU_TRY_VOID(WriteHit(*best_[i].indexed, best_[i].hit, spec_.sort, spec_.view, cache, out));
    }
    out.EndArray();
    out.EndObject();
    return Ok();
  }

 private:
  struct Kept {
    const IndexedSegment* indexed;
    Hit hit;
  };
  std::uint64_t count_ = 0;
  std::vector<Kept> best_;
};

}  // namespace

std::unique_ptr<Aggregation> MakeTopHits(const AggSpec& spec, AggContext& context) {
  return std::make_unique<TopHits>(spec, context);
}

}  // namespace honryu::search
