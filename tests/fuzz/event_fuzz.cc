// Posts arbitrary bytes at the gateway's intake. The first byte picks the content type. Checked beside "no
// crash": every event is accounted for, every record made is a valid event that ends with the client's own
// bytes, and the scanner agrees with simdjson about what is JSON.
#include "api/gateway/intake.h"

#include <simdjson.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace honryu;
using namespace honryu::api::gateway;

void Expect(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "broken property: %s\n", what);
  std::abort();
}

void CheckIntake(BytesView body, std::string_view type) {
  static const GatewayConfig config;
  static const EventChecker checker(config);
  EventContext context;
  context.received = TimestampFromMs(1763719200000);
  Intake intake(config, checker, body, type, context);
  while (intake.Advance(64)) {
  }
  if (intake.too_many()) return;
  Expect(intake.taken().size() + intake.rejected().size() == intake.count(),
         "every event is taken or rejected");
  for (const Rejected& event : intake.rejected()) {
    Expect(event.raw.empty() || (event.raw.data() >= body.data() &&
                                 event.raw.data() + event.raw.size() <= body.data() + body.size()),
           "rejected bytes lie inside the body");
  }
  JsonScanner scanner;
  for (const WriteItem& item : intake.TakeItems()) {
    const BytesView record = item.entry.data;
    Expect(scanner.Scan(record, 0) && scanner.end() == record.size() && scanner.rule() == JsonRule::kNone,
           "a stored record is valid and has no duplicate keys");
    Expect(EventIdOf(record, &scanner).has_value(), "a stored record has an event_id");
    const std::size_t length = CountCharacters(item.entry.partition_key);
    Expect(length >= 1 && length <= 256, "a partition key has 1 to 256 characters");
  }
}

void CompareWithSimdjson(BytesView body) {
  JsonScanner scanner;
  const std::size_t last = body.find_last_not_of(" \t\r\n");
  const bool ours = scanner.Scan(body, 0) && last != BytesView::npos && scanner.end() == last + 1;
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  const simdjson::error_code error = parser.parse(simdjson::padded_string(body)).get(element);
  if (error == simdjson::SUCCESS) Expect(ours, "what simdjson takes is JSON");
  if (!ours || error == simdjson::SUCCESS) return;
  // simdjson refuses numbers that no machine type holds; ill-encoded and deep values break rules here.
  Expect(error == simdjson::NUMBER_ERROR || scanner.rule() != JsonRule::kNone,
         "what the scanner takes is JSON");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const BytesView body(reinterpret_cast<const char*>(data) + 1, size - 1);
  CheckIntake(body, data[0] % 2 == 0 ? "application/x-ndjson" : "");
  CompareWithSimdjson(body);
  return 0;
}
