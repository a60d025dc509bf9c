// What no client should send, over real sockets, HTTP/1.1 and HTTP/2: each gets its error, nobody waits for
// ever, and those who share the connection notice nothing. HONRYU_SEED replays the random part.
#include "honryu/base/random.h"
#include "honryu/codec/cbor.h"
#include "honryu/http/server.h"
#include "tests/support/http2_client.h"
#include "tests/unit/api_kinesis/fixture.h"

#include <cstdlib>
#include <random>
#include <set>

namespace honryu::api::kinesis {
namespace {

using honryu::testing::Http2Client;
using honryu::testing::RawSocket;

constexpr const char* kJson = "application/x-amz-json-1.1";
constexpr const char* kCbor = "application/x-amz-cbor-1.1";
constexpr const char* kSerialization = "SerializationException";
constexpr const char* kValidation = "ValidationException";
constexpr const char* kUnknown = "UnknownOperationException";

struct Bad {
  std::string target, type, body;
  std::string
      error;  ///< Of the answer; several, separated by '|', where the stage of refusal is a matter of taste.
};

struct Got {
  int status = 0;
  std::string body, error;
};

class BadInput : public KinesisApiTest {
 protected:
  BadInput() {
    http::ServerConfig config;
    config.name = "kinesis";
    config.max_body = ByteSize::MiB(1);
    server_ = std::make_unique<http::Server>(sockets_, registry_, config,
                                             [this](async::Context ctx, const http::Request& request) {
                                               return api_->Handle(std::move(ctx), request);
                                             });
  }
  void SetUp() override {
    ASSERT_TRUE(server_->Start().ok());
    MakeStream("s", 2);
    Put("s", "k", "before");
  }
  void TearDown() override {
    // The data is as it was, and the server stops in time.
    EXPECT_EQ(Call("Kinesis_20131202.ListStreams", "{}").status, 200);
    server_->BeginStop();
    sockets_.BlockOn(server_->Stop(std::chrono::steady_clock::now() + std::chrono::seconds(10)));
  }

  /// An HTTP/1.1 connection that is kept.
  class Connection {
   public:
    explicit Connection(std::uint16_t port) : socket_(port) { EXPECT_TRUE(socket_.connected()); }
    Got Exchange(const std::string& target, const std::string& type, const std::string& body) {
      std::string request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: " + type + "\r\n";
      if (!target.empty()) request += "X-Amz-Target: " + target + "\r\n";
      request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      Got got;
      if (!socket_.Send(request)) return got;
      std::size_t end = std::string::npos, length = 0;
      while (end == std::string::npos || received_.size() < end + 4 + length) {
        if (!socket_.Receive(&received_)) return got;
        end = received_.find("\r\n\r\n");
        if (end == std::string::npos) continue;
        length = std::strtoul(Header("Content-Length").c_str(), nullptr, 10);
      }
      got.status = std::atoi(received_.c_str() + 9);
      got.error = Header("x-amzn-ErrorType");
      got.body = received_.substr(end + 4, length);
      received_.erase(0, end + 4 + length);
      return got;
    }
    RawSocket& socket() { return socket_; }

   private:
    std::string Header(const std::string& name) const {
      const std::size_t at = received_.find("\r\n" + name + ": ");
      if (at == std::string::npos || at > received_.find("\r\n\r\n")) return "";
      const std::size_t from = at + name.size() + 4;
      return received_.substr(from, received_.find("\r\n", from) - from);
    }
    RawSocket socket_;
    std::string received_;
  };

  static std::string CborPut(const std::function<void(codec::CborWriter&)>& data) {
    std::string out;
    codec::CborWriter cbor(out);
    cbor.BeginMap();
    cbor.Text("StreamName");
    cbor.Text("s");
    cbor.Text("PartitionKey");
    cbor.Text("k");
    cbor.Text("Data");
    data(cbor);
    cbor.End();
    return out;
  }
  static std::string CborGood() {
    return CborPut([](codec::CborWriter& cbor) { cbor.Blob("data"); });
  }
  static std::string JsonGood() {
    return R"({"StreamName":"s","Records":[{"Data":"ZGF0YQ==","PartitionKey":"k"},{"Data":"","PartitionKey":"名前"}]})";
  }
  static std::string Repeated(const std::string& text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  }

  std::vector<Bad> All() const {
    const std::string k = "Kinesis_20131202.";
    const std::string either = std::string(kSerialization) + "|" + kValidation;
    std::vector<Bad> all = {
        // wrong types
        {k + "PutRecord", kJson, R"({"StreamName":"s","PartitionKey":"k","Data":17})", kSerialization},
        {k + "PutRecord", kJson, R"({"StreamName":"s","PartitionKey":["k"],"Data":"ZA=="})", kSerialization},
        {k + "PutRecord", kJson, R"({"StreamName":{"a":"s"},"PartitionKey":"k","Data":"ZA=="})",
         kSerialization},
        {k + "PutRecord", kJson, R"({"StreamName":"s","PartitionKey":"k","Data":"not base64!"})", either},
        {k + "PutRecord", kJson, R"({"StreamName":"s","PartitionKey":null,"Data":null})", either},
        {k + "PutRecords", kJson, R"({"StreamName":"s","Records":{}})", kSerialization},
        {k + "PutRecords", kJson, R"({"StreamName":"s","Records":[7]})", kSerialization},
        {k + "PutRecords", kJson, R"({"StreamName":"s","Records":[[{}]]})", kSerialization},
        {k + "PutRecords", kJson, R"({"StreamName":"s","Records":[null]})", "InvalidArgumentException"},
        {k + "PutRecords", kJson, R"({"StreamName":"s","Records":[]})", kValidation},
        {k + "CreateStream", kJson, R"({"StreamName":"t","ShardCount":"1"})", kSerialization},
        {k + "CreateStream", kJson, R"({"StreamName":"t","ShardCount":[]})", kSerialization},
        {k + "CreateStream", kJson, R"({"StreamName":"t","ShardCount":-1})", kValidation},
        {k + "CreateStream", kJson, R"({"StreamName":"t","ShardCount":1e400})", either},
        {k + "CreateStream", kJson, R"({"StreamName":"t","ShardCount":99999999999999999999999})", either},
        {k + "GetRecords", kJson, R"({"ShardIterator":false})", kSerialization},
        {k + "GetRecords", kJson, R"({"ShardIterator":"AAAA"})", "InvalidArgumentException"},
        {k + "SubscribeToShard", kJson, R"({"ConsumerARN":1,"ShardId":2,"StartingPosition":"LATEST"})",
         kSerialization},
        {k + "AddTagsToStream", kJson, R"({"StreamName":"s","Tags":["a"]})", kSerialization},
        // no JSON
        {k + "ListStreams", kJson, "", kSerialization},
        {k + "ListStreams", kJson, "{", kSerialization},
        {k + "ListStreams", kJson, "{}{}", kSerialization},
        {k + "ListStreams", kJson, "{\"Limit\":01}", kSerialization},
        {k + "ListStreams", kJson, std::string("{\0}", 3), kSerialization},
        {k + "ListStreams", kJson, "nonsense", kSerialization},
        // invalid UTF-8: a lone byte, an overlong slash, a surrogate, beyond Unicode, cut short
        {k + "DescribeStream", kJson, "{\"StreamName\":\"\xff\"}", kSerialization},
        {k + "DescribeStream", kJson, "{\"StreamName\":\"\xc0\xaf\"}", kSerialization},
        {k + "DescribeStream", kJson, "{\"StreamName\":\"\xed\xa0\x80\"}", kSerialization},
        {k + "DescribeStream", kJson, "{\"StreamName\":\"\xf5\x80\x80\x80\"}", kSerialization},
        {k + "PutRecord", kJson, "{\"StreamName\":\"s\",\"PartitionKey\":\"\xe5\x90\",\"Data\":\"ZA==\"}",
         kSerialization},
        {k + "PutRecords", kJson,
         "{\"StreamName\":\"s\",\"Records\":[{\"PartitionKey\":\"\x80\",\"Data\":\"ZA==\"}]}",
         kSerialization},
        {k + "DescribeStream", kJson, "{\"StreamName\":\"\\ud800\"}", either},
        // absurd nesting, also where nobody looks
        {k + "ListStreams", kJson, Repeated("[", 100'000), kSerialization},
        {k + "ListStreams", kJson, Repeated("{\"a\":", 100'000), kSerialization},
        {k + "PutRecords", kJson,
         R"({"StreamName":"s","Records":)" + Repeated("[", 50'000) + Repeated("]", 50'000) + "}",
         kSerialization},
        {k + "PutRecord", kJson,
         R"({"Ignored":)" + Repeated("[", 50'000) + Repeated("]", 50'000) +
             R"(,"StreamName":"s","PartitionKey":"k","Data":"ZA=="})",
         kSerialization},
        // unknown targets
        {"", kJson, "{}", kUnknown},
        {"Kinesis_20131202", kJson, "{}", kUnknown},
        {k, kJson, "{}", kUnknown},
        {k + "PutRecord.PutRecord", kJson, "{}", kUnknown},
        {k + "putrecord", kJson, "{}", kUnknown},
        {"Kinesis_20990101.PutRecord", kJson, "{}", kUnknown},
        {k + std::string(8000, 'x'), kJson, "{}", kUnknown},
        // broken CBOR
        {k + "ListStreams", kCbor, "\xff", kSerialization},
        {k + "ListStreams", kCbor, "\x1c", kSerialization},
        {k + "ListStreams", kCbor, std::string("\x9b\xff\xff\xff\xff\xff\xff\xff\xff", 9), kSerialization},
        {k + "ListStreams", kCbor, std::string("\xbb\x7f\xff\xff\xff\xff\xff\xff\xff", 9), kSerialization},
        {k + "ListStreams", kCbor, std::string("\x5b\xff\xff\xff\xff\xff\xff\xff\xff", 9), kSerialization},
        {k + "ListStreams", kCbor, "\xbf\x61\x61", kSerialization},
        {k + "ListStreams", kCbor, "\xa1\x01\x02", kSerialization},
        {k + "ListStreams", kCbor, std::string("\xa0\x00", 2), kSerialization},
        {k + "ListStreams", kCbor, Repeated("\x81", 100'000), kSerialization},
        {k + "ListStreams", kCbor, Repeated("\x9f", 100'000), kSerialization},
        {k + "ListStreams", kCbor, Repeated("\xbf\x61\x61", 100'000), kSerialization},
        {k + "ListStreams", kCbor, Repeated("\xc1", 100'000), kSerialization},
        {k + "DescribeStream", kCbor, "\xa1\x6aStreamName\x62\xff\xfe", kSerialization},
        {k + "PutRecord", kCbor, CborPut([](codec::CborWriter& c) { c.Uint(5); }), kSerialization},
        {k + "PutRecord", kCbor, CborPut([](codec::CborWriter& c) { c.BeginArray(), c.End(); }),
         kSerialization},
        // one format in the other's clothes
        {k + "PutRecords", kCbor, JsonGood(), kSerialization},
        {k + "PutRecord", kJson, CborGood(), kSerialization},
    };
    // Cut short at every byte.
    const std::string json = JsonGood(), cbor = CborGood();
    for (std::size_t size = 0; size < json.size(); ++size)
      all.push_back({k + "PutRecords", kJson, json.substr(0, size), kSerialization});
    for (std::size_t size = 1; size < cbor.size(); ++size)
      all.push_back({k + "PutRecord", kCbor, cbor.substr(0, size), kSerialization});
    return all;
  }
  static void ExpectRefused(const Bad& bad, const Got& got) {
    const std::string what = bad.target.substr(0, 60) + " " + bad.type + " " + bad.body.substr(0, 80);
    EXPECT_EQ(got.status, 400) << what << ": " << got.body;
    EXPECT_NE(("|" + bad.error + "|").find("|" + got.error + "|"), std::string::npos)
        << what << ": " << got.error << ", expected " << bad.error;
  }
  static void ExpectGood(const Got& got) {
    EXPECT_EQ(got.status, 200) << got.body;
    EXPECT_NE(got.body.find("\"FailedRecordCount\":0"), std::string::npos) << got.body;
  }
  std::int32_t Ask(Http2Client& client, const Bad& bad) {
    std::map<std::string, std::string> headers = {{"content-type", bad.type}};
    if (!bad.target.empty()) headers["x-amz-target"] = bad.target;
    return client.Request("POST", "/", bad.body, headers);
  }
  static Got Of(honryu::testing::Http2Answer& answer) {
    return Got{std::atoi(answer.headers[":status"].c_str()), answer.body, answer.headers["x-amzn-errortype"]};
  }

  async::Runtime sockets_{async::RuntimeOptions{2, 2}};
  std::unique_ptr<http::Server> server_;
};

TEST_F(BadInput, OverHttp1GetsItsErrorAndTheConnectionGoesOn) {
  Connection connection(server_->port());
  for (const Bad& bad : All()) {
    ExpectRefused(bad, connection.Exchange(bad.target, bad.type, bad.body));
    ExpectGood(connection.Exchange("Kinesis_20131202.PutRecords", kJson, JsonGood()));
  }
}

TEST_F(BadInput, OverHttp2GetsItsErrorAndTheNeighboursTheirAnswers) {
  Http2Client client(server_->port());
  const std::vector<Bad> all = All();
  constexpr std::size_t kAtATime = 40;
  for (std::size_t from = 0; from < all.size(); from += kAtATime) {
    std::vector<std::pair<std::int32_t, const Bad*>> asked;
    for (std::size_t i = from; i < std::min(all.size(), from + kAtATime); ++i) {
      asked.emplace_back(Ask(client, all[i]), &all[i]);
      asked.emplace_back(Ask(client, {"Kinesis_20131202.PutRecords", kJson, JsonGood(), ""}), nullptr);
    }
    ASSERT_TRUE(client.Until([&] {
      return std::all_of(asked.begin(), asked.end(),
                         [&](const auto& one) { return client.answers[one.first].closed; });
    })) << "the connection ended";
    for (const auto& [id, bad] : asked) {
      if (bad != nullptr) {
        ExpectRefused(*bad, Of(client.answers[id]));
      } else {
        ExpectGood(Of(client.answers[id]));
      }
    }
    if (HasFailure()) return;
  }
  EXPECT_FALSE(client.goaway);
}

TEST_F(BadInput, OversizedBodiesAreRefusedAndOthersAreNot) {
  const std::string huge =
      R"({"StreamName":"s","PartitionKey":"k","Data":")" + std::string(3 << 20, 'A') + "\"}";
  {
    RawSocket socket(server_->port());
    socket.Send(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.1\r\n"
        "X-Amz-Target: Kinesis_20131202.PutRecord\r\nContent-Length: " +
        std::to_string(huge.size()) + "\r\n\r\n");
    EXPECT_EQ(socket.ReadUntil("\r\n\r\n").substr(0, 12), "HTTP/1.1 413");
  }
  {
    RawSocket socket(server_->port());
    socket.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999999\r\n\r\n");
    EXPECT_EQ(socket.ReadUntil("\r\n\r\n").substr(0, 12), "HTTP/1.1 400");
  }
  Http2Client client(server_->port());
  const std::int32_t big = Ask(client, {"Kinesis_20131202.PutRecord", kJson, huge, ""});
  const std::int32_t good = Ask(client, {"Kinesis_20131202.PutRecords", kJson, JsonGood(), ""});
  ASSERT_TRUE(client.Until([&] { return client.answers[big].closed && client.answers[good].closed; }));
  EXPECT_EQ(Of(client.answers[big]).status, 413);
  ExpectGood(Of(client.answers[good]));
  Connection connection(server_->port());
  ExpectGood(connection.Exchange("Kinesis_20131202.PutRecords", kJson, JsonGood()));
}

TEST_F(BadInput, ConnectionsThatBreakOffOrLieHurtNobody) {
  Connection neighbour(server_->port());
  Http2Client h2_neighbour(server_->port());
  const std::string head =
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.1\r\n"
      "X-Amz-Target: Kinesis_20131202.PutRecords\r\n";
  const std::vector<std::string> wrong = {
      head + "Content-Length: 500\r\n\r\n" + JsonGood(),  // and then silence
      head + "Content-Length: -5\r\n\r\n" + JsonGood(),
      head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
      head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + JsonGood(),
      head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
      head + "Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nno gzip!",
      head + "X-Amz-Target: \x01\x02\r\nContent-Length: 2\r\n\r\n{}",
      "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target" + std::string(100'000, ' '),
      "POST /%zz HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
      "PUT\r\n\r\n",
      std::string("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 11),  // TLS
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(200, '\xff'),
      std::string(5000, '\0'),
  };
  for (const std::string& bytes : wrong) {
    RawSocket liar(server_->port());
    liar.Send(bytes);
    ExpectGood(neighbour.Exchange("Kinesis_20131202.PutRecords", kJson, JsonGood()));
    const std::int32_t id = Ask(h2_neighbour, {"Kinesis_20131202.PutRecords", kJson, JsonGood(), ""});
    ASSERT_TRUE(h2_neighbour.Until([&] { return h2_neighbour.answers[id].closed; }));
    ExpectGood(Of(h2_neighbour.answers[id]));
  }
  // A request that is taken back half-way, beside others of its connection.
  h2_neighbour.never_ends = true;
  const std::int32_t half = Ask(h2_neighbour, {"Kinesis_20131202.PutRecords", kJson, JsonGood(), ""});
  ASSERT_TRUE(h2_neighbour.Send());
  h2_neighbour.Reset(half);
  h2_neighbour.never_ends = false;
  const std::int32_t whole = Ask(h2_neighbour, {"Kinesis_20131202.PutRecords", kJson, JsonGood(), ""});
  ASSERT_TRUE(h2_neighbour.Until([&] { return h2_neighbour.answers[whole].closed; }));
  ExpectGood(Of(h2_neighbour.answers[whole]));
}

TEST_F(BadInput, RandomDamageNeverMeetsAnInternalError) {
  const char* given = std::getenv("HONRYU_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
  Random random(seed);
  const std::vector<std::pair<std::string, std::string>> seeds = {
      {"PutRecords", JsonGood()},
      {"PutRecord", CborGood()},
      {"ListShards", R"({"StreamName":"s","ShardFilter":{"Type":"AT_TIMESTAMP","Timestamp":1795255200.5}})"},
      {"GetShardIterator",
       R"({"StreamName":"s","ShardId":"shardId-000000000000","ShardIteratorType":"AFTER_SEQUENCE_NUMBER","StartingSequenceNumber":"49590338271490256608559692538361571095921575989136588898"})"},
      {"UpdateShardCount", R"({"StreamName":"s","TargetShardCount":4,"ScalingType":"UNIFORM_SCALING"})"},
      {"SplitShard", R"({"StreamName":"s","ShardToSplit":"shardId-000000000001","NewStartingHashKey":"99"})"},
      {"SubscribeToShard",
       R"({"ConsumerARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1","ShardId":"0","StartingPosition":{"Type":"LATEST"}})"},
  };
  Connection connection(server_->port());
  std::set<int> statuses;
  for (int i = 0; i < 3000; ++i) {
    auto [operation, body] = seeds[random.Below(seeds.size())];
    for (std::uint64_t changes = 1 + random.Below(4); changes > 0; --changes) {
      const std::size_t at = body.empty() ? 0 : random.Below(body.size());
      switch (random.Below(4)) {
        case 0:
          if (!body.empty()) body[at] = static_cast<char>(random.Next());
          break;
        case 1:
          body.erase(at, 1 + random.Below(4));
          break;
        case 2:
          body.insert(at, body.substr(random.Below(body.size() + 1), random.Below(20)));
          break;
        default:
          body.insert(at, 1, "\"{}[]:,0-9eE\\\xff\xbf\x9b"[random.Below(16)]);
      }
    }
    const bool cbor = operation == "PutRecord" || random.Chance(0.1);
    const Got got = connection.Exchange("Kinesis_20131202." + operation, cbor ? kCbor : kJson, body);
    ASSERT_TRUE(got.status == 200 || got.status == 400) << got.status << " " << operation << " " << body;
    statuses.insert(got.status);
    if (i % 100 == 0) ExpectGood(connection.Exchange("Kinesis_20131202.PutRecords", kJson, JsonGood()));
  }
  EXPECT_EQ(statuses.size(), 2U) << "the damage is none, or too much";
}

}  // namespace
}  // namespace honryu::api::kinesis
