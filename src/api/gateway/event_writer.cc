#include "api/gateway/event_writer.h"

#include <algorithm>
#include <numeric>

namespace honryu::api::gateway {

namespace {

/// After these the record may be in the log all the same: the answer was lost, or recovery may keep what an
/// fsync could not confirm. All others come before anything is written.
bool IsUncertain(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
    case ErrorCode::kIo:
    case ErrorCode::kCorrupt:
    case ErrorCode::kInternal:
    case ErrorCode::kUnset:
      return true;
    default:
      return false;
  }
}

bool IsForEver(const Error& error) {
  return error.code() == ErrorCode::kTooLarge || error.code() == ErrorCode::kInvalidArgument;
}

}  // namespace

/// Entries of one Put with the claims they hold. Whatever happens to it, its end decides every claim and
/// wakes whoever waits for one. Shared by the task that stores it and nobody else.
class EventWriter::Batch {
 public:
  Batch(DedupWindow* window, UncertainIds* uncertain, std::shared_ptr<DedupTicket> ticket)
      : window_(window), uncertain_(uncertain), ticket_(std::move(ticket)) {
    if (uncertain_ != nullptr) since_ = uncertain_->Now();
  }
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
        if (uncertain_ != nullptr) uncertain_->Forget(*ids_[i]);
        continue;
      }
      const Error& error = outcome.ok() ? (*outcome)[i].error() : outcome.error();
      if (uncertain_ != nullptr && IsUncertain(error)) uncertain_->Add(*ids_[i], since_);
      window_->Release(*ids_[i]);
    }
    ticket_->Finish();
    done_.Set(std::move(outcome));
  }

 private:
  DedupWindow* const window_;
  UncertainIds* const uncertain_;
  const std::shared_ptr<DedupTicket> ticket_;
  Timestamp since_;
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
                         DedupWindow* window, UncertainIds* uncertain)
    : client_(client),
      stream_(std::move(stream)),
      put_timeout_(put_timeout),
      window_(window),
      uncertain_(window == nullptr ? nullptr : uncertain) {}

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

/// Takes those events out of `round.mine` that an earlier write has stored after all, or of which that cannot
/// be told now.
async::Task<void> EventWriter::SettleDoubtful(async::Context ctx, Round& round,
                                              const std::vector<WriteItem>& items,
                                              std::vector<WriteResult>& results) {
  if (uncertain_ == nullptr) co_return;
  const auto state_of = [this, &items](std::size_t i) {
    return items[i].event_id.has_value() ? uncertain_->Of(*items[i].event_id) : UncertainIds::State::kNone;
  };
  const bool doubtful = std::any_of(round.mine.begin(), round.mine.end(), [&state_of](std::size_t i) {
    return state_of(i) != UncertainIds::State::kNone;
  });
  if (!doubtful) co_return;
  Result<void> read = co_await uncertain_->Resolve(ctx);
  std::vector<std::size_t> mine;
  for (const std::size_t i : round.mine) {
    const UncertainIds::State state = state_of(i);
    if (state == UncertainIds::State::kStored) {
      window_->Commit(*items[i].event_id);
      uncertain_->Forget(*items[i].event_id);
      results[i].outcome = WriteOutcome::kDuplicate;
    } else if (state == UncertainIds::State::kUncertain && !read.ok()) {
      window_->Release(*items[i].event_id);
      results[i].outcome = WriteOutcome::kFailed;
      results[i].error =
          Error(ErrorCode::kUnavailable,
                "an earlier write of this event ended without an answer and cannot be looked up now: " +
                    read.error().message());
    } else {
      mine.push_back(i);
    }
  }
  round.mine = std::move(mine);
  if (round.mine.empty()) round.ticket->Finish();
}

async::Task<void> EventWriter::PutMine(async::Context ctx, Round& round, std::vector<WriteItem>& items,
                                       std::vector<WriteResult>& results) {
  async::OneShot<Results> done;
  {
    auto batch = std::make_shared<Batch>(window_, uncertain_, round.ticket);
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
      result.error = outcome.ok() ? (*outcome)[k].error() : outcome.error();
      result.outcome =
          outcome.ok() && IsForEver(result.error) ? WriteOutcome::kRefused : WriteOutcome::kFailed;
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
    if (!round.mine.empty()) co_await SettleDoubtful(ctx, round, items, results);
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
