#include "command.h"
#include "connection.h"
#include "honryu/base/units.h"
#include "honryu/log/rocksdb_engine.h"

#include <cstdio>
#include <memory>
#include <string>

namespace honryu::app {
namespace {

int RunVerify(const std::string& path, bool quiet) {
  const auto report = log::VerifyLog(path, [quiet](std::uint64_t batches, std::uint64_t bytes) {
    if (!quiet)
      std::fprintf(stderr, "\r%llu batches, %llu MiB read", static_cast<unsigned long long>(batches),
                   static_cast<unsigned long long>(bytes >> 20));
  });
  if (!quiet) std::fputc('\n', stderr);
  if (!report.ok()) return Fail(report.error());
  for (const std::string& fault : report->faults) std::printf("FAULT %s\n", fault.c_str());
  std::printf(
      "%llu partitions, %llu segments, %llu batches, %llu records, %llu bytes: %zu faults\n",
      static_cast<unsigned long long>(report->partitions), static_cast<unsigned long long>(report->segments),
      static_cast<unsigned long long>(report->batches), static_cast<unsigned long long>(report->records),
      static_cast<unsigned long long>(report->bytes), report->faults.size());
  if (report->sealed_records > 0)
    std::printf("%llu of the records are encrypted: their checksums were checked, they were not opened\n",
                static_cast<unsigned long long>(report->sealed_records));
  return report->faults.empty() ? 0 : 1;
}

}  // namespace

void AddLogCommand(CLI::App& app, int* exit_code) {
  struct Options {
    std::string path;
    bool quiet = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* log = app.add_subcommand("log", "Inspect the log's files");
  log->require_subcommand(1);
  CLI::App* verify = log->add_subcommand(
      "verify", "Read every record of a stopped broker's log and check all checksums and positions");
  verify->add_option("path", options->path, "The log's folder: DATA_DIR/log")
      ->required()
      ->check(CLI::ExistingDirectory);
  verify->add_flag("-q,--quiet", options->quiet, "No progress");
  verify->footer(
      "Exit code 0: no fault; 1: faults are listed with group, segment, partition and position.\nExample:\n  "
      "honryu log verify /var/lib/honryu/log");
  log->footer(
      "Example:\n  honryu log verify /var/lib/honryu/log   (exit code 1 when a fault was found; every fault "
      "is listed with its position)");
  verify->callback([options, exit_code] { *exit_code = RunVerify(options->path, options->quiet); });
}

}  // namespace honryu::app
