#include "honryu/consumer/handler.h"

#include <utility>

namespace honryu::consumer {

client::StartPosition StartAtCheckpoint(const ShardStart& start, client::StartPosition otherwise) {
  if (start.checkpoint.has_value()) return client::AfterSequence{*start.checkpoint};
  return otherwise;
}

}  // namespace honryu::consumer
