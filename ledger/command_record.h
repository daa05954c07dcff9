// What is remembered of an answered command (promise P4). Bytes: docs/formats/event_log.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/ledger.h"

namespace ledger {

/// Key of a sender's command in the table `commands`.
std::string command_key(const Identity& identity, std::string_view id);

/// `head`: the last event when it was answered, its own included.
std::string encode_answer(const Answer& answer, uint64_t head);
/// nullopt: cut short.
std::optional<Answer> decode_answer(std::string_view record);
/// The last event when it was answered; 0 where older records of refusals do not say it.
std::optional<uint64_t> answered_at(std::string_view record);

}  // namespace ledger
