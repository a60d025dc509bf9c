#pragma once

#include "connection.h"
#include "honryu/http/message.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace honryu::http {

/// What HTTP/1.1 and HTTP/2 have in common once a request is off the wire.

/// A buffer for `size` bytes with kBodyPadding zero bytes behind it.
std::shared_ptr<char[]> PaddedBuffer(std::size_t size);
/// A copy with kBodyPadding readable bytes behind it.
Bytes PaddedCopy(std::string_view text);
/// The same without a copy, if the text has room.
Bytes Padded(std::string text);

/// Now, as the Date header writes it.
std::string HttpDate();

/// Fills request.path and request.query from request.target. kInvalidArgument.
Result<void> ParseTarget(Request& request);

/// The code of a request that the server itself refuses, in answers and metrics.
std::string_view RefusalCode(int status);

/// A body that could not be opened, with the status that says so.
struct OpenedBody {
  Result<Bytes> plain;
  int refuse_status = 0;  ///< With an error: 400, 413, 415 or 503.
  Bytes received;         ///< As it came, where it was compressed and is to be kept.
};
/// What a request is told, with 503, for which the process's BodyBudget has nothing left.
Error NoMemoryForBody();
/// Undoes the Content-Encoding, within the listener's limit; large bodies on the blocking pool. `memory`
/// holds what `body` takes and then what the opened one takes, or both where the headers say that the body as
/// it came may be signed; it outlives the task, as `headers` do.
async::Task<OpenedBody> OpenBody(const ConnectionContext& context, const Headers& headers, Bytes body,
                                 BodyBudget::Share& memory);

/// Runs the body function of a streamed answer: a cancelled wait in it is a result, not an exception.
async::Task<void> RunStream(const Response* response, BodyWriter* writer);

/// Calls the handler; one that throws answers 500 and is logged.
async::Task<Response> AnswerRequest(const ConnectionContext& context, const Request& request);

}  // namespace honryu::http
