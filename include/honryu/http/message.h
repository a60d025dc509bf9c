#pragma once

#include "honryu/async/task.h"
#include "honryu/base/bytes.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace honryu::http {

/// Header fields in order of arrival; names compare without case.
class Headers {
 public:
  void Add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void Set(std::string_view name, std::string value);
  /// First value of that name, or empty.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// Readable slack behind every request body, so that SIMD JSON parsers may read past its end.
inline constexpr std::size_t kBodyPadding = 64;

/// A request as handlers see it: complete, with its body decompressed (Content-Encoding gzip, deflate, zstd)
/// and within the configured limits.
struct Request {
  std::string method;                                      ///< Upper case.
  std::string target;                                      ///< As sent: path and query.
  std::string path;                                        ///< Percent-decoded path.
  std::vector<std::pair<std::string, std::string>> query;  ///< Percent-decoded, in order.
  Headers headers;
  Bytes body;  ///< kBodyPadding readable bytes follow its end.
  /// The body as it came, where it was compressed and an Authorization header is there that may sign it; else
  /// empty.
  Bytes received_body;
  std::string peer;        ///< "127.0.0.1:40812"
  std::string request_id;  ///< A UUID made by the server.
  /// True once the peer has closed the connection (or its half of it), or reset the request: nobody waits for
  /// the answer. A handler whose work is long may ask now and then. Null: not known. On the handler's
  /// executor, while it runs.
  std::function<bool()> peer_gone;

  /// First query value of that name; null pointer if absent.
  const std::string* Query(std::string_view name) const;
  /// The body that a signature of the request is about.
  const Bytes& signed_body() const { return received_body.empty() ? body : received_body; }
};

/// Sends a streaming body piece by piece (chunked). Each Write is flushed; it fails with kCancelled when the
/// peer has gone or the server stops.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  virtual async::Task<Result<void>> Write(Bytes chunk) = 0;
};

struct Response {
  int status = 200;
  Headers headers;
  Bytes body;
  /// When set, the body is streamed by this function instead (server-sent events); it runs on the
  /// connection's executor and is cancelled when the peer goes away or the server stops. The writer outlives
  /// the call.
  std::function<async::Task<void>(BodyWriter& writer)> stream;

  static Response Text(int status, std::string text,
                       std::string_view content_type = "text/plain; charset=utf-8");
  static Response JsonText(int status, std::string json);
};

/// Answers one request. `ctx` carries the request's deadline and id. Runs on the connection's executor; must
/// not block. `request` lives until the task ends.
using Handler = std::function<async::Task<Response>(async::Context ctx, const Request& request)>;

}  // namespace honryu::http
