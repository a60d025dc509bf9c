#include "honryu/api/query/query_api.h"
#include "honryu/processors/materializer/materializer.h"
#include "honryu/views/kpi_store.h"
#include "roles.h"

#include <filesystem>

namespace honryu::app {
namespace {

class QueryRole final : public Component {
 public:
  explicit QueryRole(Wiring& wiring) : wiring_(wiring) {}

  const char* name() const override { return "query"; }
  Result<void> Start() override;
  Result<void> Ready() const override { return materializer_->Ready(); }
  void Stop(MonoTime deadline) override {
    if (materializer_ != nullptr) wiring_.runtime.BlockOn(materializer_->Stop(deadline));
  }

 private:
  Wiring& wiring_;
  std::unique_ptr<views::KpiStore> store_;
  std::unique_ptr<processors::materializer::Materializer> materializer_;
  std::unique_ptr<api::query::QueryApi> api_;
};

Result<void> QueryRole::Start() {
  const Settings& settings = wiring_.settings;
  std::error_code failed;
  std::filesystem::create_directories(settings.query_path, failed);
  if (failed) return Error(ErrorCode::kIo, "cannot create " + settings.query_path + ": " + failed.message());
  HONRYU_TRY(store_, views::OpenKpiStore(settings.query_path));
  materializer_ = std::make_unique<processors::materializer::Materializer>(
      settings.materializer, *store_, *wiring_.streams, wiring_.runtime, wiring_.runtime.NextExecutor(),
      wiring_.clock, wiring_.metrics);
  api_ = std::make_unique<api::query::QueryApi>(settings.query, *store_, wiring_.runtime, wiring_.clock,
                                                wiring_.metrics);
  api_->Register(wiring_.http_router);
  materializer_->Start();
  return Ok();
}

}  // namespace

std::unique_ptr<Component> MakeQueryRole(Wiring& wiring) { return std::make_unique<QueryRole>(wiring); }

}  // namespace honryu::app
