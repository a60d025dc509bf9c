#include "honryu/wire/fault.h"

#include "honryu/wire/kinesis.h"

#include <gtest/gtest.h>

namespace honryu::wire {
namespace {

TEST(FaultBody, HasKinesisShapes) {
  EXPECT_EQ(FaultBody({FaultName::kResourceNotFoundException, "Stream \"s\" not found."}),
            R"({"__type":"ResourceNotFoundException","message":"Stream \"s\" not found."})");
  EXPECT_EQ(FaultBody({FaultName::kSerializationException, "Expected null"}),
            R"({"__type":"SerializationException","Message":"Expected null"})");
  EXPECT_EQ(FaultBody({FaultName::kSerializationException, ""}), R"({"__type":"SerializationException"})");
  EXPECT_EQ(FaultBody({FaultName::kInternalFailure, "secret"}), R"({"__type":"InternalFailure"})");
}

TEST(FaultTable, NamesLeadBackToThemselves) {
  for (const char* name :
       {"ValidationException", "InternalFailure", "ServiceUnavailable", "FencedException"}) {
    const auto fault = FindFault(name);
    ASSERT_TRUE(fault) << name;
    EXPECT_EQ(TraitsOf(*fault).name, name);
  }
  EXPECT_EQ(FindFault("com.amazonaws.kinesis#ResourceInUseException"), FaultName::kResourceInUseException);
  EXPECT_FALSE(FindFault("NoSuchException"));
  EXPECT_EQ(TraitsOf(FaultName::kInternalFailure).status, 500);
  EXPECT_TRUE(TraitsOf(FaultName::kProvisionedThroughputExceededException).retryable);
}

TEST(ErrorFromAnswer, FollowsTheName) {
  const Error error = ErrorFromAnswer(400, R"({"__type":"FencedException","message":"a newer owner"})");
  EXPECT_EQ(error.code(), ErrorCode::kFenced);
  EXPECT_EQ(error.message(), "FencedException: a newer owner");
  EXPECT_EQ(ErrorFromAnswer(400, R"({"__type":"x#ExpiredIteratorException"})").code(), ErrorCode::kExpired);
}

TEST(ErrorFromAnswer, FallsBackToTheStatus) {
  EXPECT_EQ(ErrorFromAnswer(503, "<html>").code(), ErrorCode::kUnavailable);
  EXPECT_EQ(ErrorFromAnswer(429, "").code(), ErrorCode::kOverloaded);
  EXPECT_EQ(ErrorFromAnswer(413, "").code(), ErrorCode::kTooLarge);
  EXPECT_EQ(ErrorFromAnswer(404, "not json").code(), ErrorCode::kInternal);
}

TEST(Operations, AreFoundByTheirTargetOnly) {
  EXPECT_EQ(FindOperation("Kinesis_20131202.PutRecords"), Operation::kPutRecords);
  EXPECT_EQ(FindOperation("Honryu_20261121.RenewLease"), Operation::kRenewLease);
  EXPECT_FALSE(FindOperation("Kinesis_20131202.RenewLease"));
  EXPECT_FALSE(FindOperation("Honryu_20261121.PutRecords"));
  EXPECT_FALSE(FindOperation("Kinesis_20131202.SplitShards"));
  EXPECT_FALSE(FindOperation(""));
  for (std::size_t i = 0; i < kOperationCount; ++i) {
    const auto operation = static_cast<Operation>(i);
    EXPECT_EQ(FindOperation(OperationTarget(operation)), operation);
  }
}

}  // namespace
}  // namespace honryu::wire
