#include "ledger/import.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "ledger/intake.h"
#include "ledger/transfer/export_reader.h"

namespace ledger {

base::Status require_vacant(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(folder, error))) return {};
  if (std::filesystem::is_directory(folder, error) && std::filesystem::is_empty(folder, error) && !error) return {};
  return {base::Code::kAlreadyExists, fmt::format("{}: there is something already; nothing was changed, name a new folder", folder.string())};
}

base::Status put_in_place(const std::filesystem::path& made, const std::filesystem::path& folder) {
  // An empty folder is replaced, anything else is not.
  if (::rename(made.c_str(), folder.c_str()) != 0) {
    return {base::Code::kUnavailable, fmt::format("{}: cannot be renamed to {}: {}", made.string(), folder.string(), std::strerror(errno))};
  }
  const std::filesystem::path parent = std::filesystem::absolute(folder).lexically_normal().parent_path();
  const int directory = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = directory >= 0 && ::fsync(directory) == 0;
  if (directory >= 0) ::close(directory);
  if (!synced) return {base::Code::kUnavailable, fmt::format("{}: cannot be synced: {}", parent.string(), std::strerror(errno))};
  return {};
}

base::Result<Imported> import_export(const std::filesystem::path& file, const std::filesystem::path& folder, const Rules& rules,
                                     const base::Clock& clock, const LongWork& progress) {
  const auto summary = check_export(file, [&](uint64_t done, uint64_t total) { return progress("reading the export", done, total); });
  if (!summary.is_ok()) return summary.status();
  const ExportHeader& header = summary->header;
  const bool whole = header.from == 1;
  std::filesystem::path place = folder;
  std::error_code error;
  if (whole) {
    if (base::Status vacant = require_vacant(folder); !vacant.is_ok()) return vacant;
    place = folder.string() + ".runledger-part";
    std::filesystem::remove_all(place, error);  // of an import that was ended; nobody else writes there
  } else if (!std::filesystem::exists(folder / "HEAD", error)) {
    return base::Status(base::Code::kNotFound, fmt::format("{}: no ledger there; {} begins with event {}, import one that ends before it first", folder.string(),
                                                           file.string(), header.from));
  }
  auto intake = Intake::open(place, header.ledger_id, rules, clock);
  if (!intake.is_ok()) return intake.status();
  if ((*intake)->head() != header.from - 1 || (*intake)->edge().root() != header.before.root()) {
    return base::Status(base::Code::kConflict, fmt::format("{}: holds {} events under root {}; {} continues {} events under root {}; nothing was changed", folder.string(),
                                                           (*intake)->head(), base::hex((*intake)->edge().root()), file.string(), header.from - 1,
                                                           base::hex(header.before.root())));
  }
  auto reader = ExportReader::open(file);
  if (!reader.is_ok()) return reader.status();
  for (;;) {
    const auto item = (*reader)->next();
    if (!item.is_ok()) return item.status();
    if (!*item) break;
    if (base::Status added = (*intake)->add((*item)->event, (*item)->blobs); !added.is_ok()) return added;
    if ((*item)->seq % 256 == 0 && !progress("events", (*item)->seq + 1 - header.from, header.to + 1 - header.from)) {
      return base::Status(base::Code::kUnavailable, fmt::format("{}: importing was ended", file.string()));
    }
  }
  const Imported imported{header.ledger_id, header.from, (*intake)->head(), (*intake)->edge().root(), summary->trailer.checkpoint};
  if (base::Status finished = (*intake)->finish(); !finished.is_ok()) return finished;
  intake = base::Status(base::Code::kNotFound, "closed");
  if (imported.root != summary->trailer.root) {
    return base::Status(base::Code::kCorruption, fmt::format("{}: changed while it was read", file.string()));
  }
  if (whole) {
    if (base::Status placed = put_in_place(place, folder); !placed.is_ok()) return placed;
  }
  return imported;
}

}  // namespace ledger
