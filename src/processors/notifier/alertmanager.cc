#include "channels.h"
#include "honryu/codec/json.h"

#include <cctype>
#include <utility>

namespace honryu::processors::notifier {

namespace {

// Alertmanager forgets an alert at its endsAt; the end of one that fires is told by a message of its own.
constexpr auto kFiringHold = std::chrono::hours(24 * 7);

// A name of a label: [a-zA-Z_][a-zA-Z0-9_]*.
std::string LabelName(std::string_view field) {
  std::string name;
  for (const char c : field) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) name.insert(0, "_");
  return name;
}

void Member(codec::JsonWriter& json, std::string_view key, std::string_view text) {
  json.Key(key);
  json.String(text);
}

// POST /api/v2/alerts: an array of labels, annotations, startsAt, endsAt, generatorURL.
std::string AlertmanagerBody(const alerting::Notification& note, const std::string& public_url) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginArray();
  for (const alerting::Alert& alert : note.alerts) {
    json.BeginObject();
    json.Key("labels");
    json.BeginObject();
    Member(json, "alertname", alert.rule);
    Member(json, "severity", alerting::SeverityName(alert.severity));
    Member(json, "source", "honryu");
    if (note.test) Member(json, "test", "true");
    if (!alert.key.empty()) Member(json, "key", alert.key);
    for (std::size_t at = 0; at < alert.key.size();) {
      const std::size_t end = std::min(alert.key.find(',', at), alert.key.size());
      const std::string_view part = std::string_view(alert.key).substr(at, end - at);
      const std::size_t equals = part.find('=');
      if (equals != std::string_view::npos)
        Member(json, "key_" + LabelName(part.substr(0, equals)), part.substr(equals + 1));
      at = end + 1;
    }
    json.EndObject();
    json.Key("annotations");
    json.BeginObject();
    Member(json, "summary", alert.summary);
    Member(json, "state", alerting::AlertStateName(alert.state));
    Member(json, "notification", note.id);
    if (!alert.row.empty()) Member(json, "row", alert.row);
    json.EndObject();
    Member(json, "startsAt", FormatTimestamp(alert.since));
    const bool over =
        alert.state == alerting::AlertState::kResolved || alert.state == alerting::AlertState::kOk;
    Member(json, "endsAt", FormatTimestamp(over ? alert.at : note.at + kFiringHold));
    if (!public_url.empty()) Member(json, "generatorURL", public_url + ChartPath(alert));
    json.EndObject();
  }
  json.EndArray();
  return text;
}

}  // namespace

std::unique_ptr<Channel> MakeAlertmanager(const ChannelConfig& config, const ChannelTools& tools) {
  http::Endpoint endpoint = http::ParseUrl(config.url).value();
  while (endpoint.path.ends_with('/')) endpoint.path.pop_back();
  endpoint.path += "/api/v2/alerts";
  return MakePoster(tools, std::move(endpoint), config.timeout,
                    [public_url = tools.public_url](const alerting::Notification& note) {
                      Message message;
                      message.body = AlertmanagerBody(note, public_url);
                      return message;
                    });
}

}  // namespace honryu::processors::notifier
