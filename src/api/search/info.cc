#include "api/search/impl.h"
#include "honryu/search/analyzer.h"

#include <algorithm>

namespace honryu::api::search {

namespace {

using codec::Json;
using codec::JsonWriter;

void Member(JsonWriter& out, std::string_view key, std::string_view value) {
  out.Key(key);
  out.String(value);
}
void Number(JsonWriter& out, std::string_view key, std::int64_t value) {
  out.Key(key);
  out.Int(value);
}

}  // namespace

bool SearchApi::Impl::AsOpensearch(const http::Request& request) const {
  if (config.product == SearchConfig::Product::kOpensearch) return true;
  if (!config.product_by_client) return false;
  const std::string_view agent = request.headers.Get("User-Agent");
  return agent.find("Grafana") != std::string_view::npos ||
         agent.find("opensearch") != std::string_view::npos;
}

Answer SearchApi::Impl::Root(const Call& call) const {
  const bool opensearch = AsOpensearch(call.request);
  std::string body;
  JsonWriter out(body);
  out.BeginObject();
  Member(out, "name", config.node_name);
  Member(out, "cluster_name", config.cluster_name);
  Member(out, "cluster_uuid", cluster_uuid);
  out.Key("version");
  out.BeginObject();
  if (opensearch) Member(out, "distribution", "opensearch");
  Member(out, "number", opensearch ? config.opensearch_version : config.elasticsearch_version);
  if (!opensearch) Member(out, "build_flavor", "default");
  Member(out, "build_type", "tar");
  Member(out, "build_hash", "honryu");
  Member(out, "build_date", "2026-11-21T00:00:00.000Z");
  out.Key("build_snapshot");
  out.Bool(false);
  Member(out, "lucene_version", opensearch ? "9.7.0" : "8.11.1");
  Member(out, "minimum_wire_compatibility_version", opensearch ? "7.10.0" : "6.8.0");
  Member(out, "minimum_index_compatibility_version", opensearch ? "7.0.0" : "6.0.0-beta1");
  out.EndObject();
  Member(out, "tagline",
         opensearch ? "The OpenSearch Project: https://opensearch.org/" : "You Know, for Search");
  out.EndObject();
  return Answer::Json(std::move(body));
}

Answer SearchApi::Impl::ClusterHealth(const Call& call) const {
  const auto names = Names(call.Part(2), {});
  if (!names.ok() && names.error().code() != ErrorCode::kNotFound) return Answer::Failed(names.error());
  std::vector<engine::IndexStatistics> shown;
  std::int64_t lost = 0;
  if (names.ok())
    for (auto& index : store.Indices())
      if (std::binary_search(names->begin(), names->end(), index.name)) {
        lost += static_cast<std::int64_t>(index.lost_segments);
        shown.push_back(std::move(index));
      }
  const auto indices = static_cast<std::int64_t>(shown.size());
  // Waiting would not help: what is red heals by itself, and an index that is not there may never come.
  const auto wanted = call.Param("wait_for_status");
  const bool missed = !names.ok() || (lost > 0 && (wanted == "green" || wanted == "yellow"));
  const std::string status = names.ok() ? Health(static_cast<std::uint64_t>(lost)) : "red";
  std::string body;
  JsonWriter out(body);
  const auto shards = [&out](std::int64_t there, std::int64_t missing) {
    Number(out, "active_primary_shards", there);
    Number(out, "active_shards", there);
    Number(out, "relocating_shards", 0);
    Number(out, "initializing_shards", 0);
    Number(out, "unassigned_shards", missing);  // corrupt segments that are not rebuilt yet
  };
  out.BeginObject();
  Member(out, "cluster_name", config.cluster_name);
  Member(out, "status", status);
  out.Key("timed_out");
  out.Bool(missed);
  Number(out, "number_of_nodes", 1);
  Number(out, "number_of_data_nodes", 1);
  if (AsOpensearch(call.request)) {
    out.Key("discovered_master");
    out.Bool(true);
    out.Key("discovered_cluster_manager");
    out.Bool(true);
  }
  shards(indices, lost);
  for (const char* none : {"delayed_unassigned_shards", "number_of_pending_tasks",
                           "number_of_in_flight_fetch", "task_max_waiting_in_queue_millis"})
    Number(out, none, 0);
  out.Key("active_shards_percent_as_number");
  out.Double(indices + lost == 0 ? 100
                                 : 100 * static_cast<double>(indices) / static_cast<double>(indices + lost));
  if (const auto level = call.Param("level"); level == "indices" || level == "shards") {
    out.Key("indices");
    out.BeginObject();
    for (const auto& index : shown) {
      out.Key(index.name);
      out.BeginObject();
      Member(out, "status", Health(index.lost_segments));
      Number(out, "number_of_shards", 1);
      Number(out, "number_of_replicas", 0);
      shards(1, static_cast<std::int64_t>(index.lost_segments));
      out.EndObject();
    }
    out.EndObject();
  }
  out.EndObject();
  return Answer::Json(std::move(body), missed ? 408 : 200);
}

Answer SearchApi::Impl::ClusterSettings(const Call& call) {
  if (call.method != "GET" && call.method != "HEAD")
    return Answer::Json(R"({"acknowledged":true,"persistent":{},"transient":{}})");
  return Answer::Json(R"({"persistent":{},"transient":{},"defaults":{}})");
}

Answer SearchApi::Impl::ClusterState() const {
  std::string body;
  JsonWriter out(body);
  out.BeginObject();
  Member(out, "cluster_name", config.cluster_name);
  Member(out, "cluster_uuid", cluster_uuid);
  out.Key("metadata");
  out.BeginObject();
  out.Key("indices");
  out.BeginObject();
  for (const auto& index : store.Indices()) {
    out.Key(index.name);
    out.Raw(R"({"state":"open"})");
  }
  out.EndObject();
  out.EndObject();
  out.EndObject();
  return Answer::Json(std::move(body));
}

Answer SearchApi::Impl::Nodes(const Call& call) const {
  const std::string host(call.request.headers.Get("Host"));
  std::string body;
  JsonWriter out(body);
  out.BeginObject();
  out.Key("_nodes");
  out.Raw(R"({"total":1,"successful":1,"failed":0})");
  Member(out, "cluster_name", config.cluster_name);
  out.Key("nodes");
  out.BeginObject();
  out.Key(config.node_name);
  out.BeginObject();
  Member(out, "name", config.node_name);
  // What clients that look for nodes connect to: where this one reached us.
  Member(out, "transport_address", host);
  Member(out, "host", host.substr(0, host.rfind(':')));
  Member(out, "ip", host.substr(0, host.rfind(':')));
  Member(out, "version",
         AsOpensearch(call.request) ? config.opensearch_version : config.elasticsearch_version);
  out.Key("roles");
  out.Raw(R"(["data","ingest","master"])");
  out.Key("attributes");
  out.Raw("{}");
  out.Key("http");
  out.BeginObject();
  out.Key("bound_address");
  out.BeginArray();
  out.String(host);
  out.EndArray();
  Member(out, "publish_address", host);
  Number(out, "max_content_length_in_bytes", static_cast<std::int64_t>(config.max_body.bytes));
  out.EndObject();
  out.Key("plugins");
  out.Raw("[]");
  out.EndObject();
  out.EndObject();
  out.EndObject();
  return Answer::Json(std::move(body));
}

Answer SearchApi::Impl::License() const {
  return Answer::Json(
      R"({"license":{"status":"active","uid":"00000000-0000-0000-0000-000000000000","type":"basic",)"
      R"("issue_date":"2026-01-01T00:00:00.000Z","issue_date_in_millis":1767225600000,"max_nodes":1000,)"
      R"("issued_to":"honryu","issuer":"honryu","start_date_in_millis":-1}})");
}

Answer SearchApi::Impl::Xpack() const {
  return Answer::Json(
      R"({"build":{"hash":"honryu","date":"2026-11-21T00:00:00.000Z"},"license":{"uid":"00000000-0000-0000-0000-000000000000",)"
      R"("type":"basic","mode":"basic","status":"active"},"features":{},"tagline":"You know, for X"})");
}

Answer SearchApi::Impl::Analyze(const Call& call) const {
  Result<Json> body =
      Json::Parse(call.request.body.empty() ? std::string_view("{}") : call.request.body.view(), 10'000);
  if (!body.ok() || !body->is_object())
    return Answer::Failed(400, "parsing_exception", "the request body must be an object");
  std::vector<std::string> texts;
  if (const Json* text = body->Find("text")) {
    if (text->is_string()) texts.emplace_back(text->StringOr(""));
    for (const Json& one : text->array()) texts.emplace_back(one.StringOr(""));
  }
  if (texts.empty() && !call.Param("text").empty()) texts.emplace_back(call.Param("text"));
  if (texts.empty())
    return Answer::Failed(400, "action_request_validation_exception",
                          "Validation Failed: 1: text is missing;");
  std::string name(call.Param("analyzer", "standard"));
  if (const Json* analyzer = body->Find("analyzer")) name = analyzer->StringOr("standard");
  if (const Json* tokenizer = body->Find("tokenizer")) name = tokenizer->StringOr("standard");
  if (const Json* field = body->Find("field"); field != nullptr && call.parts.size() > 1) {
    // By the field's own analyser, as far as the mapping names one.
    const std::string path(field->StringOr(""));
    if (path.ends_with(".keyword")) name = "keyword";
  }
  const auto kind = engine::ParseAnalyzer(name);
  if (!kind)
    return Answer::Failed(400, "illegal_argument_exception", "failed to find global analyzer [" + name + "]");
  engine::Analyzer analyzer(*kind);
  std::string text_out;
  JsonWriter out(text_out);
  out.BeginObject();
  out.Key("tokens");
  out.BeginArray();
  std::int64_t position = 0;
  std::vector<engine::Token> tokens;
  for (const std::string& text : texts) {
    tokens.clear();
    analyzer.Analyze(text, tokens);
    for (const engine::Token& token : tokens) {
      out.BeginObject();
      Member(out, "token", token.text);
      Member(out, "type",
             token.kind == engine::TokenKind::kWord    ? "<ALPHANUM>"
             : token.kind == engine::TokenKind::kEmoji ? "<EMOJI>"
                                                       : "<IDEOGRAPHIC>");
      Number(out, "position", position++);
      out.EndObject();
    }
  }
  out.EndArray();
  out.EndObject();
  return Answer::Json(std::move(text_out));
}

}  // namespace honryu::api::search
