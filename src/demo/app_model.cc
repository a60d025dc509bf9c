#include "app_model.h"

#include <array>
#include <cmath>
#include <numbers>

namespace honryu::demo {
namespace {

/// One of several, with its share. The shares of a table need not add up to one.
template <class T>
struct Choice {
  T value;
  double share;
};

template <class T, std::size_t kSize>
const T& Pick(const Choice<T> (&choices)[kSize], Random& random) {
  double total = 0;
  for (const auto& choice : choices) total += choice.share;
  double at = random.Unit() * total;
  for (const auto& choice : choices) {
    at -= choice.share;
    if (at < 0) return choice.value;
  }
  return choices[kSize - 1].value;
}

template <class T, std::size_t kSize>
const T& PickEvenly(const T (&values)[kSize], Random& random) {
  return values[random.Below(kSize)];
}

using Text = std::string_view;

struct Place {
  Text japanese, english;
  double latitude, longitude;
};

constexpr Place kPlaces[] = {
    {"渋谷", "Shibuya", 35.6580, 139.7016},
    {"新宿", "Shinjuku", 35.6896, 139.7006},
    {"池袋", "Ikebukuro", 35.7295, 139.7109},
    {"東京駅", "Tokyo Station", 35.6812, 139.7671},
    {"上野", "Ueno", 35.7141, 139.7774},
    {"秋葉原", "Akihabara", 35.6984, 139.7731},
    {"品川", "Shinagawa", 35.6285, 139.7388},
    {"六本木", "Roppongi", 35.6628, 139.7315},
    {"浅草", "Asakusa", 35.7119, 139.7983},
    {"吉祥寺", "Kichijoji", 35.7031, 139.5796},
    {"中野", "Nakano", 35.7056, 139.6659},
    {"下北沢", "Shimokitazawa", 35.6613, 139.6681},
    {"恵比寿", "Ebisu", 35.6467, 139.7101},
    {"北千住", "Kita-Senju", 35.7497, 139.8050},
    {"二子玉川", "Futako-Tamagawa", 35.6117, 139.6265},
    {"立川", "Tachikawa", 35.6980, 139.4137},
    {"武蔵小杉", "Musashi-Kosugi", 35.5766, 139.6596},
    {"横浜", "Yokohama", 35.4658, 139.6223},
    {"大宮", "Omiya", 35.9063, 139.6240},
    {"船橋", "Funabashi", 35.7017, 139.9853},
};
constexpr std::size_t kPlaceCount = sizeof kPlaces / sizeof kPlaces[0];

// Shares are round guesses at a Japanese consumer app, not measurements.
constexpr Choice<Text> kDeviceTypes[] = {{"ios", 0.62}, {"android", 0.35}, {"web", 0.03}};
constexpr Choice<Text> kIosVersions[] = {{"18.1", 0.45}, {"17.6", 0.33}, {"16.7", 0.14}, {"15.8", 0.08}};
constexpr Choice<Text> kAndroidVersions[] = {
    {"14", 0.40}, {"13", 0.27}, {"12", 0.19}, {"15", 0.08}, {"11", 0.06}};
constexpr Choice<Text> kWebVersions[] = {{"Chrome 130", 0.6}, {"Safari 18", 0.25}, {"Edge 130", 0.15}};
constexpr Choice<Text> kIosModels[] = {{"iPhone 15", 0.24}, {"iPhone 14", 0.22},    {"iPhone SE (3rd)", 0.2},
                                       {"iPhone 13", 0.18}, {"iPhone 16 Pro", 0.1}, {"iPad (10th)", 0.06}};
constexpr Choice<Text> kAndroidModels[] = {{"Pixel 8a", 0.22},    {"Pixel 7a", 0.2},
                                           {"AQUOS sense8", 0.2}, {"Xperia 10 VI", 0.16},
                                           {"Galaxy S24", 0.14},  {"arrows We2", 0.08}};
constexpr Choice<Text> kWebModels[] = {{"Windows", 0.6}, {"Mac", 0.3}, {"Chromebook", 0.1}};
constexpr Choice<Text> kAppVersions[] = {
    {"5.4.0", 0.22}, {"5.3.2", 0.48}, {"5.3.1", 0.17}, {"5.2.0", 0.09}, {"4.9.6", 0.04}};
constexpr Choice<Text> kCampaigns[] = {{"organic", 0.62},
                                       {"friend_invite", 0.16},
                                       {"autumn_sale", 0.13},
                                       {"tv_cm", 0.06},
                                       {"station_poster", 0.03}};
constexpr Choice<Text> kVariants[] = {{"control", 0.5}, {"new_feed", 0.5}};

// From a page (row) to a page (column), in percent:
//            home feed content search map chat profile end
constexpr int kFlow[][8] = {
    /* start   */ {92, 3, 2, 0, 0, 3, 0, 0},
    /* home    */ {0, 58, 8, 14, 4, 9, 3, 4},
    /* feed    */ {3, 12, 62, 5, 1, 5, 2, 10},
    /* content */ {2, 40, 24, 3, 13, 8, 1, 9},
    /* search  */ {6, 4, 58, 20, 4, 0, 0, 8},
    /* map     */ {4, 8, 4, 2, 14, 58, 0, 10},
    /* chat    */ {4, 9, 4, 0, 6, 60, 2, 15},
    /* profile */ {30, 25, 5, 0, 0, 5, 15, 20},
};
constexpr Page kFlowColumns[] = {Page::kHome, Page::kFeed, Page::kContent, Page::kSearch,
                                 Page::kMap,  Page::kChat, Page::kProfile, Page::kEnd};

constexpr Text kPageNames[] = {"start", "home", "feed", "content", "search", "map", "chat", "profile", "end"};

// "%" stands for a place.
constexpr Text kJapaneseMessages[] = {
    "今%に着いたよ",
    "%駅の改札で待ってるね",
    "ごめん、10分くらい遅れそう🙏",
    "了解です！",
    "今日の夜、%でごはん食べない？",
    "電車が遅れてて、まだ%にいます",
    "写真ありがとう、すごくきれいだった",
    "明日の打ち合わせ、14時からで大丈夫ですか",
    "おつかれさまでした〜",
    "%のあの店、今週末まで限定メニューやってるって",
    "雨が降ってきたから傘持っていってね☔",
    "笑笑",
    "ライブのチケット取れた！！",
    "子どもを迎えに行ってから%に向かいます",
};
constexpr Text kEnglishMessages[] = {
    "just got to %",
    "running 10 min late, sorry!",
    "Anyone up for ramen near % tonight?",
    "ok",
    "See you at the east exit of % station",
    "That photo is amazing 😍",
    "Can we move tomorrow's call to 3pm?",
    "lol",
    "Train's delayed, still at %",
    "Thanks for today, that was fun",
};
constexpr Text kJapaneseTitles[] = {
    "%でおすすめの喫茶店10選", "週末に行きたい%の散歩コース",       "%の桜、今年の見頃は",
    "終電を逃したら読む記事",  "%駅前に新しいパン屋さんがオープン", "はじめての自炊：鍋ひとつで作る三品",
    "雨の日に%で過ごすなら"};
constexpr Text kEnglishTitles[] = {"A quiet afternoon in %", "Ten ramen shops near %",
                                   "How to read the train map", "Night views around %",
                                   "Where to find English menus in %"};
constexpr Text kJapaneseSearches[] = {
    "% ランチ",      "% カフェ 静か", "ラーメン", "% イベント 今週末", "花火大会 2026",
    "引っ越し 費用", "% 居酒屋 個室", "天気",     "イヤホン おすすめ", "% 駐車場"};
constexpr Text kEnglishSearches[] = {"% lunch",        "coffee near %", "halal ramen",
                                     "weekend events", "% hotel",       "weather"};
constexpr Text kCategories[] = {"グルメ", "おでかけ", "ニュース",    "スポーツ",
                                "音楽",   "暮らし",   "テクノロジー"};

struct Failure {
  Text code, endpoint, message;
  int status;
};
constexpr Choice<Failure> kErrors[] = {
    {{"timeout", "/api/feed", "request timed out after 10000 ms", 0}, 0.38},
    {{"upstream", "/api/content", "502 from content service", 502}, 0.2},
    {{"unavailable", "/api/messages", "503 from message service", 503}, 0.17},
    {{"decode", "/api/search", "unexpected token at offset 0", 200}, 0.1},
    {{"unauthorized", "/api/profile", "token expired", 401}, 0.1},
    {{"location_denied", "", "位置情報の利用が許可されていません", 0}, 0.05},
};
struct Crash {
  Text exception, signature, top, below;
};
constexpr Choice<Crash> kIosCrashes[] = {
    {{"EXC_BAD_ACCESS", "FeedViewController.layoutCell(_:)", "FeedViewController.swift:214",
      "UITableView._updateVisibleCells"},
     0.5},
    {{"NSRangeException", "ChatDataSource.message(at:)", "ChatDataSource.swift:88",
      "ChatViewController.reload"},
     0.3},
    {{"SIGKILL (memory)", "ImageCache.insert(_:)", "ImageCache.swift:57", "ContentView.prefetch"}, 0.2},
};
constexpr Choice<Crash> kOtherCrashes[] = {
    {{"java.lang.NullPointerException", "MapFragment.onLocationChanged", "MapFragment.kt:131",
      "LocationManager.dispatch"},
     0.45},
    {{"java.lang.OutOfMemoryError", "BitmapPool.get", "BitmapPool.kt:42", "ContentAdapter.onBindViewHolder"},
     0.3},
    {{"android.os.NetworkOnMainThreadException", "TokenStore.refresh", "TokenStore.kt:73",
      "ProfileFragment.onResume"},
     0.25},
};

double Gaussian(Random& random) {  // Box and Muller
  return std::sqrt(-2.0 * std::log(1.0 - random.Unit())) * std::cos(2.0 * std::numbers::pi * random.Unit());
}

std::string Fill(Text pattern, Text place) {
  std::string text(pattern);
  if (const std::size_t at = text.find('%'); at != std::string::npos) text.replace(at, 1, place);
  return text;
}

Text PlaceName(std::size_t place, const Person& person) {
  return person.japanese ? kPlaces[place].japanese : kPlaces[place].english;
}

template <std::size_t kJapanese, std::size_t kEnglish>
std::string PickText(const Text (&japanese)[kJapanese], const Text (&english)[kEnglish], const Person& person,
                     std::size_t place, Random& random) {
  const Text pattern = person.japanese ? PickEvenly(japanese, random) : PickEvenly(english, random);
  return Fill(pattern, PlaceName(place, person));
}

void Member(codec::JsonWriter& json, Text key, Text value) {
  json.Key(key);
  json.String(value);
}

void Member(codec::JsonWriter& json, Text key, std::uint64_t value) {
  json.Key(key);
  json.Uint(value);
}

/// Whole milliseconds with a long tail: the median, rarely ten times that.
std::uint64_t LongTail(double median, Random& random) {
  return static_cast<std::uint64_t>(median * std::exp(0.9 * Gaussian(random)));
}

}  // namespace

Person PersonOf(std::uint64_t seed, std::uint32_t user) {
  Random random(seed * 0x9e3779b97f4a7c15ULL + user);
  Person person;
  person.device_type = Pick(kDeviceTypes, random);
  if (person.device_type == "ios") {
    person.os_version = Pick(kIosVersions, random);
    person.device_model = Pick(kIosModels, random);
  } else if (person.device_type == "android") {
    person.os_version = Pick(kAndroidVersions, random);
    person.device_model = Pick(kAndroidModels, random);
  } else {
    person.os_version = Pick(kWebVersions, random);
    person.device_model = Pick(kWebModels, random);
  }
  person.app_version = Pick(kAppVersions, random);
  person.japanese = random.Chance(0.86);
  // The first places are the busiest: the smaller of two draws.
  const std::uint64_t a = random.Below(kPlaceCount);
  const std::uint64_t b = random.Below(kPlaceCount);
  person.home_place = static_cast<std::size_t>(a < b ? a : b);
  person.campaign = Pick(kCampaigns, random);
  person.variant = Pick(kVariants, random);
  return person;
}

Page NextPage(Page page, Random& random) {
  const auto& row = kFlow[static_cast<std::size_t>(page)];
  int at = static_cast<int>(random.Below(100));
  for (std::size_t i = 0; i < std::size(kFlowColumns); ++i) {
    at -= row[i];
    if (at < 0) return kFlowColumns[i];
  }
  return Page::kEnd;
}

std::string_view EventTypeOf(Page page) {
  static constexpr Text kTypes[] = {"session_start",  "page_view",    "page_view", "content_view", "search",
                                    "location_share", "message_send", "page_view", "session_end"};
  return kTypes[static_cast<std::size_t>(page)];
}

void WriteProperties(Page page, const Person& person, std::size_t place, Random& random,
                     codec::JsonWriter& json) {
  Member(json, "page", kPageNames[static_cast<std::size_t>(page)]);
  Member(json, "lang", person.japanese ? Text("ja") : Text("en"));
  switch (page) {
    case Page::kStart:
      Member(json, "campaign", person.campaign);
      Member(json, "variant", person.variant);
      Member(json, "start_ms", LongTail(640, random));
      break;
    case Page::kContent:
      Member(json, "content_id", 10'000 + random.Below(2'000));
      Member(json, "title", PickText(kJapaneseTitles, kEnglishTitles, person, place, random));
      Member(json, "category", PickEvenly(kCategories, random));
      Member(json, "variant", person.variant);
      Member(json, "load_ms", LongTail(180, random));
      break;
    case Page::kSearch:
      Member(json, "query", PickText(kJapaneseSearches, kEnglishSearches, person, place, random));
      Member(json, "results", LongTail(40, random));
      break;
    case Page::kMap:
      Member(json, "place", PlaceName(place, person));
      Member(json, "visibility", random.Chance(0.8) ? Text("friends") : Text("public"));
      break;
    case Page::kChat: {
      const std::string text = PickText(kJapaneseMessages, kEnglishMessages, person, place, random);
      Member(json, "room_id", 1'000 + random.Below(5'000));
      Member(json, "text", text);
      Member(json, "bytes", text.size());
      break;
    }
    case Page::kHome:
    case Page::kFeed:
    case Page::kProfile:
      Member(json, "load_ms", LongTail(120, random));
      break;
    case Page::kEnd:
      Member(json, "reason", random.Chance(0.7) ? Text("background") : Text("closed"));
      break;
  }
}

void WriteErrorProperties(Page page, Random& random, codec::JsonWriter& json) {
  const Failure& failure = Pick(kErrors, random);
  Member(json, "page", kPageNames[static_cast<std::size_t>(page)]);
  Member(json, "code", failure.code);
  if (!failure.endpoint.empty()) Member(json, "endpoint", failure.endpoint);
  if (failure.status != 0) Member(json, "status", static_cast<std::uint64_t>(failure.status));
  Member(json, "message", failure.message);
}

void WriteCrashProperties(Page page, const Person& person, Random& random, codec::JsonWriter& json) {
  const Crash& crash = person.device_type == "ios" ? Pick(kIosCrashes, random) : Pick(kOtherCrashes, random);
  Member(json, "page", kPageNames[static_cast<std::size_t>(page)]);
  Member(json, "exception", crash.exception);
  Member(json, "signature", crash.signature);
  json.Key("stack");
  json.BeginArray();
  json.String(crash.top);
  json.String(crash.below);
  json.EndArray();
  json.Key("fatal");
  json.Bool(true);
}

std::size_t PickPlace(const Person& person, Random& random) {
  return random.Chance(0.75) ? person.home_place : static_cast<std::size_t>(random.Below(kPlaceCount));
}

void WriteLocation(std::size_t place, Random& random, codec::JsonWriter& json) {
  // 0.004 degrees are about 400 m; six decimals are what phones send.
  const auto around = [&random](double centre) {
    return std::round((centre + 0.004 * Gaussian(random)) * 1e6) / 1e6;
  };
  json.Key("latitude");
  json.Double(around(kPlaces[place].latitude));
  json.Key("longitude");
  json.Double(around(kPlaces[place].longitude));
  json.Key("accuracy");
  json.Double(static_cast<double>(5 + random.Below(60)));
}

}  // namespace honryu::demo
