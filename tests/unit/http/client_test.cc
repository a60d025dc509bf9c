#include "honryu/codec/compression.h"
#include "tests/unit/http/fixture.h"

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
