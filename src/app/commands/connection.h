#pragma once

#include "honryu/async/runtime.h"
#include "honryu/base/result.h"
#include "honryu/client/remote_client.h"
#include "honryu/client/stream_client.h"
#include "honryu/codec/json.h"
#include "honryu/http/client.h"

#include <memory>
#include <string>

namespace honryu::app {

/// What every client command needs: event loops, an HTTP client and a stream client for one broker. Requests
/// are signed when the environment has AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and servers trusted by
/// AWS_CA_BUNDLE, as AWS tools have it.
class Connection {
 public:
  explicit Connection(const std::string& endpoint);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  async::Runtime& runtime() { return runtime_; }
  http::Client& http() { return http_; }
  client::StreamClient& streams() { return *streams_; }

  /// Calls one Kinesis operation with a JSON body and waits for the answer. A wire error becomes
  /// kInvalidArgument with "Name: message".
  Result<codec::Json> Call(const std::string& operation, const std::string& body);

 private:
  client::RemoteClientConfig config_;
  async::Runtime runtime_;
  http::Client http_;
  std::unique_ptr<client::StreamClient> streams_;
};

/// Prints "honryu: <error>" to standard error and returns 1.
int Fail(const Error& error);

/// Becomes true at the first SIGINT or SIGTERM; a second one ends the process at once. Call
/// InstallStopSignals once.
void InstallStopSignals();
bool StopRequested();

}  // namespace honryu::app
