#include "api/kinesis/impl.h"

#include <vector>

namespace honryu::api::kinesis {

using wire::Operation;

namespace {

wire::LeaseShape LeaseShapeOf(const broker::LeaseRow& row) {
  return wire::LeaseShape{row.application, row.stream,  row.shard_id,   row.owner,   row.state,
                          row.counter,     row.expires, row.checkpoint, row.finished};
}

broker::LeaseRow RowOf(const wire::LeaseShape& shape) {
  broker::LeaseRow row;
  row.application = shape.application;
  row.stream = shape.stream;
  row.shard_id = shape.shard_id;
  row.owner = shape.owner;
  row.state = shape.state;
  row.counter = shape.counter;
  row.expires = shape.expires;
  row.checkpoint = shape.checkpoint;
  row.finished = shape.finished;
  return row;
}

}  // namespace

async::Task<Outcome> KinesisApi::Impl::Lease(async::Context ctx, const codec::Json& body,
                                             Operation operation) {
  wire::LeaseRequest request;
  if (auto fault = wire::ParseRequest(body, request, operation)) co_return Outcome::Failed(std::move(*fault));
  const wire::LeaseShape& asked = request.lease;
  if (operation == Operation::kListLeases) {
    const Result<std::vector<broker::LeaseRow>> rows = broker.ListLeases(asked.application, asked.stream);
    if (!rows.ok()) co_return Outcome::Failed(FaultOf(rows.error(), asked.stream));
    std::vector<wire::LeaseShape> shapes;
    shapes.reserve(rows->size());
    for (const broker::LeaseRow& row : *rows) shapes.push_back(LeaseShapeOf(row));
    co_return Outcome::Of(wire::LeasesBody(shapes));
  }
  if (operation == Operation::kAcquireLease || operation == Operation::kRenewLease) {
    Result<broker::LeaseRow> row;
    if (operation == Operation::kAcquireLease) {
      row = co_await broker.AcquireLease(std::move(ctx), asked.application, asked.stream, asked.shard_id,
                                         asked.owner, request.duration);
    } else {
      row = co_await broker.RenewLease(std::move(ctx), RowOf(asked), request.duration);
    }
    if (!row.ok()) co_return Outcome::Failed(FaultOf(row.error(), asked.stream));
    co_return Outcome::Of(wire::LeaseBody(LeaseShapeOf(*row)));
  }
  Result<void> done;
  if (operation == Operation::kSaveCheckpoint) {
    done = co_await broker.SaveCheckpoint(std::move(ctx), RowOf(asked));
  } else {
    done = co_await broker.ReleaseLease(std::move(ctx), RowOf(asked));
  }
  if (!done.ok()) co_return Outcome::Failed(FaultOf(done.error(), asked.stream));
  co_return Outcome();
}

}  // namespace honryu::api::kinesis
