#pragma once

#include "honryu/async/runtime.h"
#include "honryu/base/random.h"
#include "honryu/log/memory_engine.h"
#include "honryu/log/rocksdb_engine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace honryu::log {

/// A folder that goes with the test.
class TempDir {
 public:
  TempDir() : path_(std::filesystem::temp_directory_path() / ("honryu-" + RandomUuid())) {
    std::filesystem::create_directories(path_);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline AppendPart Part(PartitionId partition, const std::vector<std::string>& records,
                       WriterEpoch epoch = 0) {
  RecordBuilder builder;
  for (const std::string& record : records) builder.AddRecord(record);
  AppendPart part;
  part.partition = partition;
  part.epoch = epoch;
  part.records = builder.Finish();
  return part;
}

inline async::Task<Result<std::vector<AppendResult>>> AppendTask(LogEngine* engine,
                                                                 std::vector<AppendPart> parts) {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
  Result<std::vector<AppendResult>> result = co_await engine->Append(ctx, std::move(parts));
  co_return result;
}
inline async::Task<Result<ReadOutcome>> ReadTask(LogEngine* engine, PartitionId partition, Offset from,
                                                 ReadLimits limits) {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
  Result<ReadOutcome> result = co_await engine->Read(ctx, partition, from, limits);
  co_return result;
}
inline async::Task<Result<Offset>> FindTask(LogEngine* engine, PartitionId partition, Timestamp time) {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
  Result<Offset> result = co_await engine->FindByTime(ctx, partition, time);
  co_return result;
}
inline async::Task<Result<void>> WaitTask(LogEngine* engine, PartitionId partition, Offset from,
                                          Duration timeout) {
  const async::Context ctx = async::Context::WithTimeout(timeout);
  Result<void> result = co_await engine->WaitFor(ctx, partition, from);
  co_return result;
}

/// Blocking forms for tests.
struct EngineDriver {
  async::Runtime& runtime;
  LogEngine& engine;
  Result<std::vector<AppendResult>> Append(std::vector<AppendPart> parts) {
    return runtime.BlockOn(AppendTask(&engine, std::move(parts)));
  }
  Result<ReadOutcome> Read(PartitionId partition, Offset from, ReadLimits limits = {}) {
    return runtime.BlockOn(ReadTask(&engine, partition, from, limits));
  }
  Result<Offset> FindByTime(PartitionId partition, Timestamp time) {
    return runtime.BlockOn(FindTask(&engine, partition, time));
  }
  std::vector<std::string> ReadAll(PartitionId partition) {
    std::vector<std::string> out;
    for (Offset from = 0;;) {
      const Result<ReadOutcome> read = Read(partition, from);
      EXPECT_TRUE(read.ok()) << read.error().message();
      if (!read.ok() || read->records.empty()) return out;
      for (const LogRecord& record : read->records) out.emplace_back(record.data.view());
      from = read->next;
    }
  }
};

}  // namespace honryu::log
