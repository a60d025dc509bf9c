#pragma once

// Shared by the request parsers of this module.
#include "honryu/wire/kinesis.h"
#include "wire/schema.h"

#include <optional>
#include <string_view>

namespace honryu::wire {

inline constexpr Field kStreamNameField{.name = "StreamName",
                                        .not_null = true,
                                        .unless = "StreamARN",
                                        .pattern = &kNamePattern,
                                        .min_length = 1,
                                        .max_length = 128};
inline constexpr Field kStreamArnField{
    .name = "StreamARN", .pattern = &kStreamArnPattern, .min_length = 1, .max_length = 2048};

/// By the values of ShardIteratorType.
inline constexpr std::string_view kIteratorTypes[] = {"AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP",
                                                      "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"};

inline Fault Invalid(std::string message) {
  return Fault{FaultName::kInvalidArgumentException, std::move(message)};
}

/// Types, then constraints.
std::optional<Fault> CheckAll(const codec::Json& body, std::span<const Field> fields);
/// StreamName, StreamARN or both (which must agree).
std::optional<Fault> ReadSelector(const codec::Json& body, StreamSelector& out);
/// Splits "arn:aws:kinesis:region:account:stream/name".
StreamSelector SelectorFromArn(std::string_view arn);
std::string TextOf(const codec::Json& body, std::string_view name);
/// Seconds since the epoch with fractions; kept to milliseconds.
std::optional<Timestamp> TimeMemberOf(const codec::Json& body, std::string_view name);

}  // namespace honryu::wire
