#include "honryu/consumer/redrive.h"

#include "consumer/letter_reader.h"
#include "honryu/async/retry.h"
#include "honryu/base/random.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <utility>

namespace honryu::consumer {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(60);
constexpr Duration kLease = std::chrono::minutes(2);
// One step of a redrive: two marks and one put.
constexpr std::size_t kStepLetters = 500;
constexpr std::size_t kStepBytes = 4 << 20;

/// What a first reading of the stream gathers.
struct Survey {
  LetterScan scan;
  PartJoiner joiner;
  Ledger ledger;
  std::set<std::string> seen;
  std::deque<StoredLetter> letters;
  LetterSummary summary;

  void Take(Result<DeadLetterEntry> entry) {
    if (!entry.ok()) {
      ++summary.foreign;
      return;
    }
    if (entry->mark) {
      ledger.Add(*entry->mark);
      return;
    }
    std::optional<DeadLetterPart> whole = joiner.Add(std::move(*entry->part));
    if (!whole || !scan.filter.Matches(*whole) || !seen.insert(whole->id).second) return;
    ++summary.letters;
    summary.bytes += whole->size;
    ++summary.by_reason[whole->reason];
    ++summary.by_application[whole->letter.application];
    const Timestamp time = whole->letter.last_failure;
    summary.oldest = summary.oldest ? std::min(*summary.oldest, time) : time;
    summary.newest = summary.newest ? std::max(*summary.newest, time) : time;
    if (!scan.with_data) whole->letter.record.data = Bytes();
    letters.push_back({std::move(*whole), LetterStatus::kWaiting});
    if (letters.size() > scan.limit) letters.pop_front();
  }
};

async::Task<Result<bool>> SurveyOne(std::shared_ptr<Survey> survey, Result<DeadLetterEntry> entry) {
  survey->Take(std::move(entry));
  co_return true;
}

async::Task<Result<void>> MakeSurvey(client::StreamClient& client, std::shared_ptr<Survey> survey) {
  Result<void> read = co_await ReadLetters(
      client, survey->scan.stream,
      [survey](Result<DeadLetterEntry> entry) { return SurveyOne(survey, std::move(entry)); });
  if (!read.ok()) co_return read;
  for (const std::string& id : survey->seen)
    ++survey->summary.by_status[std::string(LetterStatusName(survey->ledger.StatusOf(id)))];
  co_return Ok();
}

/// A redrive under way: its second reading of the stream puts letters back.
struct Redriving {
  explicit Redriving(client::StreamClient& stream_client, const Clock& source)
      : client(stream_client), clock(source) {}

  client::StreamClient& client;
  const Clock& clock;
  RedriveRequest request;
  std::function<bool(const RedriveProgress&)> tell;
  std::string id = RandomUuid();
  client::Lease lease;
  PartJoiner joiner;
  std::set<std::string> chosen;  ///< Not put back yet.
  std::vector<DeadLetterPart> step;
  std::size_t step_bytes = 0;
  RedriveProgress progress;
  bool stopped = false;
};

async::Task<Result<void>> PutMark(Redriving& redriving, RedriveMark::State state,
                                  std::vector<std::string> ids) {
  if (ids.empty()) co_return Ok();
  RedriveMark mark;
  mark.redrive = redriving.id;
  mark.state = state;
  mark.at = redriving.clock.Now();
  mark.ids = std::move(ids);
  async::RetryPolicy policy;
  Random random(async::RetrySeed());
  for (int n = 0;; ++n) {
    std::vector<client::PutEntry> entries;
    entries.push_back(EncodeRedriveMark(mark));
    auto put = co_await redriving.client.Put(async::Context::WithTimeout(kCallTimeout),
                                             redriving.request.stream, std::move(entries));
    Error error;
    if (put.ok() && put->front().ok()) co_return Ok();
    error = put.ok() ? put->front().error() : put.error();
    if (!error.retryable() || n + 1 >= policy.max_attempts)
      co_return error.WithContext("noting the redrive in stream " + redriving.request.stream);
    Result<void> slept = co_await async::SleepFor(async::BackoffDelay(policy, n, random));
    if (!slept.ok()) co_return slept;
  }
}

bool WillNeverBeTaken(const Error& error) {
  return error.code() == ErrorCode::kTooLarge || error.code() == ErrorCode::kInvalidArgument;
}

/// Whether a failed call has surely stored nothing.
bool NothingWasDone(const Error& error) {
  return error.code() == ErrorCode::kNotFound || error.code() == ErrorCode::kInvalidArgument ||
         error.code() == ErrorCode::kPermissionDenied || error.code() == ErrorCode::kFailedPrecondition;
}

std::vector<std::string> IdsOf(const std::vector<DeadLetterPart>& letters) {
  std::vector<std::string> ids;
  for (const DeadLetterPart& letter : letters) ids.push_back(letter.id);
  return ids;
}

/// What became of the letters of one step. Those in neither list are uncertain.
struct StepOutcome {
  std::vector<std::string> done, not_done;
  std::size_t refused = 0;
};

/// Puts letters of one stream back.
async::Task<Result<void>> PutBack(Redriving& redriving, std::string stream,
                                  std::vector<DeadLetterPart> letters, StepOutcome& outcome) {
  async::RetryPolicy policy;
  policy.max_attempts = 8;
  Random random(async::RetrySeed());
  for (int n = 0; !letters.empty(); ++n) {
    std::vector<client::PutEntry> entries;
    for (const DeadLetterPart& letter : letters) {
      client::PutEntry& entry = entries.emplace_back();
      entry.partition_key = letter.letter.record.partition_key;
      entry.data = letter.letter.record.data;
    }
    auto put =
        co_await redriving.client.Put(async::Context::WithTimeout(kCallTimeout), stream, std::move(entries));
    if (!put.ok()) {
      if (NothingWasDone(put.error()))
        std::ranges::move(IdsOf(letters), std::back_inserter(outcome.not_done));
      co_return put.error().WithContext("putting letters back into stream " + stream);
    }
    std::vector<DeadLetterPart> left;
    Error last;
    for (std::size_t i = 0; i < letters.size(); ++i) {
      const Result<client::PutPosition>& result = (*put)[i];
      if (result.ok()) {
        outcome.done.push_back(letters[i].id);
      } else if (WillNeverBeTaken(result.error())) {
        outcome.not_done.push_back(letters[i].id);
        ++outcome.refused;
      } else {
        last = result.error();
        left.push_back(std::move(letters[i]));
      }
    }
    letters = std::move(left);
    if (letters.empty()) break;
    Result<void> slept = co_await async::SleepFor(async::BackoffDelay(policy, n, random));
    if (!slept.ok() || n + 1 >= policy.max_attempts) {
      std::ranges::move(IdsOf(letters), std::back_inserter(outcome.not_done));
      co_return last.WithContext("putting letters back into stream " + stream);
    }
  }
  co_return Ok();
}

async::Task<Result<void>> RunStep(Redriving& redriving) {
  if (redriving.step.empty()) co_return Ok();
  const std::vector<std::string> ids = IdsOf(redriving.step);
  std::map<std::string, std::vector<DeadLetterPart>> by_stream;
  for (DeadLetterPart& letter : redriving.step) {
    const std::string& own = letter.letter.stream;
    const std::string into = redriving.request.destination.empty() ? own : redriving.request.destination;
    by_stream[into].push_back(std::move(letter));
  }
  redriving.step.clear();
  redriving.step_bytes = 0;
  Result<client::Lease> renewed = co_await redriving.client.RenewLease(
      async::Context::WithTimeout(kCallTimeout), redriving.lease, kLease);
  if (!renewed.ok()) co_return renewed.error().WithContext("renewing the lease of this redrive");
  Result<void> put = co_await PutMark(redriving, RedriveMark::State::kStarted, ids);
  if (!put.ok()) co_return put;
  StepOutcome outcome;
  for (auto& [stream, letters] : by_stream) {
    if (put.ok()) {
      put = co_await PutBack(redriving, stream, std::move(letters), outcome);
    } else {
      std::ranges::move(IdsOf(letters), std::back_inserter(outcome.not_done));
    }
  }
  redriving.progress.done += outcome.done.size();
  redriving.progress.refused += outcome.refused;
  Result<void> noted = co_await PutMark(redriving, RedriveMark::State::kDone, std::move(outcome.done));
  if (noted.ok())
    noted = co_await PutMark(redriving, RedriveMark::State::kNotDone, std::move(outcome.not_done));
  if (!put.ok()) co_return put;
  if (!noted.ok()) co_return noted;
  redriving.stopped = redriving.tell && !redriving.tell(redriving.progress);
  co_return Ok();
}

async::Task<Result<bool>> RedriveOne(std::shared_ptr<Redriving> redriving, Result<DeadLetterEntry> entry) {
  if (!entry.ok() || !entry->part) co_return true;
  std::optional<DeadLetterPart> whole = redriving->joiner.Add(std::move(*entry->part));
  if (!whole || redriving->chosen.erase(whole->id) == 0) co_return true;
  redriving->step_bytes += whole->size;
  redriving->step.push_back(std::move(*whole));
  if (redriving->step.size() < kStepLetters && redriving->step_bytes < kStepBytes) co_return true;
  Result<void> done = co_await RunStep(*redriving);
  if (!done.ok()) co_return done.error();
  co_return !redriving->stopped && !redriving->chosen.empty();
}

async::Task<Result<void>> RedriveChosen(std::shared_ptr<Redriving> redriving) {
  auto survey = std::make_shared<Survey>();
  survey->scan.stream = redriving->request.stream;
  survey->scan.filter = redriving->request.filter;
  survey->scan.limit = 0;
  Result<void> surveyed = co_await MakeSurvey(redriving->client, survey);
  if (!surveyed.ok()) co_return surveyed;
  RedriveProgress& progress = redriving->progress;
  for (const std::string& id : survey->seen) {
    const LetterStatus status = survey->ledger.StatusOf(id);
    if (redriving->request.again || status == LetterStatus::kWaiting) {
      redriving->chosen.insert(id);
    } else {
      ++(status == LetterStatus::kRedriven ? progress.skipped : progress.uncertain);
    }
  }
  progress.chosen = redriving->chosen.size();
  redriving->stopped = redriving->tell && !redriving->tell(progress);
  if (redriving->stopped || redriving->chosen.empty()) co_return Ok();
  Result<void> read = co_await ReadLetters(
      redriving->client, redriving->request.stream,
      [redriving](Result<DeadLetterEntry> entry) { return RedriveOne(redriving, std::move(entry)); });
  if (!read.ok() || redriving->stopped) co_return read;
  Result<void> last = co_await RunStep(*redriving);
  co_return last;
}

}  // namespace

std::string_view LetterStatusName(LetterStatus status) {
  switch (status) {
    case LetterStatus::kWaiting:
      return "waiting";
    case LetterStatus::kRedriven:
      return "redriven";
    case LetterStatus::kUncertain:
      return "uncertain";
  }
  return "unknown";
}

bool LetterFilter::Matches(const DeadLetterPart& letter) const {
  const auto is = [](const std::string& wanted, const std::string& value) {
    return wanted.empty() || wanted == value;
  };
  const bool named = ids.empty() || std::ranges::any_of(ids, [&letter](const std::string& id) {
                       return !id.empty() && letter.id.starts_with(id);
                     });
  return named && is(application, letter.letter.application) && is(stream, letter.letter.stream) &&
         is(shard, letter.letter.shard_id) && is(reason, letter.reason) &&
         (!from || letter.letter.last_failure >= *from) && (!to || letter.letter.last_failure < *to);
}

async::Task<Result<LetterList>> ListDeadLetters(client::StreamClient& client, LetterScan scan) {
  auto survey = std::make_shared<Survey>();
  survey->scan = std::move(scan);
  Result<void> surveyed = co_await MakeSurvey(client, survey);
  if (!surveyed.ok()) co_return surveyed.error();
  LetterList list;
  list.summary = std::move(survey->summary);
  for (StoredLetter& letter : survey->letters) {
    letter.status = survey->ledger.StatusOf(letter.letter.id);
    list.letters.push_back(std::move(letter));
  }
  co_return list;
}

async::Task<Result<RedriveProgress>> Redrive(client::StreamClient& client, RedriveRequest request,
                                             const Clock& clock,
                                             std::function<bool(const RedriveProgress&)> progress) {
  auto redriving = std::make_shared<Redriving>(client, clock);
  redriving->request = std::move(request);
  redriving->tell = std::move(progress);
  Result<client::Lease> lease = co_await client.AcquireLease(
      async::Context::WithTimeout(kCallTimeout), "honryu-redrive", redriving->request.stream,
      std::string(client::kStreamSlot), redriving->id, kLease);
  if (!lease.ok() && lease.error().code() == ErrorCode::kConflict)
    co_return Error(ErrorCode::kConflict, "another redrive of stream " + redriving->request.stream +
                                              " is under way, or was cut off less than two minutes ago");
  if (!lease.ok()) co_return lease.error();
  redriving->lease = std::move(*lease);
  Result<void> outcome = co_await RedriveChosen(redriving);
  Result<void> released =
      co_await client.ReleaseLease(async::Context::WithTimeout(kCallTimeout), redriving->lease);
  if (!outcome.ok()) co_return outcome.error();
  // A lease that is not given back runs out by itself; the letters are where they belong.
  (void)released;
  co_return redriving->progress;
}

}  // namespace honryu::consumer
