#include "tools/document.h"

#include <capnp/serialize.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace tools {
namespace {

/// Honest readers look at a document a few times over; one that counts more than that folds back on itself, or has lists without
/// items in them.
constexpr uint64_t kTimesRead = 64;
constexpr uint64_t kTraversalWords = 64u << 10;

}  // namespace

template <typename T>
base::Result<Document<T>> Document<T>::open(std::string_view bytes) {
  if (bytes.size() % sizeof(capnp::word) != 0) {
    return base::Status(base::Code::kCorruption, fmt::format("{} bytes are no Cap'n Proto message", bytes.size()));
  }
  kj::Array<capnp::word> words = kj::heapArray<capnp::word>(std::max<size_t>(1, bytes.size() / sizeof(capnp::word)));
  memset(words.begin(), 0, words.asBytes().size());
  memcpy(words.begin(), bytes.data(), bytes.size());
  capnp::ReaderOptions options;
  options.traversalLimitInWords = kTimesRead * words.size() + kTraversalWords;
  Document document;
  document.message_ = std::make_unique<Message>(kj::mv(words), options);
  return document;
}

template class Document<schema::Event>;
template class Document<schema::VariableSet>;
template class Document<schema::OutputManifest>;
template class Document<schema::Environment>;

}  // namespace tools
