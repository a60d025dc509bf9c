#pragma once

#include "honryu/processors/notifier/channel.h"

#include <functional>

namespace honryu::processors::notifier {

/// What is posted to tell of a notification.
struct Message {
  std::string body;  ///< JSON.
  http::Headers headers;
};
/// Makes the message of one attempt. Callable from any event loop.
using MessageMaker = std::function<Message(const alerting::Notification&)>;

/// Posts what `message` makes to the endpoint, with the notification's id as the idempotency key.
std::unique_ptr<Channel> MakePoster(const ChannelTools& tools, http::Endpoint endpoint, Duration timeout,
                                    MessageMaker message);

// The kinds of ChannelKind. `config` must be valid.

std::unique_ptr<Channel> MakeWebhook(const ChannelConfig& config, const ChannelTools& tools);
std::unique_ptr<Channel> MakeSlack(const ChannelConfig& config, const ChannelTools& tools);
std::unique_ptr<Channel> MakeAlertmanager(const ChannelConfig& config, const ChannelTools& tools);
std::unique_ptr<Channel> MakeEmail(const ChannelConfig& config, const ChannelTools& tools);

/// The sooner of the deadline and `timeout` from now.
async::Context Within(async::Context ctx, Duration timeout);

}  // namespace honryu::processors::notifier
