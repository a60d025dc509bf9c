#pragma once

#include "honryu/consumer/redrive.h"

#include <functional>
#include <map>
#include <string>
#include <utility>

namespace honryu::consumer {

/// Joins the parts of letters as they are read. An attempt to store a letter may have been repeated, with
/// other parts even, so parts are kept apart by how many there are.
class PartJoiner {
 public:
  /// The whole letter once its last part has come.
  std::optional<DeadLetterPart> Add(DeadLetterPart part);

 private:
  struct Parts {
    std::map<std::uint32_t, std::string> data;
    std::size_t bytes = 0;
  };
  std::map<std::pair<std::string, std::uint32_t>, Parts> open_;
};

/// Reads a dead-letter stream from its beginning up to where it ends, shard by shard, parents first. `take`
/// is given every record; false: enough. kNotFound without the stream.
async::Task<Result<void>> ReadLetters(client::StreamClient& client, std::string stream,
                                      std::function<async::Task<Result<bool>>(Result<DeadLetterEntry>)> take);

/// Which letters the ledger says were put back.
class Ledger {
 public:
  void Add(const RedriveMark& mark);
  LetterStatus StatusOf(const std::string& id) const;

 private:
  std::map<std::string, std::set<std::string>> started_;  ///< Letter -> redrives that have not told its end.
  std::set<std::string> done_;
};

}  // namespace honryu::consumer
