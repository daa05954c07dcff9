// KJ streams, listeners and connections over libuv's uv_poll. Internal to rpc/; others use rpc::Loop::io().
#pragma once

#include <kj/async-io.h>
#include <kj/timer.h>

struct uv_loop_s;

namespace rpc {

/// Bytes a stream reads ahead of what was asked for: with them a small RPC message costs one system call instead of three.
constexpr size_t kReadAheadBytes = 64 * 1024;
/// Bytes one read takes from the kernel before it lets others have a turn.
constexpr size_t kReadBytesPerTurn = 1024 * 1024;
/// How long accepting rests when the process has no descriptor left, and after how many rests a waiting client is turned away.
constexpr int kNoDescriptorPauseMs = 100;
constexpr int kNoDescriptorPauses = 5;
/// How long a connection attempt waits for room in a Unix socket's queue.
constexpr int kConnectPatienceMs = 10'000;

/// `loop` and `timer` must outlive the provider and every object made by it. Promises may be dropped at any time; a stream may
/// be destroyed while a read or write is pending, which then fails. Datagrams and passing of descriptors are not supported.
kj::Own<kj::LowLevelAsyncIoProvider> new_async_io(uv_loop_s* loop, kj::Timer& timer);

}  // namespace rpc
