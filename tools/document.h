// Stored messages, ready to read: events and documents as they come from the ledger or from a file.
#pragma once

#include <capnp/message.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "schema/document.capnp.h"

namespace tools {

/// A stored message, canonical bytes: one segment, no table in front of it.
///
/// Owns:    a copy of the bytes; readers live as long as it does.
/// Threads: one at a time. Errors: kCorruption when the bytes are no message; a damaged inside throws kj::Exception when read.
template <typename T>
class Document {
 public:
  static base::Result<Document> open(std::string_view bytes);
  typename T::Reader get() const { return message_->reader.template getRoot<T>(); }

 private:
  struct Message {
    Message(kj::Array<capnp::word> aligned, capnp::ReaderOptions options)
        : words(kj::mv(aligned)), segment(words), reader(kj::arrayPtr(&segment, 1), options) {}
    kj::Array<capnp::word> words;
    kj::ArrayPtr<const capnp::word> segment;  // the reader keeps a pointer to it
    capnp::SegmentArrayMessageReader reader;
  };
  std::unique_ptr<Message> message_;
};

inline std::string_view bytes_of(capnp::Data::Reader data) { return {reinterpret_cast<const char*>(data.begin()), data.size()}; }
inline std::string_view text_of(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }
inline capnp::Data::Reader data_of(std::string_view bytes) { return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()}; }
inline std::vector<uint64_t> numbers_of(capnp::List<uint64_t>::Reader list) {
  std::vector<uint64_t> numbers;
  for (const uint64_t number : list) numbers.push_back(number);
  return numbers;
}
inline kj::StringPtr kj_text(const std::string& text) { return {text.c_str(), text.size()}; }

}  // namespace tools
