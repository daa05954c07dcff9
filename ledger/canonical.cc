#include "ledger/canonical.h"

#include <algorithm>
#include <span>
#include <stdexcept>
#include <utility>

namespace ledger {
namespace {

using Word = uint64_t;

// Pointers are as in https://capnproto.org/encoding.html; the names are those of that page.
enum Kind : uint8_t { kStruct = 0, kList = 1, kFar = 2 };
enum ElementSize : uint8_t { kPointers = 6, kComposite = 7 };
constexpr Word kEmptyStruct = 0xFFFFFFFC;  // its offset is -1

constexpr uint32_t low(Word pointer) { return static_cast<uint32_t>(pointer); }
constexpr uint32_t high(Word pointer) { return static_cast<uint32_t>(pointer >> 32); }
constexpr Word pointer_to(Kind kind, size_t from, size_t to, uint32_t upper) {
  return static_cast<Word>(upper) << 32 | static_cast<uint32_t>((to - from - 1) << 2) | kind;
}

/// A struct, or an element of a list of them: its data, then its pointers.
struct Size {
  size_t data, pointers;  // words
  size_t words() const { return data + pointers; }
  uint32_t upper() const { return static_cast<uint32_t>(data | pointers << 16); }
};
Size size_in(Word pointer) { return {high(pointer) & 0xFFFF, high(pointer) >> 16}; }

/// Without the zeros at the end of both parts.
Size trimmed(const Word* from, Size size) {
  Size result = size;
  while (result.data > 0 && from[result.data - 1] == 0) --result.data;
  while (result.pointers > 0 && from[size.data + result.pointers - 1] == 0) --result.pointers;
  return result;
}

/// Writes what a root leads to, each object right behind the one before it in the order of the pointers.
class CanonicalWalk {
 public:
  /// `out`: zeros, as many as the message has words; canonical, it needs no more.
  CanonicalWalk(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments, std::span<Word> out) : segments_(segments), out_(out) {}

  /// How many words it took.
  size_t write_root() {
    copy(take(1), 0, segment(0));
    return used_;
  }

 private:
  const Word* segment(uint32_t id) const { return reinterpret_cast<const Word*>(segments_[id].begin()); }

  size_t take(size_t words) {
    if (words > out_.size() - used_) throw std::logic_error("a message has objects that two pointers lead to");
    return std::exchange(used_, used_ + words);
  }

  /// What the pointer `from`, which lies in segment `id`, leads to.
  void copy(size_t slot, uint32_t id, const Word* from) {
    Word pointer = *from;
    if (pointer == 0) return;
    const Word* object = from + 1 + (static_cast<int32_t>(low(pointer)) >> 2);
    if ((pointer & 3) == kFar) {
      id = high(pointer);
      const Word* pad = segment(id) + (low(pointer) >> 3);
      if ((pointer & 4) == 0) return copy(slot, id, pad);
      id = high(pad[0]);  // the object lies in a third segment, and what it is stands behind
      object = segment(id) + (low(pad[0]) >> 3);
      pointer = pad[1];
    }
    switch (pointer & 3) {
      case kStruct: return copy_struct(slot, id, object, size_in(pointer));
      case kList: return copy_list(slot, id, object, static_cast<uint8_t>(high(pointer) & 7), high(pointer) >> 3);
      default: throw std::logic_error("a message that is stored holds a capability");
    }
  }

  void copy_struct(size_t slot, uint32_t id, const Word* from, Size size) {
    const Size kept = trimmed(from, size);
    if (kept.words() == 0) {
      out_[slot] = kEmptyStruct;
      return;
    }
    const size_t at = take(kept.words());
    out_[slot] = pointer_to(kStruct, slot, at, kept.upper());
    copy_parts(at, id, from, size, kept);
  }

  void copy_parts(size_t at, uint32_t id, const Word* from, Size size, Size kept) {
    std::copy_n(from, kept.data, out_.data() + at);
    for (size_t i = 0; i < kept.pointers; ++i) copy(at + kept.data + i, id, from + size.data + i);
  }

  void copy_list(size_t slot, uint32_t id, const Word* from, uint8_t element, uint32_t count) {
    if (element == kComposite) return copy_structs(slot, id, from);
    constexpr uint8_t kBits[] = {0, 1, 8, 16, 32, 64, 64};
    const size_t words = (size_t{count} * kBits[element] + 63) / 64;
    const size_t at = take(words);
    out_[slot] = pointer_to(kList, slot, at, count << 3 | element);
    if (element != kPointers) {
      std::copy_n(from, words, out_.data() + at);
    } else {
      for (size_t i = 0; i < words; ++i) copy(at + i, id, from + i);
    }
  }

  /// All take the size of the one that needs most.
  void copy_structs(size_t slot, uint32_t id, const Word* from) {
    const Word tag = *from++;
    const size_t count = low(tag) >> 2;
    const Size size = size_in(tag);
    Size kept{0, 0};
    for (size_t i = 0; i < count; ++i) {
      const Size needed = trimmed(from + i * size.words(), size);
      kept = {std::max(kept.data, needed.data), std::max(kept.pointers, needed.pointers)};
    }
    const size_t at = take(1 + count * kept.words());
    out_[slot] = pointer_to(kList, slot, at, static_cast<uint32_t>(count * kept.words()) << 3 | kComposite);
    out_[at] = static_cast<Word>(kept.upper()) << 32 | count << 2;
    for (size_t i = 0; i < count; ++i) copy_parts(at + 1 + i * kept.words(), id, from + i * size.words(), size, kept);
  }

  const kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments_;
  const std::span<Word> out_;
  size_t used_ = 0;
};

}  // namespace

kj::ArrayPtr<const capnp::word> built_words(capnp::MessageBuilder& message) {
  thread_local std::vector<Word> space;
  const auto segments = message.getSegmentsForOutput();
  size_t words = 0;
  for (const auto& segment : segments) words += segment.size();
  space.assign(words, 0);
  const size_t used = CanonicalWalk(segments, {space.data(), words}).write_root();
  return {reinterpret_cast<const capnp::word*>(space.data()), used};
}

}  // namespace ledger
