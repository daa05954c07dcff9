// What the views share: changing a row in place, and lists that grow.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ledger/canonical.h"
#include "ledger/keys.h"
#include "ledger/rows.h"
#include "schema/row.capnp.h"

namespace ledger {

struct MessageScratch {
  alignas(capnp::word) unsigned char scratch[2048] = {};
};
/// A message under construction that begins in memory of its own; most rows need no more.
class SmallMessage final : MessageScratch, public capnp::MallocMessageBuilder {
 public:
  SmallMessage() : MallocMessageBuilder({reinterpret_cast<capnp::word*>(scratch), sizeof scratch / sizeof(capnp::word)}) {}
};

/// A row being changed: as stored, or empty where there was none.
///
/// Owns:    its message. Borrows Rows until save() or the end.
template <typename T>
class RowEdit {
 public:
  RowEdit(Rows& rows, ViewId view, std::string key) : rows_(rows), view_(view), key_(std::move(key)) {
    if (auto bytes = rows.get(view, key_)) {
      Row<T> row(*bytes);
      message_.setRoot(row.get());
      found_ = true;
    } else {
      message_.template initRoot<T>();
    }
    builder_ = message_.template getRoot<T>();
  }
  bool found() const { return found_; }
  typename T::Builder& operator*() { return builder_; }
  typename T::Builder* operator->() { return &builder_; }
  void save() { rows_.put(view_, key_, built_bytes(message_)); }

 private:
  Rows& rows_;
  const ViewId view_;
  const std::string key_;
  SmallMessage message_;
  typename T::Builder builder_{nullptr};
  bool found_ = false;
};

/// A count kept under a key; no row means 0.
inline uint64_t read_count(const RowReader& rows, ViewId view, std::string_view key) {
  auto bytes = rows.get(view, key);
  return bytes && bytes->size() == 8 ? read_u64(*bytes) : 0;
}
inline void add_to_count(Rows& rows, ViewId view, std::string_view key, int64_t change) {
  uint64_t count = read_count(rows, view, key) + static_cast<uint64_t>(change);
  if (count == 0) {
    rows.erase(view, key);
  } else {
    rows.put(view, key, u64_key(count));
  }
}

inline std::vector<std::string> texts(capnp::List<capnp::Text>::Reader list) {
  std::vector<std::string> result;
  for (auto text : list) result.emplace_back(view(text));
  return result;
}
inline void set_texts(capnp::List<capnp::Text>::Builder list, const std::vector<std::string>& values) {
  for (uint32_t i = 0; i < values.size(); ++i) list.set(i, values[i]);
}
inline std::vector<uint64_t> numbers(capnp::List<uint64_t>::Reader list) {
  std::vector<uint64_t> result;
  for (uint64_t number : list) result.push_back(number);
  return result;
}
inline void set_numbers(capnp::List<uint64_t>::Builder list, const std::vector<uint64_t>& values) {
  for (uint32_t i = 0; i < values.size(); ++i) list.set(i, values[i]);
}

inline void set_decision(schema::Decision::Builder decision, std::string_view code, std::string_view text, uint64_t event) {
  decision.setCode(capnp::Text::Reader(std::string(code)));
  decision.setText(capnp::Text::Reader(std::string(text)));
  decision.setEvent(event);
}
inline void set_decision(schema::Decision::Builder decision, schema::Reason::Reader reason, uint64_t event) {
  decision.setCode(reason.getCode());
  decision.setText(reason.getText());
  decision.setEvent(event);
}

/// A key made of its kind and the rest, the way every view here writes them.
inline std::string kind_key(char kind, std::string_view rest) { return std::string(1, kind).append(rest); }
inline std::string text_key(std::string_view text) {
  std::string key;
  append_text(key, text);
  return key;
}
/// The text append_text() put at `offset`; moves `offset` behind it.
inline std::string read_text(std::string_view key, size_t& offset) {
  std::string text;
  while (offset < key.size()) {
    char c = key[offset++];
    if (c == '\0') {
      if (offset >= key.size() || key[offset] != '\xff') break;
      ++offset;
    }
    text += c;
  }
  return text;
}

}  // namespace ledger
