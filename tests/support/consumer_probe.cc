// A consumer for end-to-end tests: consumer_probe ENDPOINT APPLICATION STREAM. Opens everything, prints the
// data of each record that it has processed on a line of its own, fails for data that holds "poison", and
// sets that aside. Stops on SIGTERM or SIGINT.
#include "honryu/async/runtime.h"
#include "honryu/client/remote_client.h"
#include "honryu/consumer/batch_runner.h"
#include "honryu/http/client.h"
#include "honryu/obs/metrics.h"

#include <csignal>
#include <cstdio>
#include <string>

namespace {

using namespace honryu;

class Printer final : public consumer::RecordHandler {
 public:
  async::Task<Result<consumer::BatchReport>> Process(async::Context /*ctx*/,
                                                     const consumer::RecordBatch& batch) override {
    for (const client::StreamRecord& record : batch.records) {
      if (record.data.view().find("poison") != BytesView::npos)
        co_return Error(ErrorCode::kInternal, "poison on purpose");
    }
    for (const client::StreamRecord& record : batch.records) {
      std::fwrite(record.data.data(), 1, record.data.size(), stdout);
      std::fputc('\n', stdout);
    }
    std::fflush(stdout);
    co_return consumer::BatchReport();
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);

  obs::Registry registry;
  async::Runtime runtime(async::RuntimeOptions{1, 2});
  http::Client http(runtime, http::ClientConfig());
  client::RemoteClientConfig remote;
  remote.endpoint = argv[1];
  const auto client = client::MakeRemoteClient(http, remote);
  consumer::BatchRunnerConfig config;
  config.worker.application = argv[2];
  config.worker.stream = argv[3];
  config.worker.sync_interval = std::chrono::milliseconds(100);
  config.worker.lease_duration = std::chrono::seconds(2);
  config.worker.opening = consumer::OpeningConfig::All();
  config.worker.dead_letters.enabled = true;
  config.parallelisation = 4;
  config.retry_initial = std::chrono::milliseconds(10);
  Printer printer;
  consumer::BatchRunner runner(config, *client, printer, runtime.NextExecutor(), SystemClock(), registry,
                               &runtime);
  runner.Start();
  int signal = 0;
  sigwait(&stop, &signal);
  runtime.BlockOn(runner.Stop(SystemClock().Mono() + std::chrono::seconds(10)));
  return 0;
}
