#include "api/gateway/event_writer.h"

#include <numeric>

namespace honryu::api::gateway {

/// Entries of one Put with the claims they hold. Whatever happens to it, its end decides every claim and
/// wakes whoever waits for one. Shared by the task that stores it and nobody else.
class EventWriter::Batch {
 public:
  Batch(DedupWindow* window, std::shared_ptr<DedupTicket> ticket)
      : window_(window), ticket_(std::move(ticket)) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() {
    if (!decided_) Decide(Error(ErrorCode::kUnavailable, "the write was given up"));
  }

  void Add(const std::optional<UInt128>& id, client::PutEntry entry) {
    ids_.push_back(id);
    entries_.push_back(std::move(entry));
  }
  std::vector<client::PutEntry> TakeEntries() { return std::move(entries_); }
  const async::OneShot<Results>& done() const { return done_; }

  void Decide(Result<Results> outcome) {
    decided_ = true;
    if (outcome.ok() && outcome->size() != ids_.size()) {
      outcome = Error(ErrorCode::kInternal, "the log answered for another number of entries");
    }
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      if (!ids_[i].has_value() || window_ == nullptr) continue;
      if (outcome.ok() && (*outcome)[i].ok()) {
        window_->Commit(*ids_[i]);
      } else {
        window_->Release(*ids_[i]);
      }
    }
    ticket_->Finish();
    done_.Set(std::move(outcome));
  }

 private:
  DedupWindow* const window_;
  const std::shared_ptr<DedupTicket> ticket_;
  std::vector<std::optional<UInt128>> ids_;
  std::vector<client::PutEntry> entries_;
  async::OneShot<Results> done_;
  bool decided_ = false;
};

/// One pass over the items that are not decided yet.
struct EventWriter::Round {
  struct Follower {
    std::size_t item;
    std::size_t leader;
  };
  std::shared_ptr<DedupTicket> ticket = std::make_shared<DedupTicket>();
  std::vector<std::size_t> pending;
  std::vector<std::size_t> mine;                      // to be stored by us
  std::vector<Follower> followers;                    // repeat an event of this very request
  std::vector<std::size_t> waiting;                   // being stored by another request
  std::vector<std::shared_ptr<DedupTicket>> holders;  // of `waiting`, same places
};

EventWriter::EventWriter(client::StreamClient& client, std::string stream, Duration put_timeout,
                         DedupWindow* window)
    : client_(client), stream_(std::move(stream)), put_timeout_(put_timeout), window_(window) {}

async::Task<void> EventWriter::Store(client::StreamClient& client, std::string stream, Duration timeout,
                                     std::shared_ptr<Batch> batch) {
  async::Context ctx = async::Context::WithTimeout(timeout);
  std::vector<client::PutEntry> entries = batch->TakeEntries();
  Result<Results> outcome = co_await client.Put(std::move(ctx), std::move(stream), std::move(entries));
  batch->Decide(std::move(outcome));
}

void EventWriter::Sort(const std::vector<WriteItem>& items, Round* round,
                       std::vector<WriteResult>* results) const {
  for (const std::size_t i : round->pending) {
    if (!items[i].event_id.has_value() || window_ == nullptr) {
      round->mine.push_back(i);
      continue;
    }
    DedupWindow::ClaimResult claim = window_->TryClaim(*items[i].event_id, round->ticket, i);
    if (claim.claim == DedupWindow::Claim::kSeen) {
      (*results)[i].outcome = WriteOutcome::kDuplicate;
    } else if (claim.claim == DedupWindow::Claim::kMine) {
      round->mine.push_back(i);
    } else if (claim.holder == round->ticket) {
      round->followers.push_back({i, claim.holder_index});
    } else {
      round->waiting.push_back(i);
      round->holders.push_back(std::move(claim.holder));
    }
  }
}

async::Task<void> EventWriter::PutMine(async::Context ctx, Round& round, std::vector<WriteItem>& items,
                                       std::vector<WriteResult>& results) {
  async::OneShot<Results> done;
  {
    auto batch = std::make_shared<Batch>(window_, round.ticket);
    for (const std::size_t i : round.mine) batch->Add(items[i].event_id, std::move(items[i].entry));
    done = batch->done();
    async::Executor executor = co_await async::CurrentExecutor();
    group_.Spawn(executor, "gateway put", Store(client_, stream_, put_timeout_, std::move(batch)));
  }
  Result<Results> outcome = co_await done.Wait(ctx.deadline);
  for (std::size_t k = 0; k < round.mine.size(); ++k) {
    WriteResult& result = results[round.mine[k]];
    if (outcome.ok() && (*outcome)[k].ok()) {
      result.outcome = WriteOutcome::kStored;
    } else {
      result.outcome = WriteOutcome::kFailed;
      result.error = outcome.ok() ? (*outcome)[k].error() : outcome.error();
    }
  }
}

async::Task<std::vector<WriteResult>> EventWriter::Write(async::Context ctx, std::vector<WriteItem> items) {
  std::vector<WriteResult> results(items.size());
  std::vector<std::size_t> pending(items.size());
  std::iota(pending.begin(), pending.end(), std::size_t{0});
  while (!pending.empty()) {
    Round round;
    round.pending = std::move(pending);
    pending.clear();
    Sort(items, &round, &results);
    // Our own claims are decided before we wait for those of others: two requests cannot wait for each other.
    if (!round.mine.empty()) co_await PutMine(ctx, round, items, results);
    for (const Round::Follower& follower : round.followers) {
      results[follower.item] = results[follower.leader];
      if (results[follower.item].outcome == WriteOutcome::kStored) {
        results[follower.item].outcome = WriteOutcome::kDuplicate;
      }
    }
    Result<void> waited = Ok();
    for (std::size_t k = 0; k < round.waiting.size() && waited.ok(); ++k) {
      waited = co_await round.holders[k]->Wait(ctx.deadline);
    }
    if (!waited.ok()) {
      for (const std::size_t i : round.waiting) {
        results[i].error = waited.error().WithContext("another request is still storing this event");
      }
      break;
    }
    pending = std::move(round.waiting);
  }
  co_return results;
}

async::Task<void> EventWriter::Stop(MonoTime deadline) {
  Result<void> joined = co_await group_.Join(deadline);
  if (!joined.ok()) {
    group_.Cancel();
    joined = co_await group_.Join();
  }
}

}  // namespace honryu::api::gateway
