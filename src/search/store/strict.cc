#include "honryu/search/store.h"
#include "search/index/document_parser.h"
#include "search/store/store_impl.h"

#include <string>

namespace honryu::search {
namespace {

/// As SegmentBuilder walks a document.
Result<void> CheckMembers(const Mapping& mapping, const simdjson::dom::object& object,
                          const std::string& parent, std::size_t depth);

Result<void> CheckValue(const Mapping& mapping, const simdjson::dom::element& element,
                        const std::string& path, std::size_t depth) {
  if (depth >= mapping.limits().depth) return Ok();
  if (element.is_object()) return CheckMembers(mapping, element.get_object().value_unsafe(), path, depth);
  if (!element.is_array()) return Ok();
  for (const auto item : element.get_array().value_unsafe())
    HONRYU_TRY_VOID(CheckValue(mapping, item, path, depth + 1));
  return Ok();
}

Result<void> CheckMembers(const Mapping& mapping, const simdjson::dom::object& object,
                          const std::string& parent, std::size_t depth) {
  FieldSpec spec;
  // Places have members of their own, and what is switched off is not looked at.
  if (!parent.empty() && mapping.Find(parent, &spec) &&
      (spec.type == FieldType::kGeoPoint || spec.type == FieldType::kDisabled))
    return Ok();
  for (const auto member : object) {
    const std::string path =
        parent.empty() ? std::string(member.key) : parent + "." + std::string(member.key);
    if (!mapping.Allows(parent, path))
      return Error(ErrorCode::kInvalidArgument,
                   "strict_dynamic_mapping_exception: mapping set to strict, dynamic introduction of [" +
                       std::string(member.key) + "] within [" + (parent.empty() ? "_doc" : parent) +
                       "] is not allowed");
    HONRYU_TRY_VOID(CheckValue(mapping, member.value, path, depth + 1));
  }
  return Ok();
}

}  // namespace

Result<void> Store::CheckFields(std::string_view index, BytesView source) const {
  const auto mapping = impl_->MappingOf(index, true);
  if (!mapping->strict()) return Ok();
  DocumentParser parser;
  HONRYU_TRY(const auto object, parser.Parse(source));
  return CheckMembers(*mapping, object, "", 0);
}

}  // namespace honryu::search
