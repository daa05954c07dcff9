// One committed INSERT of 400 bytes after the other into SQLite, WAL, synchronous=FULL, in process. Built where libsqlite3 is
// found.
//   sqlite_loop FOLDER SECONDS      prints one line of JSON
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/bench/measured.h"

int main(int argc, char** argv) {
  if (argc != 3) bench::die("usage: sqlite_loop FOLDER SECONDS");
  std::filesystem::create_directories(argv[1]);
  sqlite3* database = nullptr;
  const auto must = [&](int code) {
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
      bench::die(std::string("sqlite: ") + sqlite3_errmsg(database));
  };
  const auto run = [&](const char* text) { must(sqlite3_exec(database, text, nullptr, nullptr, nullptr)); };
  const auto prepare = [&](const char* text) {
    sqlite3_stmt* statement = nullptr;
    must(sqlite3_prepare_v2(database, text, -1, &statement, nullptr));
    return statement;
  };
  must(sqlite3_open((std::string(argv[1]) + "/events.db").c_str(), &database));
  run("pragma journal_mode=wal");
  run("pragma synchronous=full");
  run("create table events(seq integer primary key, body blob)");
  sqlite3_stmt* insert = prepare("insert into events(body) values (?)");  // a statement outside BEGIN is its own transaction
  const std::string event(bench::kEventBytes, 'e');
  must(sqlite3_bind_blob(insert, 1, event.data(), static_cast<int>(event.size()), SQLITE_STATIC));
  bench::Measured measured = bench::measure(std::atof(argv[2]), 1, [&](int, uint64_t) -> uint64_t {
    must(sqlite3_step(insert));
    must(sqlite3_reset(insert));
    return 1;
  });
  sqlite3_finalize(insert);
  sqlite3_close(database);
  measured.print();
}
