#include "rpc/loop.h"

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

class LoopTest : public testing::Test {
 protected:
  template <typename T>
  static kj::Promise<void> forever(T& again) {
    return kj::evalLater([&again] { ++again; }).then([&again] { return forever(again); });
  }

  /// What a promise was rejected with, "" if it was not.
  template <typename T>
  std::string failure(kj::Promise<T> promise) {
    try {
      loop_.wait(kj::mv(promise));
    } catch (const kj::Exception& exception) {
      return exception.getDescription().cStr();
    }
    return "";
  }

  /// A few passes of the loop, so that whatever is due has happened.
  void settle() {
    for (int pass = 0; pass < 20; ++pass) {
      auto pair = kj::newPromiseAndFulfiller<void>();
      loop_.post([&] { pair.fulfiller->fulfill(); });
      loop_.wait(kj::mv(pair.promise));
    }
  }

  rpc::Loop loop_;
};

TEST_F(LoopTest, WaitGivesTheValue) {
  EXPECT_EQ(loop_.wait(kj::Promise<int>(17)), 17);
  loop_.wait(kj::Promise<void>(kj::READY_NOW));
  auto moved = loop_.wait(kj::evalLater([] { return kj::heap<std::string>("only moves"); }));
  EXPECT_EQ(*moved, "only moves");
}

TEST_F(LoopTest, WaitRethrows) {
  EXPECT_EQ(failure(kj::evalLater([]() -> int { KJ_FAIL_REQUIRE("no beam"); })), "no beam");
  EXPECT_EQ(failure(kj::evalLater([] { throw std::runtime_error("detector off"); })), "std::exception: detector off");
  EXPECT_EQ(loop_.wait(kj::Promise<int>(1)), 1);
}

TEST_F(LoopTest, WaitInsideACallbackIsRefused) {
  auto text = failure(kj::evalLater([this] { loop_.wait(kj::Promise<void>(kj::READY_NOW)); }));
  EXPECT_NE(text.find("not for callbacks"), std::string::npos) << text;
}

TEST_F(LoopTest, TimersFireInOrder) {
  std::vector<int> fired;
  auto note = [&](int ms) {
    return loop_.timer().afterDelay(ms * kj::MILLISECONDS).then([&fired, ms] { fired.push_back(ms); }).eagerlyEvaluate(nullptr);
  };
  auto promises = kj::heapArrayBuilder<kj::Promise<void>>(4);
  for (int ms : {9, 3, 6, 0}) promises.add(note(ms));
  auto start = loop_.timer().now();
  loop_.wait(kj::joinPromises(promises.finish()));
  EXPECT_EQ(fired, (std::vector<int>{0, 3, 6, 9}));
  EXPECT_GE(loop_.timer().now() - start, 9 * kj::MILLISECONDS);
}

TEST_F(LoopTest, AThousandTimersAllFire) {
  auto promises = kj::heapArrayBuilder<kj::Promise<void>>(1000);
  int fired = 0;
  for (int i = 0; i < 1000; ++i) {
    promises.add(loop_.timer().afterDelay((i * 7 % 20) * kj::MILLISECONDS).then([&fired] { ++fired; }));
  }
  loop_.wait(kj::joinPromises(promises.finish()));
  EXPECT_EQ(fired, 1000);
}

TEST_F(LoopTest, ADelayStartedInALibuvCallbackCountsFromThere) {
  struct State {
    rpc::Loop& loop;
    kj::Own<kj::PromiseFulfiller<kj::Duration>> fulfiller;
    kj::Maybe<kj::Promise<void>> delayed;
  };
  auto pair = kj::newPromiseAndFulfiller<kj::Duration>();
  State state{loop_, kj::mv(pair.fulfiller), nullptr};
  uv_timer_t alarm;
  uv_timer_init(loop_.uv(), &alarm);
  alarm.data = &state;
  // The loop sleeps for these 30 ms, so KJ's idea of now is old when the callback runs.
  uv_timer_start(
      &alarm,
      [](uv_timer_t* handle) {
        auto& s = *static_cast<State*>(handle->data);
        auto start = s.loop.timer().now();
        s.delayed = s.loop.timer()
                        .afterDelay(20 * kj::MILLISECONDS)
                        .then([&s, start] { s.fulfiller->fulfill(s.loop.timer().now() - start); })
                        .eagerlyEvaluate(nullptr);
      },
      30, 0);
  EXPECT_GE(loop_.wait(kj::mv(pair.promise)), 20 * kj::MILLISECONDS);
  uv_close(reinterpret_cast<uv_handle_t*>(&alarm), nullptr);
  settle();
}

TEST_F(LoopTest, PostsFromThreadsArriveInTheirOrder) {
  constexpr int kThreads = 4, kPosts = 2000;
  std::array<int, kThreads> next{};
  int left = kThreads * kPosts;
  bool in_order = true;
  auto pair = kj::newPromiseAndFulfiller<void>();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        loop_.post([&, t, i] {
          in_order &= next[t]++ == i;
          if (--left == 0) pair.fulfiller->fulfill();
        });
      }
    });
  }
  loop_.wait(kj::mv(pair.promise));
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(in_order);
}

TEST_F(LoopTest, APostThatThrowsHarmsNoOther) {
  auto pair = kj::newPromiseAndFulfiller<void>();
  loop_.post([] { throw std::runtime_error("posted trouble"); });
  loop_.post([&] { pair.fulfiller->fulfill(); });
  loop_.wait(kj::mv(pair.promise));
}

TEST_F(LoopTest, PoolWorkRunsElsewhereAndAnswersHere) {
  auto here = std::this_thread::get_id();
  auto [there, back] = loop_.wait(loop_.on_pool([] { return std::this_thread::get_id(); }).then([](std::thread::id id) {
    return std::pair{id, std::this_thread::get_id()};
  }));
  EXPECT_NE(there, here);
  EXPECT_EQ(back, here);
  std::atomic<bool> ran = false;
  loop_.wait(loop_.on_pool([&ran] { ran = true; }));
  EXPECT_TRUE(ran);
  auto only_moves = std::make_unique<int>(5);
  EXPECT_EQ(*loop_.wait(loop_.on_pool([value = std::move(only_moves)]() mutable { return std::move(value); })), 5);
}

TEST_F(LoopTest, PoolWorkThatThrowsRejectsItsPromise) {
  EXPECT_EQ(failure(loop_.on_pool([]() -> int { throw std::runtime_error("disk on fire"); })), "std::exception: disk on fire");
}

TEST_F(LoopTest, DroppedPoolWorkIsFinishedQuietly) {
  auto ran = std::make_shared<std::atomic<int>>(0);
  {
    auto dropped = loop_.on_pool([ran] { ++*ran; });
  }
  loop_.wait(loop_.on_pool([ran] { ++*ran; }));
  settle();
}

TEST(LoopEndTest, TheLoopWaitsForPoolWorkBeforeItGoes) {
  std::atomic<int> ran = 0;
  {
    rpc::Loop loop;
    loop.detach(loop.on_pool([&ran] { ++ran; }), "pool work");
  }
  EXPECT_EQ(ran, 1);
}

TEST(LoopEndTest, AStopThatNothingRanIntoDoesNotKeepTheLoop) {
  int before = dup(0);
  close(before);
  {
    rpc::Loop loop;
    loop.stop();
  }
  int after = dup(0);
  close(after);
  EXPECT_EQ(after, before) << "descriptors of the loop are still open";
}

TEST(LoopEndTest, DetachedTasksPostsAndTimersEndWithTheLoop) {
  auto held = std::make_shared<int>(0);
  {
    rpc::Loop loop;
    loop.detach(loop.timer().afterDelay(1 * kj::HOURS).attach(kj::heap<std::shared_ptr<int>>(held)), "long sleep");
    loop.post([held] {});
    loop.wait(kj::Promise<void>(kj::READY_NOW));
    loop.post([held] {});
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(LoopEndTest, PostIsNotRunWhileAnEndingLoopWaitsForItsPool) {
  // Symptom: the last commit was told to a service that was gone already, when the pool still had work as the process ended.
  bool ran = false;
  {
    rpc::Loop loop;
    auto dropped = loop.on_pool([] {});
    loop.post([&] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

TEST_F(LoopTest, AHogStarvesNeitherTimersNorOthers) {
  size_t turns = 0;
  auto hog = forever(turns).eagerlyEvaluate(nullptr);
  uv_timer_t alarm;
  uv_timer_init(loop_.uv(), &alarm);
  auto pair = kj::newPromiseAndFulfiller<void>();
  alarm.data = pair.fulfiller.get();
  uv_timer_start(
      &alarm, [](uv_timer_t* handle) { static_cast<kj::PromiseFulfiller<void>*>(handle->data)->fulfill(); }, 2, 0);
  loop_.wait(kj::mv(pair.promise));
  uv_close(reinterpret_cast<uv_handle_t*>(&alarm), nullptr);
  loop_.wait(loop_.timer().afterDelay(2 * kj::MILLISECONDS));
  EXPECT_EQ(loop_.wait(loop_.on_pool([] { return 4; })), 4);
  auto pipe = loop_.io().newOneWayPipe();
  loop_.wait(pipe.out->write("x", 1));
  char byte = 0;
  loop_.wait(pipe.in->read(&byte, 1));
  EXPECT_EQ(byte, 'x');
  EXPECT_GT(turns, 200u);
}

TEST_F(LoopTest, StopEndsRun) {
  int ticks = 0;
  loop_.post([&] { ++ticks; });
  loop_.detach(loop_.timer().afterDelay(1 * kj::MILLISECONDS).then([this] { loop_.stop(); }), "stopper");
  loop_.run();
  EXPECT_EQ(ticks, 1);
  loop_.stop();
  loop_.run();
}

TEST_F(LoopTest, AFailedDetachedTaskEndsOnlyItself) {
  loop_.detach(kj::evalLater([] { KJ_FAIL_REQUIRE("monitor lost its folder"); }), "monitor");
  loop_.wait(kj::evalLater([] {}));
  settle();
}

TEST_F(LoopTest, TerminationReachesEveryWaiter) {
  auto first = loop_.termination();
  auto second = loop_.termination();
  kill(getpid(), SIGTERM);
  EXPECT_EQ(loop_.wait(kj::mv(first)), SIGTERM);
  EXPECT_EQ(loop_.wait(kj::mv(second)), SIGTERM);
  EXPECT_EQ(loop_.wait(loop_.termination()), SIGTERM);
}

TEST(LoopDeathTest, SecondInterruptEndsAtOnce) {
  // Symptom: Ctrl-C pressed again while a daemon let its scripts end did nothing.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        rpc::Loop loop;
        auto ended = loop.termination();
        raise(SIGINT);
        loop.wait(kj::mv(ended));
        raise(SIGINT);
        loop.wait(kj::Promise<void>(kj::NEVER_DONE));
      },
      ::testing::KilledBySignal(SIGINT), "");
}

TEST_F(LoopTest, WritingToAClosedPeerIsAnErrorNotASignal) {
  auto pipe = loop_.io().newTwoWayPipe();
  pipe.ends[1] = nullptr;
  EXPECT_NE(failure(pipe.ends[0]->write("x", 1)).find("Broken pipe"), std::string::npos);
}

TEST_F(LoopTest, TwoLoopsOnTwoThreadsTalk) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  std::thread other([fd = ends[1]] {
    rpc::Loop loop;
    auto stream = loop.low_level_io().wrapSocketFd(fd, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP);
    std::array<char, 4> bytes;
    loop.wait(stream->read(bytes.data(), 4));
    std::reverse(bytes.begin(), bytes.end());
    loop.wait(stream->write(bytes.data(), 4));
  });
  auto stream = loop_.low_level_io().wrapSocketFd(ends[0], kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP);
  loop_.wait(stream->write("abcd", 4));
  EXPECT_EQ(loop_.wait(stream->readAllText()), "dcba");
  other.join();
}

}  // namespace
