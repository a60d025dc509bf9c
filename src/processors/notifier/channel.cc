#include "honryu/processors/notifier/channel.h"

#include "channels.h"
#include "honryu/alerting/chart.h"
#include "honryu/base/check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cctype>

namespace honryu::processors::notifier {

namespace {

Error Wrong(const ChannelConfig& config, const std::string& message) {
  return Error(ErrorCode::kInvalidArgument, "channel " + config.name + ": " + message);
}

// A line of a mail or a protocol must stay one.
bool HasControl(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

}  // namespace

Result<void> ChannelConfig::Validate() const {
  if (name.empty() || name.size() > 60 || name.find('/') != std::string::npos || HasControl(name))
    return Wrong(*this, "the name must have 1 to 60 characters and no '/'");
  if (timeout <= Duration::zero()) return Wrong(*this, "timeout must be above zero");
  if (kind == ChannelKind::kEmail) {
    if (!url.starts_with("smtp://") || url.size() < 8) return Wrong(*this, "url must be smtp://host:port");
    if (from.empty() || to.empty()) return Wrong(*this, "from and to are missing");
    for (const std::string& address : to) {
      if (HasControl(address) || address.find('@') == std::string::npos)
        return Wrong(*this, "to holds what is no address");
    }
    if (HasControl(from) || from.find('@') == std::string::npos) return Wrong(*this, "from is no address");
    return Ok();
  }
  if (const auto endpoint = http::ParseUrl(url); !endpoint.ok())
    return Wrong(*this, "url: " + endpoint.error().message());
  return Ok();
}

std::unique_ptr<Channel> MakeChannel(const ChannelConfig& config, const ChannelTools& tools) {
  switch (config.kind) {
    case ChannelKind::kWebhook:
      return MakeWebhook(config, tools);
    case ChannelKind::kSlack:
      return MakeSlack(config, tools);
    case ChannelKind::kAlertmanager:
      return MakeAlertmanager(config, tools);
    case ChannelKind::kEmail:
      return MakeEmail(config, tools);
  }
  return nullptr;
}

async::Task<Result<void>> MemoryChannel::Send(async::Context /*ctx*/,
                                              const alerting::Notification& notification) {
  if (fault_) {
    Result<void> fault = fault_(notification);
    if (!fault.ok()) co_return fault;
  }
  received_.push_back(notification);
  co_return Ok();
}

std::string Headline(const alerting::Notification& notification) {
  std::string status(notification.Status());
  std::transform(status.begin(), status.end(), status.begin(),
                 [](unsigned char c) { return static_cast<char>(c == '_' ? ' ' : std::toupper(c)); });
  std::string text = "[" + std::string(notification.test ? "TEST" : status) + "] " + notification.rule + ": ";
  const std::size_t count = notification.alerts.size() + notification.more;
  if (!notification.alerts.empty()) text += notification.alerts.front().summary;
  if (count > 1) text += " (and " + std::to_string(count - 1) + " more)";
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text;
}

std::string ChartPath(const alerting::Alert& alert) {
  return "/v1/alerts/chart.png?chart=" + alerting::ChartText(alert);
}

std::string Signature(const std::string& secret, const std::string& timestamp, std::string_view body) {
  const std::string text = timestamp + "." + std::string(body);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const unsigned char* done =
      HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  HONRYU_CHECK(done != nullptr && size == 32, "hmac failed");
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += kHex[digest[i] >> 4];
    hex += kHex[digest[i] & 15];
  }
  return hex;
}

async::Context Within(async::Context ctx, Duration timeout) {
  ctx.deadline = std::min(ctx.deadline, std::chrono::steady_clock::now() + timeout);
  return ctx;
}

}  // namespace honryu::processors::notifier
