#pragma once

#include "honryu/codec/json_scan.h"

namespace honryu::api::gateway {

using codec::CountCharacters;
using codec::FindMember;
using codec::JsonKind;
using codec::JsonLimits;
using codec::JsonMember;
using codec::JsonRule;
using codec::JsonScanner;
using codec::JsonStringView;
using codec::UnescapeJsonString;

}  // namespace honryu::api::gateway
