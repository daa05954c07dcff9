#include "tests/bench/reference.h"

#include <rocksdb/db.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <thread>

#include "ledger/keys.h"

namespace bench {
namespace {

void must(const rocksdb::Status& status) {
  if (!status.ok()) die(status.ToString());
}

std::unique_ptr<rocksdb::DB> open(const std::string& folder) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  must(rocksdb::DB::Open(options, folder, &opened));
  return std::unique_ptr<rocksdb::DB>(opened);
}

rocksdb::WriteOptions durable() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

const std::string kEvent(kEventBytes, 'e');

}  // namespace

Measured raw(const std::string& folder, double seconds, int threads, int events_a_batch) {
  const auto database = open(folder);
  TableFiles tables(folder);
  std::atomic<uint64_t> seq{0};
  Measured measured = measure(seconds, threads, [&](int, uint64_t) -> uint64_t {
    rocksdb::WriteBatch batch;
    for (int i = 0; i < events_a_batch; ++i) must(batch.Put(ledger::u64_key(++seq), kEvent));
    must(database->Write(durable(), &batch));
    return static_cast<uint64_t>(events_a_batch);
  });
  tables.note(measured);
  return measured;
}

void raw_killed(const std::string& folder, uint64_t events) {
  const auto database = open(folder);
  for (uint64_t seq = 1; seq <= events; ++seq)
    must(database->Put(seq < events ? rocksdb::WriteOptions() : durable(), ledger::u64_key(seq), kEvent));
  std::raise(SIGKILL);
  die("not killed");
}

Measured raw_open(const std::string& folder) {
  return timed(1, [&] { open(folder); });
}

Measured raw_scan(const std::string& ledger) {
  const std::string folder = ledger + "/db";
  std::vector<std::string> names;
  must(rocksdb::DB::ListColumnFamilies({}, folder, &names));
  std::vector<rocksdb::ColumnFamilyDescriptor> tables;
  for (const std::string& name : names) tables.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  must(rocksdb::DB::OpenForReadOnly({}, folder, tables, &handles, &opened));
  const std::unique_ptr<rocksdb::DB> database(opened);
  Measured measured;
  for (rocksdb::ColumnFamilyHandle* table : handles) {
    if (table->GetName() != "events") continue;
    const auto begin = Clock::now();
    rocksdb::ReadOptions options;
    options.readahead_size = 4u << 20;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> rows(database->NewIterator(options, table));
    uint64_t bytes = 0;
    for (rows->SeekToFirst(); rows->Valid(); rows->Next(), ++measured.events) bytes += rows->value().size();
    must(rows->status());
    measured.seconds = seconds_since(begin);
    measured.more["bytes_an_event"] = measured.events ? static_cast<double>(bytes) / static_cast<double>(measured.events) : 0;
  }
  for (rocksdb::ColumnFamilyHandle* table : handles) must(database->DestroyColumnFamilyHandle(table));
  return measured;
}

Measured raw_deliver(const std::string& folder, uint64_t events, int pause_us) {
  const auto database = open(folder);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) die("no socketpair");
  std::vector<Clock::time_point> begun(events);
  Measured measured;
  std::thread subscriber([&] {
    char buffer[kEventBytes];
    for (uint64_t i = 0; i < events; ++i) {
      if (::recv(ends[1], buffer, sizeof buffer, MSG_WAITALL) != static_cast<ssize_t>(sizeof buffer)) die("the socketpair ended");
      measured.took(begun[i]);
    }
  });
  const auto begin = Clock::now();
  for (uint64_t i = 0; i < events; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(pause_us));
    begun[i] = Clock::now();
    must(database->Put(durable(), ledger::u64_key(i + 1), kEvent));
    if (::send(ends[0], kEvent.data(), kEvent.size(), 0) != static_cast<ssize_t>(kEvent.size())) die("the socketpair ended");
  }
  subscriber.join();
  measured.seconds = seconds_since(begin);
  measured.events = events;
  ::close(ends[0]);
  ::close(ends[1]);
  return measured;
}

}  // namespace bench
