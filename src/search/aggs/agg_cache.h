#pragma once

#include "honryu/codec/json.h"
#include "search/query/query.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace honryu::search {

struct AggPartial;

/// What aggregations made of single segments, for the next request like it. Segments never change, so a
/// dashboard that asks again computes only what is new. The least recently used go first. Thread-safe.
class AggCache {
 public:
  explicit AggCache(std::size_t limit_bytes = 64ull << 20) : limit_(limit_bytes) {}
  /// Null: not there.
  std::shared_ptr<const AggPartial> Find(const std::string& key);
  void Put(const std::string& key, std::shared_ptr<const AggPartial> partial, std::size_t bytes);
  std::size_t bytes() const;

 private:
  struct Kept {
    std::string key;
    std::shared_ptr<const AggPartial> partial;  // shared with the requests that read it
    std::size_t bytes;
  };
  const std::size_t limit_;
  mutable std::mutex mutex_;  // leaf
  std::size_t bytes_ = 0;
  std::list<Kept> kept_;  ///< The last used in front.
  std::unordered_map<std::string_view, std::list<Kept>::iterator> by_key_;
};

/// What a request is remembered by: its aggregations and its query as text, without the ranges that all
/// matches must lie in; these count by what they leave of a segment, so that a panel of the last hour, which
/// asks for another range each time, is remembered for the segments inside.
struct AggCacheKey {
  std::string text;                  ///< Empty: this request is not remembered.
  std::vector<const Query*> ranges;  ///< Point into the request.
};
/// The text of a request with these parts of its JSON body; null: absent.
std::string AggCacheText(const codec::Json* query, const codec::Json* aggs);
/// The ranges that the text leaves out.
std::vector<const Query*> RangesOf(const Query& query);

}  // namespace honryu::search
