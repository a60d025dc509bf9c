#pragma once

#include "honryu/processors/notifier/channel.h"

namespace honryu::processors::notifier {

std::unique_ptr<Channel> MakeWebhook(const ChannelConfig& config, const ChannelTools& tools);
std::unique_ptr<Channel> MakeSlack(const ChannelConfig& config, const ChannelTools& tools);
std::unique_ptr<Channel> MakeAlertmanager(const ChannelConfig& config, const ChannelTools& tools);
std::unique_ptr<Channel> MakeEmail(const ChannelConfig& config, const ChannelTools& tools);

/// POSTs JSON and judges the answer: 2xx is delivered; 408, 425, 429 and 5xx may work later; others never
/// will.
async::Task<Result<void>> PostJson(http::Client& http, async::Context ctx, http::Endpoint endpoint,
                                   http::Headers headers, std::string body);
/// The sooner of the deadline and `timeout` from now.
async::Context Within(async::Context ctx, Duration timeout);

}  // namespace honryu::processors::notifier
