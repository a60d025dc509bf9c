#pragma once

#include "honryu/async/runtime.h"
#include "honryu/http/client.h"
#include "honryu/http/router.h"
#include "honryu/http/server.h"
#include "tests/support/raw_socket.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

namespace honryu::http {

/// A server on a free port with a few routes: /echo (the body back), /signed (what a signature would be
/// about), /target, /slow (until Release()), /throw, /stream, /flood (endless).
class HttpTest : public ::testing::Test {
 protected:
  HttpTest() {
    config_.name = "test";
    config_.max_body = ByteSize::KiB(256);
    config_.max_decompressed_body = ByteSize::KiB(512);
  }
  void TearDown() override { StopServer(std::chrono::seconds(5)); }

  void StartServer() {
    router_.Add("POST", "/signed",
                [](async::Context, const Request& request) { return EchoSigned(request); });
    router_.Add("POST", "/echo", [](async::Context, const Request& request) { return Echo(request); });
    router_.Add("GET", "/target", [](async::Context, const Request& request) { return Target(request); });
    router_.Add("GET", "/slow", [this](async::Context, const Request&) { return Slow(this); });
    router_.Add("GET", "/throw", [](async::Context, const Request&) { return Throw(); });
    router_.Add("GET", "/stream", [this](async::Context, const Request&) { return Stream(this); });
    router_.Add("GET", "/abandoned", [this](async::Context, const Request& request) {
      return UntilThePeerHasGone(this, &request);
    });
    router_.Add("GET", "/flood", [this](async::Context, const Request&) { return Flood(this); });
    server_ = std::make_unique<Server>(runtime_, metrics_, config_, router_.AsHandler(), budget_.get());
    const Result<void> started = server_->Start();
    ASSERT_TRUE(started.ok()) << started.error().message();
  }
  void StopServer(Duration grace) {
    if (server_ == nullptr) return;
    runtime_.BlockOn(server_->Stop(std::chrono::steady_clock::now() + grace));
    server_.reset();
  }
  std::string Exchange(std::string_view request) {
    honryu::testing::RawSocket socket(server_->port());
    EXPECT_TRUE(socket.Send(request));
    return socket.ReadAll();
  }

  static async::Task<Response> UntilThePeerHasGone(HttpTest* self, const Request* request) {
    while (!request->peer_gone()) {
      self->slow_entered_.Set(true);
      Result<void> slept = co_await async::SleepFor(std::chrono::milliseconds(1));
      if (!slept.ok()) break;
    }
    self->stream_ended_.Set(true);
    co_return Response::Text(200, "");
  }
  static async::Task<Response> EchoSigned(const Request& request) {
    Response response = Response::Text(200, "");
    response.body = request.signed_body();
    co_return response;
  }
  static async::Task<Response> Echo(const Request& request) {
    Response response;
    response.headers.Add("Content-Type", "application/octet-stream");
    response.body = request.body;
    co_return response;
  }
  static async::Task<Response> Target(const Request& request) {
    std::string text = request.path;
    for (const auto& [name, value] : request.query) text += "|" + name + "=" + value;
    co_return Response::Text(200, text);
  }
  static async::Task<Response> Slow(HttpTest* test) {
    test->slow_entered_.Set(true);
    Result<bool> released =
        co_await test->slow_release_.Wait(std::chrono::steady_clock::now() + std::chrono::seconds(10));
    co_return Response::Text(200, released.ok() ? "released" : "gave up");
  }
  static async::Task<Response> Throw() {
    throw std::runtime_error("on purpose");
    co_return Response();
  }
  static async::Task<Response> Stream(HttpTest* test) {
    Response response;
    response.headers.Add("Content-Type", "text/event-stream");
    response.stream = [test](BodyWriter& writer) { return Events(test, &writer); };
    co_return response;
  }
  static async::Task<void> Events(HttpTest* test, BodyWriter* writer) {
    for (int i = 0;; ++i) {
      Result<void> written = co_await writer->Write(Bytes("data: " + std::to_string(i) + "\n\n"));
      if (!written.ok()) break;
      Result<void> slept = co_await async::SleepFor(i < 2 ? Duration(std::chrono::milliseconds(1))
                                                          : Duration(std::chrono::hours(1)));
      if (!slept.ok()) break;
    }
    test->stream_ended_.Set(true);
  }
  static async::Task<Response> Flood(HttpTest* test) {
    Response response;
    response.stream = [test](BodyWriter& writer) { return Pour(test, &writer); };
    co_return response;
  }
  static async::Task<void> Pour(HttpTest* test, BodyWriter* writer) {
    const Bytes piece(std::string(1 << 20, 'x'));
    Result<void> written = Ok();
    while (written.ok()) written = co_await writer->Write(piece);
    test->stream_ended_.Set(true);
  }
  bool WaitForSignal(async::OneShot<bool> signal) {
    return runtime_.BlockOn(signal.Wait(std::chrono::steady_clock::now() + std::chrono::seconds(10))).ok();
  }

  obs::Registry metrics_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  async::OneShot<bool> slow_entered_, slow_release_, stream_ended_;
  ServerConfig config_;
  Router router_;
  std::unique_ptr<BodyBudget> budget_;  ///< Null pointer unless a test makes one before StartServer().
  std::unique_ptr<Server> server_;
};

}  // namespace honryu::http
