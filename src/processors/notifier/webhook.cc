#include "channels.h"

namespace honryu::processors::notifier {

std::unique_ptr<Channel> MakeWebhook(const ChannelConfig& config, const ChannelTools& tools) {
  return MakePoster(tools, http::ParseUrl(config.url).value(), config.timeout,
                    [secret = config.secret, &clock = tools.clock](const alerting::Notification& note) {
                      Message message;
                      message.body = alerting::ToJson(note);
                      const std::string seconds = std::to_string(ToMs(clock.Now()) / 1000);
                      message.headers.Add("X-Honryu-Timestamp", seconds);
                      if (!secret.empty())
                        message.headers.Add("X-Honryu-Signature",
                                            "v1=" + Signature(secret, seconds, message.body));
                      return message;
                    });
}

}  // namespace honryu::processors::notifier
