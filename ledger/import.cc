#include "ledger/import.h"

#include <fmt/format.h>

#include <memory>

#include "base/text.h"
#include "ledger/intake.h"
#include "ledger/new_folder.h"
#include "ledger/transfer/export_reader.h"

namespace ledger {

base::Result<Imported> import_export(const std::filesystem::path& file, const std::filesystem::path& folder, const Rules& rules,
                                     const base::Clock& clock, const LongWork& progress) {
  const auto summary = check_export(file, [&](uint64_t done, uint64_t total) { return progress("reading the export", done, total); });
  if (!summary.is_ok()) return summary.status();
  const ExportHeader& header = summary->header;
  const bool whole = header.from == 1;
  std::filesystem::path place = folder;
  std::unique_ptr<NewFolder> part;
  std::error_code error;
  if (whole) {
    auto begun = NewFolder::begin(folder);
    if (!begun.is_ok()) return begun.status();
    part = std::move(*begun);
    place = part->path();
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
    if (base::Status placed = part->put_in_place(); !placed.is_ok()) return placed;
  }
  return imported;
}

}  // namespace ledger
