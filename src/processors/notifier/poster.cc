#include "channels.h"

#include <utility>

namespace honryu::processors::notifier {

namespace {

// 2xx is delivered; 408, 425, 429 and 5xx may work later; others never will.
Result<void> Judge(const Result<http::ClientResponse>& response) {
  if (!response.ok()) {
    const Error& error = response.error();
    if (error.retryable() || error.code() == ErrorCode::kCancelled) return error;
    // Whatever is wrong with the answer (too large, not HTTP), it need not stay so.
    return Error(ErrorCode::kUnavailable, error.message());
  }
  const int status = response->status;
  if (status >= 200 && status < 300) return Ok();
  const bool later = status >= 500 || status == 408 || status == 425 || status == 429;
  return Error(later ? ErrorCode::kUnavailable : ErrorCode::kInvalidArgument,
               "the receiver answered " + std::to_string(status));
}

class Poster final : public Channel {
 public:
  Poster(const ChannelTools& tools, http::Endpoint endpoint, Duration timeout, MessageMaker message)
      : http_(tools.http), endpoint_(std::move(endpoint)), timeout_(timeout), message_(std::move(message)) {}

  async::Task<Result<void>> Send(async::Context ctx, const alerting::Notification& notification) override {
    Message message = message_(notification);
    http::ClientRequest request;
    request.method = "POST";
    request.endpoint = endpoint_;
    request.headers = std::move(message.headers);
    request.headers.Set("Idempotency-Key", notification.id);
    request.headers.Set("Content-Type", "application/json");
    request.body = Bytes(std::move(message.body));
    request.idempotent = true;  // repetitions carry the same key
    Result<http::ClientResponse> response =
        co_await http_.Send(Within(std::move(ctx), timeout_), std::move(request));
    co_return Judge(response);
  }

 private:
  http::Client& http_;
  const http::Endpoint endpoint_;
  const Duration timeout_;
  const MessageMaker message_;
};

}  // namespace

std::unique_ptr<Channel> MakePoster(const ChannelTools& tools, http::Endpoint endpoint, Duration timeout,
                                    MessageMaker message) {
  return std::make_unique<Poster>(tools, std::move(endpoint), timeout, std::move(message));
}

}  // namespace honryu::processors::notifier
