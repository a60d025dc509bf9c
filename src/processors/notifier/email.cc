#include "channels.h"
#include "honryu/alerting/chart.h"
#include "honryu/async/blocking_calls.h"
#include "honryu/codec/base64.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>

namespace honryu::processors::notifier {

namespace {

constexpr std::size_t kMostSending = 8;  // mails under way; each blocks a thread

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Easy = std::unique_ptr<CURL, Freer<curl_easy_cleanup>>;
using Mime = std::unique_ptr<curl_mime, Freer<curl_mime_free>>;
using List = std::unique_ptr<curl_slist, Freer<curl_slist_free_all>>;

// False: out of memory.
bool Append(List& list, const std::string& text) {
  curl_slist* const before = list.release();
  curl_slist* const longer = curl_slist_append(before, text.c_str());
  list.reset(longer != nullptr ? longer : before);
  return longer != nullptr;
}

// RFC 2047: words of at most 75 characters, no UTF-8 character broken.
std::string EncodedHeader(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; }) &&
      text.size() < 900)
    return std::string(text);
  std::string out;
  while (!text.empty()) {
    std::size_t length = std::min<std::size_t>(text.size(), 45);
    while (length < text.size() && length > 1 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80)
      --length;
    out += (out.empty() ? "" : "\r\n ") + ("=?utf-8?B?" + codec::Base64Encode(text.substr(0, length)) + "?=");
    text.remove_prefix(length);
  }
  return out;
}

std::string Text(const alerting::Notification& note, const std::string& public_url) {
  std::string text = Headline(note) + "\r\n";
  for (const alerting::Alert& alert : note.alerts) {
    text += "\r\n" + std::string(alerting::AlertStateName(alert.state)) + ": " + alert.summary +
            "\r\nsince " + FormatTimestamp(alert.since) + "\r\n";
    if (!alert.row.empty()) text += alert.row + "\r\n";
    if (!public_url.empty()) text += public_url + ChartPath(alert) + "\r\n";
  }
  if (note.more > 0) text += "\r\nand " + std::to_string(note.more) + " more\r\n";
  return text;
}

// A message id that is the same in every attempt; ids of notifications may hold anything.
std::string MessageId(const std::string& id, const std::string& from) {
  const std::string domain = from.substr(from.find('@') + 1);
  std::string clean;
  for (const char c : codec::Base64Encode(id)) clean += c == '+' ? '-' : c == '/' ? '_' : c == '=' ? '.' : c;
  while (clean.ends_with('.')) clean.pop_back();
  return "<" + clean + "@" + domain + ">";
}

std::size_t Discard(char* /*data*/, std::size_t size, std::size_t count, void* /*user*/) {
  return size * count;
}

// Cleaning up, libcurl says QUIT and waits two minutes for the answer, whatever the timeout of the transfer.
// With nothing to be read it does not wait; after a failure it need not speak either.
void EndConversation(CURL* curl, bool taken) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK && socket != CURL_SOCKET_BAD)
    ::shutdown(socket, taken ? SHUT_RD : SHUT_RDWR);
}

Error Judge(CURL* curl, CURLcode code, const char* detail) {
  long answer = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
  const std::string text = std::string("mail not taken: ") +
                           (*detail != '\0' ? detail : curl_easy_strerror(code)) +
                           (answer > 0 ? " (" + std::to_string(answer) + ")" : "");
  if (code == CURLE_OPERATION_TIMEDOUT) return Error(ErrorCode::kDeadlineExceeded, text);
  // A refusal for good (5yz) of a recipient or the message; a wrong password may be mended.
  const bool refused = answer >= 500 && answer < 600 && code != CURLE_LOGIN_DENIED;
  return Error(refused ? ErrorCode::kInvalidArgument : ErrorCode::kUnavailable, text);
}

class Email final : public Channel {
 public:
  Email(const ChannelConfig& config, const ChannelTools& tools)
      : config_(config),
        clock_(tools.clock),
        public_url_(tools.public_url),
        calls_(tools.runtime, "mail " + config.name, kMostSending) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);  // once in a process
    ready_ = ready == CURLE_OK;
  }

  async::Task<Result<void>> Send(async::Context ctx, const alerting::Notification& notification) override {
    if (!ready_) co_return Error(ErrorCode::kInternal, "libcurl cannot be used");
    const Duration timeout = std::min(config_.timeout, ctx.remaining());
    Result<void> sent =
        co_await calls_.Run([this, notification, timeout] { return Post(notification, timeout); });
    co_return sent;
  }

 private:
  Result<void> Post(const alerting::Notification& note, Duration timeout) const {
    const Error failed(ErrorCode::kUnavailable, "out of memory for a mail");
    Easy curl(curl_easy_init());
    if (curl == nullptr) return failed;
    CURL* const c = curl.get();
    char detail[CURL_ERROR_SIZE] = "";
    const bool tls = config_.security == MailSecurity::kTls;
    const std::string url = tls ? "smtps" + config_.url.substr(4) : config_.url;
    curl_easy_setopt(c, CURLOPT_URL, url.c_str());
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, ToMs(timeout))));
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, Discard);
    if (config_.security == MailSecurity::kStartTls)
      curl_easy_setopt(c, CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
    if (!config_.user.empty()) {
      curl_easy_setopt(c, CURLOPT_USERNAME, config_.user.c_str());
      curl_easy_setopt(c, CURLOPT_PASSWORD, config_.password.c_str());
    }
    curl_easy_setopt(c, CURLOPT_MAIL_FROM, ("<" + config_.from + ">").c_str());
    List recipients, headers;
    std::string all;
    for (const std::string& address : config_.to) {
      if (!Append(recipients, "<" + address + ">")) return failed;
      all += (all.empty() ? "" : ", ") + address;
    }
    curl_easy_setopt(c, CURLOPT_MAIL_RCPT, recipients.get());
    char date[64];
    const std::time_t now = std::chrono::system_clock::to_time_t(clock_.Now());
    std::tm utc{};
    gmtime_r(&now, &utc);
    std::strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S +0000", &utc);
    for (const std::string& line :
         {std::string(date), "From: " + config_.from, "To: " + all,
          "Subject: " + EncodedHeader(Headline(note)), "Message-ID: " + MessageId(note.id, config_.from),
          std::string("Auto-Submitted: auto-generated")}) {
      if (!Append(headers, line)) return failed;
    }
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers.get());
    Mime mime(curl_mime_init(c));
    if (mime == nullptr) return failed;
    const std::string text = Text(note, public_url_);
    curl_mimepart* part = curl_mime_addpart(mime.get());
    curl_mime_data(part, text.data(), text.size());
    curl_mime_type(part, "text/plain; charset=utf-8");
    curl_mime_encoder(part, "base64");
    if (!note.alerts.empty()) {
      if (const Result<std::string> chart = alerting::DrawChart(note.alerts.front()); chart.ok()) {
        part = curl_mime_addpart(mime.get());
        curl_mime_data(part, chart->data(), chart->size());
        curl_mime_type(part, "image/png");
        curl_mime_filename(part, "chart.png");
        curl_mime_encoder(part, "base64");
      }
    }
    curl_easy_setopt(c, CURLOPT_MIMEPOST, mime.get());
    const CURLcode code = curl_easy_perform(c);
    EndConversation(c, code == CURLE_OK);
    if (code == CURLE_OK) return Ok();
    return Judge(c, code, detail);
  }

  const ChannelConfig config_;
  const Clock& clock_;
  const std::string public_url_;
  bool ready_ = false;
  async::BlockingCalls calls_;
};

}  // namespace

std::unique_ptr<Channel> MakeEmail(const ChannelConfig& config, const ChannelTools& tools) {
  return std::make_unique<Email>(config, tools);
}

}  // namespace honryu::processors::notifier
