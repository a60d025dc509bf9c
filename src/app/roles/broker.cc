#include "honryu/api/cloudwatch/cloudwatch_api.h"
#include "honryu/api/dynamodb/dynamodb_api.h"
#include "honryu/api/kinesis/kinesis_api.h"
#include "honryu/log/rocksdb_engine.h"
#include "honryu/obs/log.h"
#include "honryu/tables/table_store.h"
#include "listener.h"
#include "roles.h"

namespace honryu::app {
namespace {

class BrokerRole final : public Component {
 public:
  explicit BrokerRole(Wiring& wiring)
      : wiring_(wiring), listener_(wiring, wiring.settings.kinesis, router_) {}

  const char* name() const override { return "log"; }
  Result<void> Start() override;
  Result<void> Ready() const override { return broker_->Writable(); }
  // No BeginStop: the Kinesis listener stays until our own daemons, here and in other processes, are done.
  void Stop(MonoTime deadline) override;

 private:
  Wiring& wiring_;
  std::unique_ptr<log::RocksdbEngine> engine_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<api::kinesis::KinesisApi> kinesis_;
  std::unique_ptr<tables::TableStore> tables_;
  std::unique_ptr<api::dynamodb::DynamoDbApi> dynamodb_;
  std::unique_ptr<api::cloudwatch::CloudWatchApi> cloudwatch_;
  http::Router router_;
  Listener listener_;
};

Result<void> BrokerRole::Start() {
  const Settings& settings = wiring_.settings;
  HONRYU_TRY(engine_,
             log::RocksdbEngine::Open(settings.storage, wiring_.clock, wiring_.runtime, wiring_.metrics));
  broker_ = std::make_unique<broker::Broker>(settings.broker, *engine_, engine_->meta(), wiring_.clock,
                                             wiring_.runtime, wiring_.metrics);
  HONRYU_TRY_VOID(broker_->Start());
  wiring_.broker = broker_.get();
  kinesis_ = std::make_unique<api::kinesis::KinesisApi>(settings.kinesis_api, *broker_, wiring_.clock,
                                                        wiring_.metrics);
  HONRYU_TRY(tables_,
             tables::TableStore::Open(settings.tables, wiring_.clock, wiring_.runtime, wiring_.metrics));
  dynamodb_ = std::make_unique<api::dynamodb::DynamoDbApi>(settings.dynamodb_api, *tables_, wiring_.clock,
                                                           wiring_.metrics);
  cloudwatch_ = std::make_unique<api::cloudwatch::CloudWatchApi>(settings.cloudwatch_api, wiring_.clock,
                                                                 wiring_.metrics);
  // One port for all that a Kinesis application speaks to.
  router_.Add("*", "/*", [this](async::Context ctx, const http::Request& request) {
    if (api::dynamodb::DynamoDbApi::Takes(request)) return dynamodb_->Handle(std::move(ctx), request);
    if (api::cloudwatch::CloudWatchApi::Takes(request)) return cloudwatch_->Handle(std::move(ctx), request);
    return kinesis_->Handle(std::move(ctx), request);
  });
  return listener_.Start();
}

void BrokerRole::Stop(MonoTime deadline) {
  listener_.BeginStop();
  if (broker_ != nullptr) wiring_.runtime.BlockOn(broker_->Stop(deadline));
  listener_.Stop(deadline);
  if (engine_ == nullptr) return;
  if (const Result<void> closed = engine_->Close(); !closed.ok())
    LOG(error, "the log did not close cleanly", {"error", closed.error()});
}

}  // namespace

std::unique_ptr<Component> MakeBrokerRole(Wiring& wiring) { return std::make_unique<BrokerRole>(wiring); }

}  // namespace honryu::app
