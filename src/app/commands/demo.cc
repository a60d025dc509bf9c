#include "honryu/demo/demo.h"

#include "command.h"
#include "connection.h"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace honryu::app {
namespace {

struct Options {
  demo::DemoOptions demo;
  demo::Target target;
  demo::ReplayOptions replay;
  std::vector<std::string> incidents;
  bool flat = false;
};

async::Task<Result<demo::Progress>> Run(const Options* options, http::Client* client) {
  if (!options->replay.file.empty()) {
    Result<demo::Progress> done =
        co_await demo::RunReplay(options->replay, options->target, *client, SystemClock());
    co_return done;
  }
  Result<demo::Progress> done =
      co_await demo::RunDemo(options->demo, options->target, *client, SystemClock());
  co_return done;
}

int RunDemoCommand(Options options) {
  InstallStopSignals();
  options.demo.generator.daily_curve = !options.flat;
  const Timestamp now = SystemClock().Now();
  for (const std::string& text : options.incidents) {
    const Result<demo::Incident> incident = demo::ParseIncident(text, now);
    if (!incident.ok()) return Fail(incident.error());
    options.demo.generator.incidents.push_back(*incident);
  }
  demo::Progress before;
  options.target.give_up_after =
      options.replay.file.empty() ? Duration::zero() : Duration(std::chrono::seconds(60));
  options.target.stop = [] { return StopRequested(); };
  options.target.on_progress = [&before](const demo::Progress& progress) {
    std::printf("%s\n", demo::FormatProgress(progress, before).c_str());
    std::fflush(stdout);
    before = progress;
  };
  Connection connection(options.target.url);
  const Result<demo::Progress> done = connection.runtime().BlockOn(Run(&options, &connection.http()));
  if (!done.ok()) return Fail(done.error());
  std::printf("%s\n", demo::FormatProgress(*done, before).c_str());
  if (!done->last_problem.empty()) std::fprintf(stderr, "last problem: %s\n", done->last_problem.c_str());
  return done->rejected + done->unreadable == 0 ? 0 : 1;
}

}  // namespace

void AddDemoCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("demo", "Send realistic app traffic, or replay a file of events, to a gateway");
  command->add_option("--url", options->target.url, "The gateway")->capture_default_str();
  command->add_option("--api-key", options->target.api_key, "Sent as a bearer token")
      ->envname("HONRYU_API_KEY");
  command->add_option("--rate", options->demo.generator.events_per_second, "Events a second, as a day's mean")
      ->capture_default_str();
  command->add_option("--users", options->demo.generator.users, "Users of the pretended app")
      ->capture_default_str();
  command->add_option("--seed", options->demo.generator.seed, "The same seed gives the same traffic")
      ->capture_default_str();
  command->add_option("--count", options->demo.max_events, "Stop after this many events (0: never)")
      ->capture_default_str();
  command->add_flag("--flat", options->flat, "The same rate all day, without Tokyo's daily curve");
  command->add_flag("--detailed", options->demo.generator.detailed,
                    "Events of about 1 KB, with what a server logs about a request");
  command->add_option(
      "--incident", options->incidents,
      "error-burst, traffic-drop, hot-user, platform-drop or reserve-cancel, with @AFTER and +LENGTH as "
      "wanted; may be repeated");
  command
      ->add_option("--replay", options->replay.file,
                   "Send the events of this NDJSON file (gzip or plain) instead")
      ->check(CLI::ExistingFile);
  demo::ReplayMapping& mapping = options->replay.mapping;
  command->add_option("--time-field", mapping.time_field, "Replay: field that holds an event's time")
      ->capture_default_str();
  command->add_option("--type-field", mapping.type_field, "Replay: field that becomes event_type");
  command->add_option("--user-field", mapping.user_field, "Replay: field that becomes user_id");
  command
      ->add_option("--speed", options->replay.speed,
                   "Replay: times as fast as recorded; 0: as fast as possible")
      ->capture_default_str();
  command->footer(
      "Events pushed back (429, 503) are sent again with the same event_id: nothing is lost or stored "
      "twice.\n"
      "Examples:\n  honryu demo --rate 1000 --users 50000 --incident error-burst@30s+1m\n"
      "  honryu demo --replay edits.ndjson.gz --time-field time --user-field user --type-field channel "
      "--speed 0");
  command->callback([options, exit_code] { *exit_code = RunDemoCommand(*options); });
}

}  // namespace honryu::app
