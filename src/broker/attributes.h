#pragma once

#include "honryu/broker/broker.h"
#include "honryu/codec/json.h"

namespace honryu::broker {

// A stream's attributes as part of its row. Members that are absent have their defaults, unknown ones are
// passed over, so that rows of other versions stay readable.
void WriteAttributes(codec::JsonWriter& writer, const StreamAttributes& attributes);
StreamAttributes ReadAttributes(const codec::Json& row);

}  // namespace honryu::broker
