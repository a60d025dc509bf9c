#include "honryu/codec/json.h"
#include "sql/bound.h"

#include <optional>

namespace honryu::sql {
namespace {

using Args = std::span<const Value* const>;

// "120.0.1" behind "Chrome/" of "… Chrome/120.0.1 Safari/537.36"; underscores become points.
std::string VersionAt(std::string_view text, std::size_t at) {
  std::string version;
  for (; at < text.size() && version.size() < 32; ++at) {
    const char c = text[at] == '_' ? '.' : text[at];
    if ((c < '0' || c > '9') && c != '.') break;
    version += c;
  }
  while (!version.empty() && version.back() == '.') version.pop_back();
  return version;
}

struct Product {
  std::string_view mark;  ///< What stands before the version.
  std::string_view name;
};

struct Found {
  std::string_view name;
  std::string version;
};

std::optional<Found> FindProduct(std::string_view agent, std::span<const Product> products) {
  for (const Product& product : products) {
    const std::size_t at = agent.find(product.mark);
    if (at != std::string_view::npos) return Found{product.name, VersionAt(agent, at + product.mark.size())};
  }
  return {};
}

// Those that pretend to be another come before it.
constexpr Product kBrowsers[] = {{"EdgA/", "Edge"},
                                 {"EdgiOS/", "Edge"},
                                 {"Edg/", "Edge"},
                                 {"Edge/", "Edge"},
                                 {"OPR/", "Opera"},
                                 {"OPiOS/", "Opera"},
                                 {"SamsungBrowser/", "Samsung Internet"},
                                 {"YaBrowser/", "Yandex"},
                                 {"Vivaldi/", "Vivaldi"},
                                 {"FxiOS/", "Firefox"},
                                 {"Firefox/", "Firefox"},
                                 {"CriOS/", "Chrome"},
                                 {"HeadlessChrome/", "Chrome"},
                                 {"Chrome/", "Chrome"},
                                 {"Trident/", "Internet Explorer"},
                                 {"MSIE ", "Internet Explorer"},
                                 {"Version/", "Safari"},
                                 {"okhttp/", "okhttp"},
                                 {"Dalvik/", "Dalvik"},
                                 {"CFNetwork/", "CFNetwork"},
                                 {"curl/", "curl"},
                                 {"Wget/", "Wget"},
                                 {"python-requests/", "python-requests"},
                                 {"Go-http-client/", "Go-http-client"}};
constexpr Product kSystems[] = {{"Windows NT ", "Windows"}, {"Windows Phone ", "Windows Phone"},
                                {"iPhone OS ", "iOS"},      {"CPU OS ", "iPadOS"},
                                {"Android ", "Android"},    {"Mac OS X ", "macOS"},
                                {"CrOS ", "ChromeOS"},      {"Android", "Android"},
                                {"Macintosh", "macOS"},     {"Windows", "Windows"},
                                {"Darwin/", "Darwin"},      {"Linux", "Linux"}};
constexpr std::string_view kBots[] = {"bot",    "Bot",    "crawl", "Crawl",
                                      "spider", "Spider", "Slurp", "facebookexternalhit"};

std::string_view DeviceOf(std::string_view agent, std::string_view system) {
  const auto has = [&](std::string_view part) { return agent.find(part) != std::string_view::npos; };
  for (const std::string_view bot : kBots)
    if (has(bot)) return "bot";
  if (has("iPad") || has("Tablet") || system == "iPadOS") return "tablet";
  if (system == "Android") return has("Mobile") || has("okhttp") || has("Dalvik") ? "mobile" : "tablet";
  if (has("Mobile") || has("iPhone") || system == "iOS" || system == "Windows Phone") return "mobile";
  if (system == "Windows" || system == "macOS" || system == "ChromeOS" || system == "Linux") return "desktop";
  return "other";
}

// UA_PARSE(user agent): {"browser":…,"browser_version":…,"os":…,"os_version":…,"device":…}; what is not found
// is null. By the marks of the common browsers and systems, newest Android tablets without "Mobile" included.
void UaParse(EvalContext&, Args args, Value& out) {
  const std::string& agent = args[0]->text();
  const std::optional<Found> browser = FindProduct(agent, kBrowsers);
  const std::optional<Found> system = FindProduct(agent, kSystems);
  codec::JsonWriter json(out.MutableText());
  const auto put = [&](std::string_view key, std::string_view value) {
    json.Key(key);
    if (value.empty()) {
      json.Null();
    } else {
      json.String(value);
    }
  };
  json.BeginObject();
  put("browser", browser.has_value() ? browser->name : "");
  put("browser_version", browser.has_value() ? std::string_view(browser->version) : "");
  put("os", system.has_value() ? system->name : "");
  put("os_version", system.has_value() ? std::string_view(system->version) : "");
  put("device", DeviceOf(agent, system.has_value() ? system->name : ""));
  json.EndObject();
}

constexpr FunctionDefinition kFunctions[] = {{"UA_PARSE", "T:J", UaParse}};

}  // namespace

std::span<const FunctionDefinition> AgentFunctions() { return kFunctions; }

}  // namespace honryu::sql
