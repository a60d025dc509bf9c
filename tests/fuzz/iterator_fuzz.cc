// Gives arbitrary bytes to what readers hand in as a place. The first byte picks: a token as it came; a place
// made of the bytes, whose token is then damaged; a sequence number; a shard id. Checked beside "no crash": a
// token leads back to its place, no damaged one is taken, and numbers are the same when written again.
#include "honryu/broker/broker.h"
#include "honryu/broker/sequence.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/endian.h"
#include "honryu/log/memory_engine.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace honryu;
using namespace honryu::broker;

void Expect(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "broken property: %s\n", what);
  std::abort();
}

// One broker for all inputs: only its key matters here.
struct World {
  World() { Expect(broker.Start().ok(), "the broker starts"); }
  ~World() { runtime.BlockOn(broker.Stop(std::chrono::steady_clock::now() + std::chrono::seconds(10))); }
  ManualClock clock{TimestampFromMs(1'800'000'000'000)};
  obs::Registry metrics;
  async::Runtime runtime{async::RuntimeOptions{1, 1}};
  std::unique_ptr<log::LogEngine> engine = log::MakeMemoryEngine(clock);
  std::unique_ptr<log::MetaStore> meta = log::MakeMemoryMetaStore();
  Broker broker{BrokerConfig(), *engine, *meta, clock, runtime, metrics};
};

void CheckPlace(const Broker& broker, std::string_view bytes) {
  if (bytes.size() < 24) return;
  ShardPlace place;
  place.incarnation = codec::LoadU64(bytes.data());
  place.shard = codec::LoadU32(bytes.data() + 8);
  place.offset = codec::LoadU64(bytes.data() + 12);
  const std::uint32_t damage = codec::LoadU32(bytes.data() + 20);
  place.stream = std::string(bytes.substr(24, 128));
  std::erase(place.stream, '\0');  // no name holds one, and tokens are filled up with them
  const std::string token = broker.EncodeIterator(place);
  const Result<ShardPlace> back = broker.DecodeIterator(token);
  Expect(back.ok(), "a token is taken back");
  Expect(back->stream == place.stream && back->shard == place.shard && back->offset == place.offset &&
             back->incarnation == place.incarnation,
         "a token leads to its place");
  std::string raw = codec::Base64Decode(token).value();
  const auto flip = static_cast<char>(damage >> 24 == 0 ? 1 : damage >> 24);
  raw[damage % raw.size()] = static_cast<char>(raw[damage % raw.size()] ^ flip);
  Expect(!broker.DecodeIterator(codec::Base64Encode(raw)).ok(), "a damaged token is refused");
  Expect(!broker.DecodeIterator(token.substr(0, damage % token.size())).ok(), "a token cut short is refused");
}

void CheckSequence(std::string_view text) {
  const Result<SequenceNumber> number = SequenceNumber::FromDecimal(text);
  if (!number.ok()) return;
  const Result<SequenceNumber> again = SequenceNumber::FromDecimal(number->ToDecimal());
  Expect(again.ok() && *again == *number, "a number is the same when written again");
  const Result<SequenceParts> parts = DecodeSequence(*number);
  if (!parts.ok() || parts->counter == 0) return;
  Expect(EncodeSequence(*parts) == *number, "a version 2 number is made of its parts");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World world;
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      Expect(!world.broker.DecodeIterator(rest).ok(), "a token that nobody made is refused");
      break;
    case 1:
      CheckPlace(world.broker, rest);
      break;
    case 2:
      CheckSequence(rest);
      break;
    default:
      if (const auto shard = ParseShardId(rest))
        Expect(ParseShardId(ShardIdText(*shard)) == shard, "a shard id is the same when written again");
  }
  return 0;
}
