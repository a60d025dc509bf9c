#pragma once

#include "honryu/alerting/alert.h"
#include "honryu/async/runtime.h"
#include "honryu/async/task.h"
#include "honryu/http/client.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace honryu::processors::notifier {

/// A way to tell people. Implementations are stateless but for connections. Callable from any event loop.
class Channel {
 public:
  virtual ~Channel() = default;
  /// Delivers once; the receiver is told notification.id, by which it may know a repetition. A retryable
  /// error (kUnavailable, kOverloaded, kDeadlineExceeded): later it may work. Others: it never will. Whether
  /// something has arrived is not known after an error.
  virtual async::Task<Result<void>> Send(async::Context ctx, const alerting::Notification& notification) = 0;
};

enum class ChannelKind : std::uint8_t {
  kWebhook,       ///< The notification as JSON, signed.
  kSlack,         ///< Slack's incoming-webhook format.
  kAlertmanager,  ///< Prometheus Alertmanager, API v2.
  kEmail,         ///< SMTP.
};

enum class MailSecurity : std::uint8_t {
  kNone,
  kStartTls,  ///< TLS after STARTTLS, required.
  kTls,       ///< TLS from the first byte.
};

struct ChannelConfig {
  std::string name;  ///< What rules and dead letters call it; 1 to 60 characters, no '/'.
  ChannelKind kind = ChannelKind::kWebhook;
  std::string url;     ///< E-mail: smtp://host:port. Alertmanager: without /api/v2/alerts.
  std::string secret;  ///< Webhook: key of the signature; empty: unsigned.
  std::string from;    ///< E-mail.
  std::vector<std::string> to;
  std::string user, password;
  MailSecurity security = MailSecurity::kStartTls;
  alerting::Severity least = alerting::Severity::kInfo;  ///< Less severe ones are not sent here.
  Duration timeout = std::chrono::seconds(10);           ///< Of one attempt.

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// What channels need. References must outlive them.
struct ChannelTools {
  http::Client& http;
  async::Runtime& runtime;  ///< E-mail blocks a thread of its pool.
  const Clock& clock;
  /// Where people reach this server, for links and charts: "https://honryu.example"; empty: no links.
  std::string public_url;
};

/// `config` must be valid.
std::unique_ptr<Channel> MakeChannel(const ChannelConfig& config, const ChannelTools& tools);

/// Keeps what it is told: for tests, and the reference for the contract.
class MemoryChannel final : public Channel {
 public:
  /// Asked before each delivery; an error is what Send gives. Null: all are taken.
  using Fault = std::function<Result<void>(const alerting::Notification&)>;
  void SetFault(Fault fault) { fault_ = std::move(fault); }
  async::Task<Result<void>> Send(async::Context ctx, const alerting::Notification& notification) override;
  const std::vector<alerting::Notification>& received() const { return received_; }

 private:
  Fault fault_;
  std::vector<alerting::Notification> received_;
};

/// "[FIRING] error-rate: …" in one line, for subjects and fallbacks.
std::string Headline(const alerting::Notification& notification);
/// The path, below public_url, of an alert's chart.
std::string ChartPath(const alerting::Alert& alert);
/// Hexadecimal HMAC-SHA256 of "<timestamp>.<body>" under `secret`: the webhook's signature, without "v1=".
std::string Signature(const std::string& secret, const std::string& timestamp, std::string_view body);

}  // namespace honryu::processors::notifier
