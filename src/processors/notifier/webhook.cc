#include "channels.h"

#include <utility>

namespace honryu::processors::notifier {

namespace {

class Webhook final : public Channel {
 public:
  Webhook(const ChannelConfig& config, const ChannelTools& tools)
      : config_(config),
        http_(tools.http),
        clock_(tools.clock),
        endpoint_(http::ParseUrl(config.url).value()) {}

  async::Task<Result<void>> Send(async::Context ctx, const alerting::Notification& notification) override {
    std::string body = alerting::ToJson(notification);
    http::Headers headers;
    headers.Add("Idempotency-Key", notification.id);
    const std::string seconds = std::to_string(ToMs(clock_.Now()) / 1000);
    headers.Add("X-Honryu-Timestamp", seconds);
    if (!config_.secret.empty())
      headers.Add("X-Honryu-Signature", "v1=" + Signature(config_.secret, seconds, body));
    Result<void> sent = co_await PostJson(http_, Within(std::move(ctx), config_.timeout), endpoint_,
                                          std::move(headers), std::move(body));
    co_return sent;
  }

 private:
  const ChannelConfig config_;
  http::Client& http_;
  const Clock& clock_;
  const http::Endpoint endpoint_;
};

}  // namespace

std::unique_ptr<Channel> MakeWebhook(const ChannelConfig& config, const ChannelTools& tools) {
  return std::make_unique<Webhook>(config, tools);
}

}  // namespace honryu::processors::notifier
