// What is frozen of a schema version, and how it is written down.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace golden {

/// Every event kind once and every document, each with every field set, canonical bytes. The values follow from the fields' places.
std::vector<std::string> every_event();
std::vector<std::string> every_document();
/// The message in Cap'n Proto's text form.
std::string event_text(std::string_view bytes);
std::string document_text(size_t which, std::string_view bytes);

/// `text` without the fields that `frozen` (schema_lines() of an earlier release) does not have and that show their default. No field that
/// was filled shows one.
std::string without_later_fields(std::string text, const std::vector<std::string>& frozen);

/// "Event.seq @0 UInt64 offset 0": a line for each field, enumerant and group that events and documents are made of.
std::vector<std::string> schema_lines();

/// Records of 4 bytes of length, big-endian, and as many bytes.
std::string packed(const std::vector<std::string>& records);
std::vector<std::string> unpacked(std::string_view file);

}  // namespace golden
