// Changes a stopped ledger as only somebody can who uses its own storage engine, so that every checksum of the engine is right: one bit of a
// value of a table, or the number of the format. change_ledger FOLDER events|blobs|tree|format
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "ledger/keys.h"
#include "ledger/rules.h"
#include "ledger/store.h"

namespace {

int fail(const base::Status& status) {
  fmt::print(stderr, "change_ledger: {}\n", status.message());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, ledger::Table> tables{{"events", ledger::Table::kEvents}, {"blobs", ledger::Table::kBlobs}, {"tree", ledger::Table::kTree}};
  const std::string what = argc == 3 ? argv[2] : "";
  if (what != "format" && !tables.contains(what)) return fail({base::Code::kInvalidArgument, "FOLDER events|blobs|tree|format"});
  const ledger::Rules rules = ledger::standard_rules();
  auto store = ledger::Store::open(std::filesystem::path(argv[1]) / "db", {.views = rules.views});
  if (!store.is_ok()) return fail(store.status());
  ledger::Store::Batch batch;
  if (what == "format") {
    batch.put(*(*store)->live(), ledger::Table::kMeta, "format", ledger::u64_key(1000));
  } else {
    std::vector<std::pair<std::string, std::string>> rows;
    const base::Status scanned = (*store)->live()->scan(tables.at(what), {}, {}, [&](std::string_view key, std::string_view value) {
      rows.emplace_back(key, value);
      return true;
    });
    if (!scanned.is_ok() || rows.empty()) return fail(scanned);
    auto& [key, value] = rows[rows.size() / 2];
    value[value.size() / 2] ^= 0x01;
    batch.put(*(*store)->live(), tables.at(what), key, value);
  }
  const base::Status written = (*store)->write(batch, true);
  return written.is_ok() ? 0 : fail(written);
}
