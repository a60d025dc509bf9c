#include "honryu/codec/compression.h"
#include "tests/unit/http/fixture.h"

#include <thread>

namespace honryu::http {
namespace {

class ClientTest : public HttpTest {
 protected:
  static async::Task<Result<ClientResponse>> Send(Client* client, ClientRequest request, Duration timeout) {
    const async::Context ctx = async::Context::WithTimeout(timeout);
    Result<ClientResponse> response = co_await client->Send(ctx, std::move(request));
    co_return response;
  }
  static async::Task<Result<ClientResponse>> SendChunks(Client* client, ClientRequest request,
                                                        std::string* got) {
    const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(10));
    const std::function<bool(BytesView)> take = [got](BytesView chunk) {
      got->append(chunk);
      return got->find("data: 2") == std::string::npos;
    };
    Result<ClientResponse> response = co_await client->SendStreaming(ctx, std::move(request), take);
    co_return response;
  }
  ClientRequest Make(const std::string& method, const std::string& path, std::string body = "") {
    ClientRequest request;
    request.method = method;
    request.endpoint.host = "127.0.0.1";
    request.endpoint.port = server_->port();
    request.endpoint.path = path;
    request.body = Bytes(std::move(body));
    return request;
  }
  Result<ClientResponse> Run(ClientRequest request, Duration timeout = std::chrono::seconds(10)) {
    return runtime_.BlockOn(Send(&client_, std::move(request), timeout));
  }
  Client client_{runtime_, ClientConfig{}};
};

TEST_F(ClientTest, SendsAndReceivesBodiesOfAnySize) {
  StartServer();
  for (const std::size_t size : {0u, 1u, 16383u, 16384u, 200000u}) {
    const std::string body(size, 'b');
    const Result<ClientResponse> response = Run(Make("POST", "/echo", body));
    ASSERT_TRUE(response.ok()) << response.error().message();
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body.view(), body);
  }
}

TEST_F(ClientTest, ReplacesAConnectionThatThePeerHadClosed) {
  config_.idle_timeout = std::chrono::milliseconds(30);
  StartServer();
  for (int i = 0; i < 5; ++i) {
    const Result<ClientResponse> response = Run(Make("POST", "/echo", "x"));
    ASSERT_TRUE(response.ok()) << response.error().message();
    // Wait until the server has closed the idle connection: its gauge falls to zero.
    for (int n = 0;
         n < 1000 && metrics_.MakeGauge("honryu_http_connections", "", {{"listener", "test"}}).Value() != 0;
         ++n)
      ::usleep(1000);
  }
}

/// Answers the first request of its first connection, reads the second one and breaks off without an answer;
/// answers every request of later connections.
class BreakingPeer {
 public:
  BreakingPeer() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~BreakingPeer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }
  int requests() const { return requests_; }

 private:
  void Run() {
    for (int connection = 0;; ++connection) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      const timeval patience{5, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      for (int n = 0; ReadRequest(fd); ++n) {
        if (connection == 0 && n == 1) break;
        static constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        if (::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) < 0 || connection > 0) break;
      }
      ::close(fd);
    }
  }
  // Every request of these tests ends in "!", and nothing before does.
  bool ReadRequest(int fd) {
    char byte = 0;
    while (::recv(fd, &byte, 1, 0) == 1) {
      if (byte != '!') continue;
      ++requests_;
      return true;
    }
    return false;
  }

  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> requests_{0};
  std::thread thread_;
};

// Both on one event loop, so that the second finds the first one's connection.
async::Task<std::pair<Result<ClientResponse>, Result<ClientResponse>>> SendTwice(Client* client,
                                                                                 ClientRequest request) {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(10));
  Result<ClientResponse> first = co_await client->Send(ctx, request);
  Result<ClientResponse> second = co_await client->Send(ctx, request);
  co_return std::pair(std::move(first), std::move(second));
}

TEST_F(ClientTest, SendsAgainOnlyWhatMayArriveTwice) {
  struct Case {
    const char* method;
    bool idempotent;
    bool again;
  };
  for (const Case& one : {Case{"POST", false, false}, Case{"POST", true, true}, Case{"PUT", false, true}}) {
    BreakingPeer peer;
    ClientRequest request;
    request.method = one.method;
    request.endpoint.host = "127.0.0.1";
    request.endpoint.port = peer.port();
    request.body = Bytes("!");
    request.idempotent = one.idempotent;
    const auto [first, second] = runtime_.BlockOn(SendTwice(&client_, request));
    ASSERT_TRUE(first.ok()) << first.error().message();
    EXPECT_EQ(second.ok(), one.again) << one.method << one.idempotent;
    if (!one.again) {
      EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
    }
    EXPECT_EQ(peer.requests(), one.again ? 3 : 2) << one.method << one.idempotent;
  }
}

TEST_F(ClientTest, ReportsAMissingPeerAndADeadline) {
  StartServer();
  const Result<ClientResponse> late = Run(Make("GET", "/slow"), std::chrono::milliseconds(30));
  EXPECT_EQ(late.error().code(), ErrorCode::kDeadlineExceeded);
  slow_release_.Set(true);
  ClientRequest nobody = Make("GET", "/");
  StopServer(std::chrono::seconds(5));
  EXPECT_EQ(Run(nobody).error().code(), ErrorCode::kUnavailable);
}

TEST_F(ClientTest, StreamsUntilTheCallerHasEnough) {
  StartServer();
  std::string got;
  const auto response = runtime_.BlockOn(SendChunks(&client_, Make("GET", "/stream"), &got));
  ASSERT_TRUE(response.ok()) << response.error().message();
  EXPECT_NE(got.find("data: 2"), std::string::npos);
  EXPECT_TRUE(WaitForSignal(stream_ended_));
}

}  // namespace
}  // namespace honryu::http
