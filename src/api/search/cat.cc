#include "api/search/impl.h"
#include "honryu/base/units.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace honryu::api::search {

namespace {

using codec::JsonWriter;

/// A table as _cat shows it: named columns, one of whose names may be short forms too.
struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Short names that people and Grafana ask by.
std::string Canonical(const std::string& name) {
  static constexpr std::pair<std::string_view, std::string_view> kShort[] = {
      {"h", "health"},      {"s", "status"},
      {"i", "index"},       {"idx", "index"},
      {"dc", "docs.count"}, {"docsCount", "docs.count"},
      {"ss", "store.size"}, {"storeSize", "store.size"},
      {"p", "pri"},         {"r", "rep"},
      {"id", "uuid"},       {"cl", "cluster"},
      {"st", "status"},     {"a", "alias"},
      {"n", "name"}};
  for (const auto& [shorter, name_long] : kShort)
    if (name == shorter) return std::string(name_long);
  return name;
}

std::string Size(std::uint64_t bytes, std::string_view unit) {
  if (unit == "b") return std::to_string(bytes);
  char text[32];
  const double value = static_cast<double>(bytes);
  if (bytes >= 1ULL << 30)
    std::snprintf(text, sizeof text, "%.1fgb", value / (1ULL << 30));
  else if (bytes >= 1ULL << 20)
    std::snprintf(text, sizeof text, "%.1fmb", value / (1ULL << 20));
  else if (bytes >= 1ULL << 10)
    std::snprintf(text, sizeof text, "%.1fkb", value / (1ULL << 10));
  else
    std::snprintf(text, sizeof text, "%llub", static_cast<unsigned long long>(bytes));
  return text;
}

/// Numbers by value, other cells by text.
int CompareCells(const std::string& a, const std::string& b) {
  const auto number = [](const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  };
  if (number(a) && number(b) && a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

/// The columns asked for (h), sorted (s), as JSON or as text with (v) or without heads.
Answer Show(const Call& call, Table table) {
  if (call.Flag("help")) {
    Answer help;
    help.text = true;
    for (const auto& column : table.columns) help.body += column + "\n";
    return help;
  }
  std::vector<std::size_t> shown;
  if (const auto wanted = call.Param("h"); !wanted.empty()) {
    for (const std::string& name : NamesOf(wanted))
      for (std::size_t i = 0; i < table.columns.size(); ++i)
        if (NameFits(Canonical(name), table.columns[i])) shown.push_back(i);
  } else {
    for (std::size_t i = 0; i < table.columns.size(); ++i) shown.push_back(i);
  }
  struct SortKey {
    std::size_t column = 0;
    bool descending = false;
  };
  std::vector<SortKey> keys;
  for (const std::string& key : NamesOf(call.Param("s"))) {
    const auto colon = key.find(':');
    const auto found = std::find(table.columns.begin(), table.columns.end(), Canonical(key.substr(0, colon)));
    if (found == table.columns.end()) continue;
    keys.push_back({static_cast<std::size_t>(found - table.columns.begin()),
                    colon != std::string::npos && key.substr(colon + 1) == "desc"});
  }
  if (!keys.empty())
    std::sort(table.rows.begin(), table.rows.end(), [&keys](const auto& a, const auto& b) {
      for (const SortKey& key : keys) {
        const int order = CompareCells(a[key.column], b[key.column]);
        if (order != 0) return (order < 0) != key.descending;
      }
      return false;
    });
  Answer answer;
  const bool json = call.Param("format") == "json" ||
                    call.request.headers.Get("Accept").find("json") != std::string_view::npos;
  if (json) {
    JsonWriter out(answer.body);
    out.BeginArray();
    for (const auto& row : table.rows) {
      out.BeginObject();
      for (const std::size_t column : shown) {
        out.Key(table.columns[column]);
        out.String(row[column]);
      }
      out.EndObject();
    }
    out.EndArray();
    return answer;
  }
  answer.text = true;
  if (call.Flag("v")) table.rows.insert(table.rows.begin(), table.columns);
  std::vector<std::size_t> widths(table.columns.size());
  for (const auto& row : table.rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < shown.size(); ++i) {
      const std::string& cell = row[shown[i]];
      answer.body += cell;
      if (i + 1 < shown.size()) answer.body.append(widths[shown[i]] - cell.size() + 1, ' ');
    }
    answer.body += '\n';
  }
  return answer;
}

Table CountTable(const Clock& clock, std::uint64_t documents) {
  Table table;
  table.columns = {"epoch", "timestamp", "count"};
  table.rows.push_back({std::to_string(ToMs(clock.Now()) / 1000), FormatTimestamp(clock.Now()).substr(11, 8),
                        std::to_string(documents)});
  return table;
}

}  // namespace

async::Task<Answer> SearchApi::Impl::CatCount(const Call& call) {
  Target target = TargetOf(call.ctx, call.Part(2), call.missing());
  if (target.options.filters.empty()) co_return Cat(call);
  const CancelFlag cancel(call.ctx);
  Result<std::uint64_t> count =
      co_await searches.Run([this, target, flag = cancel.flag()]() mutable -> Result<std::uint64_t> {
        target.options.cancelled = flag.get();
        return store.Count(target.names, "{}", target.options);
      });
  if (!count.ok()) co_return Answer::Failed(count.error(), call.Part(2));
  co_return Show(call, CountTable(clock, *count));
}

Answer SearchApi::Impl::Cat(const Call& call) const {
  const std::string_view what = call.Part(1);
  const std::string_view unit = call.Param("bytes");
  Table table;
  const auto chosen = [&](std::string_view list) { return Names(list, call.missing()); };
  if (what == "indices" || what == "count" || what == "shards") {
    const auto names = chosen(call.Part(2));
    if (!names.ok()) return Answer::Failed(names.error(), call.Part(2));
    std::uint64_t documents_all = 0;
    if (what == "indices")
      table.columns = {"health", "status",     "index",        "uuid",       "pri",
                       "rep",    "docs.count", "docs.deleted", "store.size", "pri.store.size"};
    if (what == "shards")
      table.columns = {"index", "shard", "prirep", "state", "docs", "store", "ip", "node"};
    for (const auto& index : store.Indices()) {
      if (!std::binary_search(names->begin(), names->end(), index.name)) continue;
      documents_all += index.documents;
      const std::string count = std::to_string(index.documents), size = Size(index.bytes, unit);
      if (what == "indices")
        table.rows.push_back({Health(index.lost_segments), "open", index.name, index.name, "1", "0", count,
                              std::to_string(index.deleted), size, size});
      if (what == "shards")
        table.rows.push_back({index.name, "0", "p", "STARTED", count, size, "127.0.0.1", config.node_name});
    }
    if (what == "count") table = CountTable(clock, documents_all);
    return Show(call, std::move(table));
  }
  if (what == "health") {
    std::uint64_t indices = 0, lost = 0;
    for (const auto& index : store.Indices()) {
      ++indices;
      lost += index.lost_segments;
    }
    const std::string shards = std::to_string(indices);
    char active[16];
    std::snprintf(
        active, sizeof active, "%.1f%%",
        indices + lost == 0 ? 100 : 100 * static_cast<double>(indices) / static_cast<double>(indices + lost));
    table.columns = {"epoch",
                     "timestamp",
                     "cluster",
                     "status",
                     "node.total",
                     "node.data",
                     "shards",
                     "pri",
                     "relo",
                     "init",
                     "unassign",
                     "pending_tasks",
                     "max_task_wait_time",
                     "active_shards_percent"};
    table.rows.push_back({std::to_string(ToMs(clock.Now()) / 1000),
                          FormatTimestamp(clock.Now()).substr(11, 8), config.cluster_name, Health(lost), "1",
                          "1", shards, shards, "0", "0", std::to_string(lost), "0", "-", active});
    return Show(call, std::move(table));
  }
  if (what == "aliases") {
    table.columns = {"alias", "index", "filter", "routing.index", "routing.search", "is_write_index"};
    for (const auto& index : store.Indices())
      for (const auto& [alias, options] : settings.AliasesOf(index.name))
        if (call.Part(2).empty() || NameFits(call.Part(2), alias))
          table.rows.push_back({alias, index.name, options.filter.empty() ? "-" : "*",
                                options.index_routing.empty() ? "-" : options.index_routing,
                                options.search_routing.empty() ? "-" : options.search_routing,
                                !options.write   ? "-"
                                : *options.write ? "true"
                                                 : "false"});
    return Show(call, std::move(table));
  }
  if (what == "nodes") {
    table.columns = {"ip", "heap.percent", "ram.percent", "cpu", "node.role", "master", "name"};
    table.rows.push_back({"127.0.0.1", "0", "0", "0", "dim", "*", config.node_name});
    return Show(call, std::move(table));
  }
  if (what == "templates") {
    table.columns = {"name", "index_patterns", "order", "version", "composed_of"};
    for (const char* kind : {"index_template", "template"})
      for (const auto& [name, body] : settings.All(kind)) {
        if (!call.Part(2).empty() && !NameFits(call.Part(2), name)) continue;
        const codec::Json* patterns = body.Find("index_patterns");
        const codec::Json* order = body.Find(std::string_view(kind) == "template" ? "order" : "priority");
        table.rows.push_back({name, patterns != nullptr ? patterns->Dump() : "[]",
                              std::to_string(order != nullptr ? order->IntOr(0) : 0), "", ""});
      }
    return Show(call, std::move(table));
  }
  if (what == "plugins") {
    table.columns = {"name", "component", "version"};
    return Show(call, std::move(table));
  }
  if (what == "master" || what == "cluster_manager") {
    table.columns = {"id", "host", "ip", "node"};
    table.rows.push_back({config.node_name, "127.0.0.1", "127.0.0.1", config.node_name});
    return Show(call, std::move(table));
  }
  if (what == "allocation") {
    const auto all = store.Indices();
    std::uint64_t bytes = 0;
    for (const auto& index : all) bytes += index.bytes;
    table.columns = {"shards", "disk.indices", "host", "ip", "node"};
    table.rows.push_back(
        {std::to_string(all.size()), Size(bytes, unit), "127.0.0.1", "127.0.0.1", config.node_name});
    return Show(call, std::move(table));
  }
  if (what.empty()) {
    Answer list;
    list.text = true;
    list.body = "=^.^=\n";
    for (const char* known : {"aliases", "allocation", "cluster_manager", "count", "health", "indices",
                              "master", "nodes", "plugins", "shards", "templates"})
      list.body += "/_cat/" + std::string(known) + "\n";
    return list;
  }
  return Answer::Failed(400, "illegal_argument_exception", "_cat/" + std::string(what) + " is not supported");
}

async::Task<Answer> SearchApi::Impl::Stats(const Call& call) {
  const bool global = call.Part(0).starts_with('_');
  const auto names = Names(global ? std::string_view() : call.Part(0), {});
  if (!names.ok()) co_return Answer::Failed(names.error());
  // On the pool: it waits for a batch that is being added.
  Result<engine::StoreStatistics> asked =
      co_await upkeep.Run([this]() -> Result<engine::StoreStatistics> { return store.Statistics(); });
  if (!asked.ok()) co_return Answer::Failed(asked.error());
  const engine::StoreStatistics& statistics = *asked;
  std::string body;
  JsonWriter out(body);
  std::uint64_t documents_all = 0, bytes_all = 0, segments_all = 0, lost_all = 0, deleted_all = 0;
  const auto write = [&](std::uint64_t count, std::uint64_t deleted, std::uint64_t bytes,
                         std::uint64_t segments) {
    out.BeginObject();
    out.Key("docs");
    out.BeginObject();
    out.Key("count");
    out.Uint(count);
    out.Key("deleted");
    out.Uint(deleted);
    out.EndObject();
    out.Key("store");
    out.BeginObject();
    out.Key("size_in_bytes");
    out.Uint(bytes);
    out.EndObject();
    out.Key("segments");
    out.BeginObject();
    out.Key("count");
    out.Uint(segments);
    out.EndObject();
    out.EndObject();
  };
  const auto both = [&](std::uint64_t count, std::uint64_t deleted, std::uint64_t bytes,
                        std::uint64_t segments) {
    out.Key("primaries");
    write(count, deleted, bytes, segments);
    out.Key("total");
    write(count, deleted, bytes, segments);
  };
  out.BeginObject();
  out.Key("_shards");
  out.Raw(R"({"total":1,"successful":1,"failed":0})");
  std::vector<engine::IndexStatistics> shown;
  for (auto& index : store.Indices())
    if (std::binary_search(names->begin(), names->end(), index.name)) {
      documents_all += index.documents;
      deleted_all += index.deleted;
      bytes_all += index.bytes;
      segments_all += index.segments;
      lost_all += index.lost_segments;
      shown.push_back(std::move(index));
    }
  out.Key("_all");
  out.BeginObject();
  both(documents_all, deleted_all, bytes_all, segments_all);
  out.EndObject();
  out.Key("indices");
  out.BeginObject();
  for (const auto& index : shown) {
    out.Key(index.name);
    out.BeginObject();
    out.Key("uuid");
    out.String(index.name);
    both(index.documents, index.deleted, index.bytes, index.segments);
    out.Key("honryu");
    out.BeginObject();
    out.Key("bytes_per_document");
    out.Double(index.documents > 0 ? static_cast<double>(index.bytes) / static_cast<double>(index.documents)
                                   : 0);
    out.Key("fields");
    out.Uint(index.fields);
    out.Key("kept_in_source_only");
    out.BeginArray();
    for (const auto& name : index.left_out) out.String(name);
    out.EndArray();
    out.Key("lost_segments");
    out.Uint(index.lost_segments);
    out.EndObject();
    out.EndObject();
  }
  out.EndObject();
  // Beyond OpenSearch: the store's own counts.
  out.Key("honryu");
  out.BeginObject();
  const std::pair<const char*, std::uint64_t> counts[] = {
      {"memory_bytes", statistics.memory_bytes},
      {"waiting", statistics.waiting},
      {"refreshes", statistics.refreshes},
      {"flushes", statistics.flushes},
      {"merges", statistics.merges},
      {"merged_bytes", statistics.merged_bytes},
      {"dropped_segments", statistics.dropped_segments},
      {"quarantined_segments", statistics.quarantined},
      {"lost_segments", lost_all},
      {"refused", statistics.refused},
      {"duplicates", statistics.duplicates},
      {"ignored_values", statistics.ignored_values},
      {"conflicting_values", statistics.conflicting_values},
      {"overlong_values", statistics.overlong_values},
      {"cut_texts", statistics.cut_texts}};
  for (const auto& [name, value] : counts) {
    out.Key(name);
    out.Uint(value);
  }
  out.EndObject();
  out.EndObject();
  co_return Answer::Json(std::move(body));
}

}  // namespace honryu::api::search
