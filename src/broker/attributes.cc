#include "attributes.h"

namespace honryu::broker {
namespace {

std::string Text(const codec::Json& row, std::string_view key) {
  const codec::Json* member = row.Find(key);
  return member == nullptr ? std::string() : std::string(member->StringOr(""));
}

std::int64_t Number(const codec::Json& row, std::string_view key) {
  const codec::Json* member = row.Find(key);
  return member == nullptr ? 0 : member->IntOr(0);
}

void WriteTags(codec::JsonWriter& writer, const std::map<std::string, std::string>& tags) {
  if (tags.empty()) return;
  writer.Key("tags");
  writer.BeginObject();
  for (const auto& [key, value] : tags) {
    writer.Key(key);
    writer.String(value);
  }
  writer.EndObject();
}

std::map<std::string, std::string> ReadTags(const codec::Json& row) {
  std::map<std::string, std::string> tags;
  if (const codec::Json* object = row.Find("tags")) {
    for (const codec::Json::Member& member : object->object())
      tags[member.first] = member.second.StringOr("");
  }
  return tags;
}

}  // namespace

void WriteAttributes(codec::JsonWriter& writer, const StreamAttributes& attributes) {
  writer.BeginObject();
  writer.Key("on_demand");
  writer.Bool(attributes.mode == StreamMode::kOnDemand);
  WriteTags(writer, attributes.tags);
  writer.Key("monitored");
  writer.Uint(attributes.monitored);
  if (attributes.max_record_kib) {
    writer.Key("max_record_kib");
    writer.Uint(*attributes.max_record_kib);
  }
  writer.Key("warm_throughput_mibps");
  writer.Uint(attributes.warm_throughput_mibps);
  if (!attributes.encryption_key.empty()) {
    writer.Key("encryption_key");
    writer.String(attributes.encryption_key);
  }
  if (!attributes.policy.empty()) {
    writer.Key("policy");
    writer.String(attributes.policy);
  }
  writer.Key("consumers");
  writer.BeginArray();
  for (const StreamConsumer& consumer : attributes.consumers) {
    writer.BeginObject();
    writer.Key("name");
    writer.String(consumer.name);
    writer.Key("created_ms");
    writer.Int(ToMs(consumer.created));
    WriteTags(writer, consumer.tags);
    if (!consumer.policy.empty()) {
      writer.Key("policy");
      writer.String(consumer.policy);
    }
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
}

StreamAttributes ReadAttributes(const codec::Json& row) {
  StreamAttributes attributes;
  const codec::Json* on_demand = row.Find("on_demand");
  if (on_demand != nullptr && on_demand->BoolOr(false)) attributes.mode = StreamMode::kOnDemand;
  attributes.tags = ReadTags(row);
  attributes.monitored = static_cast<std::uint32_t>(Number(row, "monitored"));
  if (row.Find("max_record_kib") != nullptr)
    attributes.max_record_kib = static_cast<std::uint32_t>(Number(row, "max_record_kib"));
  attributes.warm_throughput_mibps = static_cast<std::uint32_t>(Number(row, "warm_throughput_mibps"));
  attributes.encryption_key = Text(row, "encryption_key");
  attributes.policy = Text(row, "policy");
  if (const codec::Json* consumers = row.Find("consumers")) {
    for (const codec::Json& item : consumers->array()) {
      StreamConsumer consumer;
      consumer.name = Text(item, "name");
      consumer.created = TimestampFromMs(Number(item, "created_ms"));
      consumer.tags = ReadTags(item);
      consumer.policy = Text(item, "policy");
      attributes.consumers.push_back(std::move(consumer));
    }
  }
  return attributes;
}

}  // namespace honryu::broker
