#include "ledger/command_record.h"

#include "ledger/keys.h"

namespace ledger {
namespace {

// code (2 bytes), first seq (8; where there are no events, the head), number of events (4), message.
constexpr size_t kSeqAt = 2, kCountAt = 10, kMessageAt = 14;

uint32_t count_of(std::string_view record) {
  uint32_t count = 0;
  for (size_t i = kCountAt; i < kMessageAt; ++i) count = count << 8 | static_cast<uint8_t>(record[i]);
  return count;
}

}  // namespace

std::string command_key(const Identity& identity, std::string_view id) {
  std::string key(1, static_cast<char>(identity.kind));
  append_text(key, identity.name);
  key += id;
  return key;
}

std::string encode_answer(const Answer& answer, uint64_t head) {
  std::string record;
  const auto code = static_cast<uint16_t>(answer.status.code());
  record += static_cast<char>(code >> 8);
  record += static_cast<char>(code & 0xFF);
  append_u64(record, answer.events.empty() ? head : answer.events.front());
  for (int shift = 24; shift >= 0; shift -= 8) record += static_cast<char>(answer.events.size() >> shift & 0xFF);
  record += answer.status.message();
  return record;
}

std::optional<Answer> decode_answer(std::string_view record) {
  if (record.size() < kMessageAt) return std::nullopt;
  Answer answer;
  const auto code = static_cast<base::Code>(static_cast<uint8_t>(record[0]) << 8 | static_cast<uint8_t>(record[1]));
  const uint32_t count = count_of(record);
  for (uint32_t i = 0; i < count; ++i) answer.events.push_back(read_u64(record, kSeqAt) + i);
  answer.status = {code, std::string(record.substr(kMessageAt))};
  return answer;
}

std::optional<uint64_t> answered_at(std::string_view record) {
  if (record.size() < kMessageAt) return std::nullopt;
  const uint32_t count = count_of(record);
  return read_u64(record, kSeqAt) + (count == 0 ? 0 : count - 1);
}

}  // namespace ledger
