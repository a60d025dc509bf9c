#include "honryu/processors/indexer/indexer.h"

#include "honryu/api/search/search_api.h"
#include "honryu/obs/log.h"
#include "honryu/search/store.h"
#include "listener.h"
#include "roles.h"

#include <utility>

namespace honryu::app {
namespace {

/// The store of events, what fills it, and the API that searches it.
class IndexerRole final : public Component {
 public:
  explicit IndexerRole(Wiring& wiring)
      : wiring_(wiring), listener_(wiring, wiring.settings.search_listener, router_) {}

  const char* name() const override { return "indexer"; }
  Result<void> Start() override;
  Result<void> Ready() const override { return indexer_->Ready(); }
  void BeginStop() override { listener_.BeginStop(); }
  void Stop(MonoTime deadline) override {
    listener_.Stop(deadline);
    if (indexer_ != nullptr) wiring_.runtime.BlockOn(indexer_->Stop(deadline));
  }

 private:
  Wiring& wiring_;
  http::Router router_;
  std::unique_ptr<search::Store> store_;
  std::unique_ptr<processors::indexer::Indexer> indexer_;
  std::unique_ptr<api::search::SearchApi> api_;
  Listener listener_;
};

Result<void> IndexerRole::Start() {
  const Settings& settings = wiring_.settings;
  HONRYU_TRY(store_, search::Store::Open(settings.search_store, wiring_.clock));
  if (const std::string damage = store_->CatalogueDamage(); !damage.empty())
    LOG(error,
        "the catalogue of the search store was damaged: events since are read again from the log, templates, "
        "aliases and mappings made since are to be made again",
        {"damage", damage});
  indexer_ = std::make_unique<processors::indexer::Indexer>(settings.indexer, *store_, *wiring_.streams,
                                                            wiring_.runtime, wiring_.runtime.NextExecutor(),
                                                            wiring_.clock, wiring_.metrics);
  api::search::SearchConfig config = settings.search;
  config.max_body = settings.search_listener.max_body;
  api_ = std::make_unique<api::search::SearchApi>(
      std::move(config), *store_, *wiring_.streams,
      [indexer = indexer_.get(), stream = settings.indexer.document_stream](
          async::Context ctx, std::vector<client::PutPosition> positions, bool now) {
        return indexer->AwaitVisible(std::move(ctx), stream, std::move(positions), now);
      },
      wiring_.runtime, wiring_.clock, wiring_.metrics);
  router_.Add("*", "/*", [api = api_.get()](async::Context ctx, const http::Request& request) {
    return api->Handle(std::move(ctx), request);
  });
  indexer_->Start();
  return listener_.Start();
}

}  // namespace

std::unique_ptr<Component> MakeIndexerRole(Wiring& wiring) { return std::make_unique<IndexerRole>(wiring); }

}  // namespace honryu::app
