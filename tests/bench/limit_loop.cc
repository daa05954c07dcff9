// The least that a durable no-op reduction can cost: three synced commits and one interpreter, and nothing else.
//   limit_loop FOLDER RUNS WORKERS PROGRAM [ARGS...]      prints runs per second
#include <rocksdb/db.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: limit_loop FOLDER RUNS WORKERS PROGRAM [ARGS...]\n");
    return 2;
  }
  int runs = std::atoi(argv[2]), workers = std::atoi(argv[3]);
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, argv[1], &opened);
  if (!status.ok()) {
    std::fprintf(stderr, "limit_loop: %s: %s\n", argv[1], status.ToString().c_str());
    return 2;
  }
  std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const std::string event(400, 'e');
  std::atomic<int> next{0}, failed{0};
  auto commit = [&](int run, char kind) { failed += !db->Put(synced, std::to_string(run) + kind, event).ok(); };
  auto work = [&] {
    for (int run = next++; run < runs; run = next++) {
      commit(run, 'q');
      commit(run, 's');
      pid_t child = 0;
      int state = 0;
      if (posix_spawn(&child, argv[4], nullptr, nullptr, argv + 4, environ) != 0 || waitpid(child, &state, 0) != child || state != 0) ++failed;
      commit(run, 'f');
    }
  };
  auto began = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < workers; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (failed != 0) {
    std::fprintf(stderr, "limit_loop: %d steps failed\n", failed.load());
    return 1;
  }
  std::printf("%.2f\n", runs / seconds);
}
