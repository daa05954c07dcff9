// Sends many bytes through a stream in pieces of every size, and reads them in others.
#pragma once

#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <kj/debug.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "rpc/loop.h"

namespace echo {

inline void expect_every_byte_in_order(rpc::Loop& loop, kj::AsyncIoStream& from, kj::AsyncIoStream& to) {
  std::mt19937 random(20261121);
  constexpr size_t kTotal = 3'000'000;
  std::vector<kj::byte> sent(kTotal), got(kTotal);
  for (auto& byte : sent) byte = static_cast<kj::byte>(random());

  size_t written = 0, read = 0;
  std::vector<kj::ArrayPtr<const kj::byte>> pieces;
  auto cut = [&](size_t most) { return 1 + random() % most; };
  std::function<kj::Promise<void>()> write_on = [&]() -> kj::Promise<void> {
    if (written == kTotal) return kj::READY_NOW;
    pieces.clear();
    for (size_t n = random() % 100; n > 0 && written < kTotal; --n) {
      size_t size = std::min(random() % 4 == 0 ? 0 : cut(random() % 10 == 0 ? 200'000 : 300), kTotal - written);
      pieces.push_back(kj::arrayPtr(sent.data() + written, size));
      written += size;
    }
    return from.write(kj::arrayPtr(pieces.data(), pieces.size())).then([&] { return write_on(); });
  };
  std::function<kj::Promise<void>()> read_on = [&]() -> kj::Promise<void> {
    if (read == kTotal) return kj::READY_NOW;
    size_t most = std::min(cut(random() % 10 == 0 ? 300'000 : 500), kTotal - read);
    size_t least = std::min(cut(most), most);
    return to.tryRead(got.data() + read, least, most).then([&, least, most](size_t n) {
      KJ_ASSERT(n >= least && n <= most);
      read += n;
      return read_on();
    });
  };
  auto writing = write_on().eagerlyEvaluate(nullptr);
  loop.wait(read_on());
  loop.wait(kj::mv(writing));
  EXPECT_TRUE(sent == got);
}

}  // namespace echo
