#include "app/settings/describe.h"
#include "honryu/config/load.h"

namespace honryu::app {
namespace {

using config::Section;
using processors::detector::Watch;
using processors::notifier::ChannelConfig;
using processors::notifier::ChannelKind;
using processors::notifier::MailSecurity;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

void DescribeChannel(ChannelConfig& channel, Section& section) {
  section.Field("name", &channel.name, {.doc = "What rules call it.", .required = true});
  section.Enum("kind", &channel.kind, {.doc = "How people are told.", .required = true},
               {{"webhook", ChannelKind::kWebhook},
                {"slack", ChannelKind::kSlack},
                {"alertmanager", ChannelKind::kAlertmanager},
                {"email", ChannelKind::kEmail}});
  section.Field(
      "url", &channel.url,
      {.doc = "Where to: http(s)://…, for e-mail smtp://host:port, for Alertmanager without /api/v2/alerts.",
       .secret = true,
       .required = true});
  section.Field("secret", &channel.secret,
                {.doc = "Webhook: key of the signature; empty: unsigned.", .secret = true});
  section.Field("from", &channel.from, {.doc = "E-mail: sender.", .example = "honryu@example.com"});
  section.Field("to", &channel.to, {.doc = "E-mail: recipients.", .example = "[ops@example.com]"});
  section.Field("user", &channel.user, {.doc = "E-mail: name for the mail server; empty: none."});
  section.Field("password", &channel.password, {.doc = "E-mail: its password.", .secret = true});
  section.Enum(
      "security", &channel.security, {.doc = "E-mail: how the connection is protected."},
      {{"none", MailSecurity::kNone}, {"starttls", MailSecurity::kStartTls}, {"tls", MailSecurity::kTls}});
  section.Enum("least", &channel.least, {.doc = "Less severe alerts are not sent here."},
               {{"info", alerting::Severity::kInfo},
                {"warning", alerting::Severity::kWarning},
                {"critical", alerting::Severity::kCritical}});
  section.Field("timeout", &channel.timeout, {.doc = "Of one attempt."}, {milliseconds(100), minutes(5)});
  section.Check([&channel] { return channel.Validate(); });
}

void DescribeWatch(Watch& watch, Section& section) {
  section.Field("name", &watch.name, {.doc = "Name of the watch.", .required = true});
  section.Field("stream", &watch.stream, {.doc = "Stream whose records are watched."});
  section.Sub("series", "Which numbers are watched.",
              [&watch](Section& s) { alerting::DescribeSeries(watch.series, s); });
  section.Field("max_series", &watch.max_series,
                {.doc = "Series with a detector; the one not seen for longest makes room."}, {1, 100'000});
  section.Field("trees", &watch.trees, {.doc = "Trees of each forest."}, {1, 1000});
  section.Field("sample_size", &watch.sample_size, {.doc = "Points of a tree."}, {2, 16384});
  section.Field("silent_rows", &watch.silent_rows, {.doc = "Values of a series before the first score."},
                {1, 1'000'000});
  section.Field("shingle", &watch.shingle,
                {.doc = "Values joined into one point; more find changes of shape."}, {1, 1000});
  section.List(
      "conditions", &watch.conditions,
      {.doc = "What is odd in any case: is (above, below, rise, fall), limit and so on, as in rules."},
      alerting::DescribeCondition);
  section.Field("absent_after", &watch.absent_after,
                {.doc = "A series without a value for so long is odd; 0: it is not."},
                {Duration::zero(), hours(24 * 30)});
  section.Field("raw_lead", &watch.raw_lead,
                {.doc = "Raw events came so much earlier than what an increment stands for."},
                {Duration::zero(), hours(1)});
  section.Field("season_slot", &watch.season_slot, {.doc = "Part of the day with one usual value."},
                {minutes(1), hours(24)});
  section.Field("least_grade", &watch.least_grade, {.doc = "Anomalies of a lower grade are not written."},
                {0, 1});
  section.Field("least_change", &watch.least_change,
                {.doc = "Nor those nearer to the usual value than this share of it."}, {0, 1000});
  section.Field("least_deviations", &watch.least_deviations,
                {.doc = "Nor those nearer than so many of the usual standard deviations."}, {0, 1000});
  section.Check([&watch] { return watch.Validate(); });
}

}  // namespace

void DescribeDetector(processors::detector::DetectorConfig& detector, Section& section) {
  section.Field("stream", &detector.anomalies_stream, {.doc = "Stream that anomalies go to."});
  section.Field("raw_stream", &detector.raw_stream,
                {.doc = "Stream of the events behind the rows, for their sequence numbers; empty: none."});
  section.Field("warm_start", &detector.warm_start, {.doc = "History that is read again at a start."},
                {Duration::zero(), hours(24 * 365)});
  section.List("watches", &detector.watches,
               {.doc = "What is watched; those of alerts.files come in addition."}, DescribeWatch);
  section.Check([&detector] { return detector.Validate(); });
}

void DescribeAlerts(Settings& settings, Section& section) {
  auto& alerter = settings.alerter;
  auto& notifier = settings.notifier;
  section.Field("stream", &alerter.alerts_stream, {.doc = "Stream of steps, notifications and silences."});
  section.Field("files", &settings.alert_files,
                {.doc = "YAML files with the keys rules and watches, read at the start.",
                 .example = "[config/alerts.yaml]"});
  section.List("rules", &alerter.rules, {.doc = "Rules; those of files come in addition."},
               alerting::DescribeRule);
  section.List("channels", &notifier.channels, {.doc = "Who is told."}, DescribeChannel);
  section.Field("public_url", &notifier.public_url,
                {.doc = "Where people reach this server, for charts in messages; empty: no charts in Slack.",
                 .example = "https://honryu.example.com"});
  section.Field("look_back", &alerter.look_back,
                {.doc = "History of a stream that rules have not read before."},
                {Duration::zero(), hours(24 * 30)});
  section.Field("dead_letter_stream", &notifier.dead_letter_stream,
                {.doc = "Stream for notifications that could not be delivered."});
  section.Field("retry_initial", &notifier.retry_initial, {.doc = "First pause after a failed delivery."},
                {milliseconds(1), hours(1)});
  section.Field("retry_max", &notifier.retry_max, {.doc = "Longest pause."}, {milliseconds(1), hours(24)});
  section.Field("give_up_after", &notifier.give_up_after, {.doc = "Then it is a dead letter."},
                {Duration::zero(), hours(24 * 30)});
  section.Field("metrics_stream", &settings.metrics_source.stream,
                {.doc = "Stream of metrics, for rules: those of this process and of metrics_targets."});
  section.Field("metrics_targets", &settings.metrics_source.targets,
                {.doc = "Metrics pages of the other daemons, at most 100; without a path: /metrics.",
                 .example = "[http://broker:9600, http://aggregator:9600]"});
  section.Field("metrics_interval", &settings.metrics_source.interval, {.doc = "Between two looks at them."},
                {milliseconds(100), hours(1)});
  section.Field("metrics_timeout", &settings.metrics_source.timeout, {.doc = "Of one of them."},
                {milliseconds(10), minutes(5)});
  section.Field("metrics", &settings.metrics_source.patterns,
                {.doc = "Names of those metrics, with * and ?."});
  section.Field("metrics_least_rate", &settings.metrics_source.least_rate,
                {.doc = "Records a second of a stream below which its shards are not called uneven."},
                {0, 1e9});
  section.Check([&settings]() -> Result<void> {
    HONRYU_TRY_VOID(settings.alerter.Validate());
    HONRYU_TRY_VOID(settings.metrics_source.Validate());
    return settings.notifier.Validate();
  });
}

Result<void> ReadAlertFiles(const std::vector<std::string>& files, std::vector<alerting::Rule>& rules,
                            std::vector<Watch>& watches) {
  for (const std::string& file : files) {
    std::vector<alerting::Rule> more_rules;
    std::vector<Watch> more_watches;
    HONRYU_TRY(const config::LoadNotes notes,
               config::LoadFile(file, config::Environment{}, {}, [&](Section& section) {
                 section.List("rules", &more_rules, {.doc = "Rules."}, alerting::DescribeRule);
                 section.List("watches", &more_watches, {.doc = "Watches."}, DescribeWatch);
               }));
    rules.insert(rules.end(), more_rules.begin(), more_rules.end());
    watches.insert(watches.end(), more_watches.begin(), more_watches.end());
  }
  return alerting::CheckRules(rules);
}

}  // namespace honryu::app
