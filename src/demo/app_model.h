#pragma once

#include "honryu/base/random.h"
#include "honryu/codec/json.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace honryu::demo {

/// Where a session stands. A session walks from page to page; see kFlow in app_model.cc.
enum class Page : std::uint8_t { kStart, kHome, kFeed, kContent, kSearch, kMap, kChat, kProfile, kEnd };

/// What stays the same about one user: the phone, the language, the neighbourhood, the campaign.
struct Person {
  std::string_view device_type, os_version, app_version, device_model;
  bool japanese = true;
  std::size_t home_place = 0;
  std::string_view campaign, variant;
};

/// Derived from the seed and the user's rank alone.
Person PersonOf(std::uint64_t seed, std::uint32_t user);

/// Chances of trouble in one event.
struct Trouble {
  double error = 0.006;
  double crash = 0.0015;
};

/// The next page after `page`; kEnd ends the session.
Page NextPage(Page page, Random& random);

/// event_type of arriving at `page`: "session_start", "page_view", "content_view", "search",
/// "location_share", "message_send", "session_end".
std::string_view EventTypeOf(Page page);

/// Writes the members that an event of arriving at `page` has in "properties".
void WriteProperties(Page page, const Person& person, std::size_t place, Random& random,
                     codec::JsonWriter& json);
/// The same for an error and for a crash on `page`.
void WriteErrorProperties(Page page, Random& random, codec::JsonWriter& json);
void WriteCrashProperties(Page page, const Person& person, Random& random, codec::JsonWriter& json);

/// One of the places, mostly the user's own.
std::size_t PickPlace(const Person& person, Random& random);
/// Writes latitude, longitude and accuracy of somewhere around the place.
void WriteLocation(std::size_t place, Random& random, codec::JsonWriter& json);

}  // namespace honryu::demo
