#include "channels.h"
#include "honryu/codec/json.h"

#include <utility>

namespace honryu::processors::notifier {

namespace {

constexpr std::size_t kMostBlocks = 10;  // alerts shown; Slack takes 50 blocks a message
constexpr std::size_t kMostRow = 1500;   // of a record; Slack takes 3000 characters a text

// Slack's own marks: https://api.slack.com/reference/surfaces/formatting#escaping
std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

// Cut without breaking a UTF-8 character.
std::string Cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return std::string(text.substr(0, most)) + "…";
}

void Section(codec::JsonWriter& json, const std::string& markdown) {
  json.BeginObject();
  json.Key("type");
  json.String("section");
  json.Key("text");
  json.BeginObject();
  json.Key("type");
  json.String("mrkdwn");
  json.Key("text");
  json.String(markdown);
  json.EndObject();
  json.EndObject();
}

std::string_view ColourOf(const alerting::Notification& note) {
  if (note.Status() == "resolved") return "#2eb886";
  return note.severity == alerting::Severity::kCritical ? "#d00000" : "#e8a33d";
}

std::string SlackBody(const alerting::Notification& note, const std::string& public_url) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("text");
  json.String(Escape(Cut(Headline(note), 2000)));
  json.Key("attachments");
  json.BeginArray();
  json.BeginObject();
  json.Key("color");
  json.String(ColourOf(note));
  json.Key("blocks");
  json.BeginArray();
  std::size_t shown = 0;
  for (const alerting::Alert& alert : note.alerts) {
    if (shown++ == kMostBlocks) break;
    std::string block = "*" + Escape(alerting::AlertStateName(alert.state)) + "* " +
                        Escape(Cut(alert.summary, 800)) + "\nsince " + FormatTimestamp(alert.since);
    if (!alert.row.empty()) block += "\n```" + Escape(Cut(alert.row, kMostRow)) + "```";
    Section(json, Cut(block, 2900));
    if (public_url.empty() || alert.points.empty()) continue;
    json.BeginObject();
    json.Key("type");
    json.String("image");
    json.Key("image_url");
    json.String(public_url + ChartPath(alert));
    json.Key("alt_text");
    json.String(Cut(alert.Fingerprint(), 1900));
    json.EndObject();
  }
  const std::size_t hidden = note.alerts.size() - std::min(note.alerts.size(), kMostBlocks) + note.more;
  if (hidden > 0) Section(json, "and " + std::to_string(hidden) + " more");
  json.EndArray();
  json.EndObject();
  json.EndArray();
  json.EndObject();
  return text;
}

}  // namespace

std::unique_ptr<Channel> MakeSlack(const ChannelConfig& config, const ChannelTools& tools) {
  return MakePoster(tools, http::ParseUrl(config.url).value(), config.timeout,
                    [public_url = tools.public_url](const alerting::Notification& note) {
                      Message message;
                      message.body = SlackBody(note, public_url);
                      return message;
                    });
}

}  // namespace honryu::processors::notifier
