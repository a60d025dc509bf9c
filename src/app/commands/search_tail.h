#pragma once

#include "honryu/base/result.h"
#include "honryu/codec/json.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::app {

/// Where each shard was read up to: its events become visible in their order, so that what is behind is new,
/// however old its own time is. Events of one record (an aggregate) are told apart by their part of it.
class SearchTail {
 public:
  static constexpr std::size_t kBatch = 1000;  ///< Events of one answer.

  /// Asks for the end of every shard.
  static std::string BeginBody();
  /// Takes the answer. kUnavailable when the search came to its time limit: ends would be missing.
  Result<void> Begin(const codec::Json& answer);
  /// Asks for what is behind the ends and fits `query` (JSON); `more` are further members of the body.
  std::string Body(std::string_view query, std::string_view more) const;
  struct Events {
    std::vector<codec::Json> hits;  ///< In the order of their time, the first value of their sort then.
    bool full = false;              ///< There may be more already.
  };
  /// Takes the answer and moves the ends. kUnavailable, and nothing is moved, when the search came to its
  /// time limit: the events that it did not see would never be shown.
  Result<Events> Take(const codec::Json& answer);

 private:
  struct Place {
    std::int64_t sequence = -1, part = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  std::map<std::string, Place> last_;
};

}  // namespace honryu::app
