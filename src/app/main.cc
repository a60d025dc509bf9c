#include "commands/command.h"
#include "version.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  CLI::App app(
      "honryu: a self-hosted streaming analytics suite (ingest, log, windows, live numbers) in one binary",
      "honryu");
  app.set_version_flag("--version", std::string("honryu ") + honryu::app::kVersion);
  app.require_subcommand(1);
  app.footer(
      "Start everything:      honryu serve\n"
      "Post an event:         curl -d '{\"event_type\":\"hello\",\"user_id\":\"me\"}' "
      "http://127.0.0.1:8080/v1/events\n"
      "Live numbers:          curl 'http://127.0.0.1:8080/v1/kpi?metric=events&from=now-1h'\n"
      "Search events:         honryu search 'level:error' --from 15m\n"
      "Any Kinesis SDK:       aws kinesis list-streams --endpoint-url http://127.0.0.1:4567\n"
      "Help of a subcommand:  honryu serve --help");
  int exit_code = 0;
  honryu::app::AddServeCommand(app, &exit_code);
  honryu::app::AddPutCommand(app, &exit_code);
  honryu::app::AddGetCommand(app, &exit_code);
  honryu::app::AddTailCommand(app, &exit_code);
  honryu::app::AddBenchCommand(app, &exit_code);
  honryu::app::AddDemoCommand(app, &exit_code);
  honryu::app::AddAlertsCommand(app, &exit_code);
  honryu::app::AddSearchCommand(app, &exit_code);
  honryu::app::AddSqlCommand(app, &exit_code);
  honryu::app::AddStreamsCommand(app, &exit_code);
  honryu::app::AddDlqCommand(app, &exit_code);
  honryu::app::AddLogCommand(app, &exit_code);
  honryu::app::AddConfigCommand(app, &exit_code);
  honryu::app::AddHealthcheckCommand(app, &exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    return code == 0 ? 0 : 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "honryu: %s\n", e.what());
    return 1;
  }
  return exit_code;
}
