// Cap'n Proto values as bytes: the one segment of the canonical message, without a segment table, so that equal values are
// equal bytes. Events, rows and documents are all stored like this.
#pragma once

#include <capnp/any.h>
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ledger {

inline std::string_view view(capnp::Text::Reader text) { return {text.begin(), text.size()}; }
inline std::string_view view(capnp::Data::Reader data) { return {reinterpret_cast<const char*>(data.begin()), data.size()}; }
inline capnp::Data::Reader data(std::string_view bytes) { return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()}; }

/// The words under which `value` (a struct reader, of any message) is stored and hashed. They stand until the thread's next call.
template <typename Reader>
kj::ArrayPtr<const capnp::word> canonical_words(Reader value) {
  thread_local std::vector<capnp::word> space;
  const size_t most = value.totalSize().wordCount + 1;  // canonical, it may need less
  if (space.size() < most) space = std::vector<capnp::word>(most);  // words cannot be moved
  std::memset(space.data(), 0, most * sizeof(capnp::word));
  capnp::FlatMessageBuilder message(kj::arrayPtr(space.data(), most));
  message.initRoot<capnp::AnyPointer>().setCanonicalAs<capnp::FromReader<Reader>>(value);
  return message.getSegmentsForOutput()[0];
}
/// The same as bytes.
template <typename Reader>
std::string canonical_bytes(Reader value) {
  auto bytes = canonical_words(value).asBytes();
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

/// The same for the root of a message built here: nothing in it needs checking, so this is several times as fast.
kj::ArrayPtr<const capnp::word> built_words(capnp::MessageBuilder& message);
inline std::string_view built_bytes(capnp::MessageBuilder& message) {
  const auto bytes = built_words(message).asBytes();
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

/// A stored value of type T, ready to read.
///
/// Owns:    an aligned copy of the bytes; readers from get() live as long as the Row.
/// Threads: one at a time.
/// Errors:  kj::Exception where the bytes are no such message; parse() says so as a Status first.
template <typename T>
class Row {
 public:
  explicit Row(std::string_view bytes) : message_(std::make_unique<Message>(bytes)) {}
  /// kCorruption when `bytes` are no message of pointers that stay inside it. `what` is the subject of the sentence.
  static base::Result<Row> parse(std::string_view bytes, std::string_view what);

  typename T::Reader get() const { return message_->reader.template getRoot<T>(); }

 private:
  struct Message {
    explicit Message(std::string_view bytes)
        : words(kj::heapArray<capnp::word>((bytes.size() + sizeof(capnp::word) - 1) / sizeof(capnp::word))),
          segment(words),
          reader(kj::arrayPtr(&segment, 1), options(words.size())) {
      if (words.size() > 0) std::memset(&words.back(), 0, sizeof(capnp::word));
      if (!bytes.empty()) std::memcpy(words.begin(), bytes.data(), bytes.size());
    }
    /// Honest readers look at a row a few times over; a message that counts more than that folds back on itself.
    static capnp::ReaderOptions options(size_t words) {
      capnp::ReaderOptions result;
      result.traversalLimitInWords = 64 * static_cast<uint64_t>(words) + (1u << 20);
      return result;
    }
    kj::Array<capnp::word> words;
    kj::ArrayPtr<const capnp::word> segment;
    capnp::SegmentArrayMessageReader reader;
  };
  std::unique_ptr<Message> message_;
};

template <typename T>
base::Result<Row<T>> Row<T>::parse(std::string_view bytes, std::string_view what) {
  std::string detail;
  if (bytes.size() % sizeof(capnp::word) == 0 && !bytes.empty()) {
    try {
      Row row(bytes);
      if (row.get().totalSize().wordCount <= bytes.size() / sizeof(capnp::word)) return row;
      detail = "parts of it are used twice";
    } catch (const kj::Exception& error) {
      detail = std::string(error.getDescription().cStr());
    }
  } else {
    detail = "its size is not that of a message";
  }
  return base::Status(base::Code::kCorruption, std::string(what) + " cannot be read (" + detail + ")");
}

}  // namespace ledger
