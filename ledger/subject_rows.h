// The subject index as rows: which events are about a subject, by group, and where a subject leads to. docs/formats/event_log.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ledger {

/// Of the row that holds the events of one group about a subject; `last` is the last of them, so that reading from an event on begins
/// with the right row.
std::string subject_row_key(std::string_view subject, uint64_t last);
/// Of `seqs`, ascending and not empty: what the key does not say already.
std::string encode_seqs(const std::vector<uint64_t>& seqs);
/// The seqs of a row, ascending. nullopt: no value of encode_seqs().
std::optional<std::vector<uint64_t>> decode_seqs(uint64_t last, std::string_view row);

std::string link_key(std::string_view subject);
inline bool is_link_key(std::string_view key) { return key.starts_with('\x01'); }  // below every subject kind, which are letters
std::string encode_link(const std::vector<std::string>& to);
/// nullopt: no value of encode_link().
std::optional<std::vector<std::string>> decode_link(std::string_view ends);

}  // namespace ledger
