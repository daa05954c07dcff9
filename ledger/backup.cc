#include "ledger/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/counted.h"
#include "ledger/checkpoint_key.h"
#include "ledger/new_folder.h"
#include "ledger/verify.h"

namespace ledger {
namespace {

base::Status failed(const std::filesystem::path& path, std::string_view what, const std::error_code& error) {
  return {base::Code::kUnavailable, fmt::format("{}: {}: {}", path.string(), what, error.message())};
}

base::Status sync(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const std::error_code error(errno, std::generic_category());
  if (file >= 0) ::close(file);
  return synced ? base::Status() : failed(path, "cannot be synced", error);
}

/// Copies one file and syncs the copy.
base::Status copy_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  std::filesystem::copy_file(from, to, error);
  if (error) return failed(from, fmt::format("cannot be copied to {}", to.string()), error);
  return sync(to);
}

}  // namespace

base::Status copy_key_files(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  for (const char* name : kCheckpointKeyFiles) {
    if (!std::filesystem::exists(from / name, error)) continue;
    std::filesystem::remove(to / name, error);
    if (base::Status copied = copy_durably(from / name, to / name); !copied.is_ok()) return copied;
  }
  return {};
}

base::Result<HeldLedger> Backup::make(const std::filesystem::path& folder, const LongWork& progress) const {
  const auto begun = NewFolder::begin(folder);
  if (!begun.is_ok()) return begun.status();
  NewFolder& part = **begun;
  if (!progress("tables", 0, 0)) return base::Status(base::Code::kUnavailable, "the backup was ended");
  if (base::Status linked = store_->link_into(part.path() / "db"); !linked.is_ok()) return linked;
  if (base::Status made = create_head_file(part.path() / "HEAD", held_); !made.is_ok()) return made;
  if (base::Status copied = copy_key_files(ledger_, part.path()); !copied.is_ok()) return copied;
  auto verified = verify_backup(part.path(), views_, progress);
  if (!verified.is_ok()) return verified;
  if (base::Status synced = sync(part.path()); !synced.is_ok()) return synced;
  if (base::Status placed = part.put_in_place(); !placed.is_ok()) return placed;
  return verified;
}

base::Result<HeldLedger> verify_backup(const std::filesystem::path& folder, std::span<const View* const> views, const LongWork& progress) {
  const auto promised = read_head_file(folder / "HEAD");
  if (!promised.is_ok()) {
    return base::Status(promised.status().code() == base::Code::kNotFound ? base::Code::kInvalidArgument : promised.status().code(),
                        fmt::format("{}: is no backup of a ledger: {}", folder.string(), promised.status().message()));
  }
  auto there = verify_folder(folder, views);
  if (!there.is_ok()) return there.status();
  Verification::Options options;
  options.derived = false;
  options.progress = progress;
  const VerifyReport report = (*there)->run(options);
  if (report.stopped) return base::Status(base::Code::kUnavailable, fmt::format("{}: verifying it was ended", folder.string()));
  if (!report.ok) {
    return base::Status(base::Code::kCorruption, fmt::format("{}: is not whole: {}{}; nothing was put in place, use another backup", folder.string(),
                                                             report.findings.front(),
                                                             report.finding_count > 1 ? fmt::format(" (and {} more)", base::counted(report.finding_count - 1, "finding")) : ""));
  }
  return HeldLedger{promised->id, report.events, report.root, promised->time_ns};
}

base::Result<HeldLedger> restore(const std::filesystem::path& backup, const std::filesystem::path& folder, std::span<const View* const> views,
                                 const LongWork& progress) {
  if (base::Status vacant = require_vacant(folder); !vacant.is_ok()) return vacant;
  const auto held = verify_backup(backup, views, progress);
  if (!held.is_ok()) return held;
  const auto begun = NewFolder::begin(folder);
  if (!begun.is_ok()) return begun.status();
  NewFolder& part = **begun;
  std::error_code error;
  std::filesystem::create_directory(part.path() / "db", error);
  if (error) return failed(part.path(), "cannot be made", error);
  std::vector<std::filesystem::path> files = {"HEAD"};
  for (const auto& entry : std::filesystem::directory_iterator(backup / "db", error)) {
    if (entry.is_regular_file(error)) files.push_back(std::filesystem::path("db") / entry.path().filename());
  }
  if (error) return failed(backup, "cannot be read", error);
  for (size_t i = 0; i < files.size(); ++i) {
    if (!progress("files", i, files.size())) return base::Status(base::Code::kUnavailable, "restoring was ended");
    if (base::Status copied = copy_durably(backup / files[i], part.path() / files[i]); !copied.is_ok()) return copied;
  }
  if (base::Status kept = copy_key_files(backup, part.path()); !kept.is_ok()) return kept;
  if (base::Status synced = sync(part.path() / "db"); !synced.is_ok()) return synced;
  auto copied = verify_backup(part.path(), views, progress);
  if (!copied.is_ok()) return copied;
  if (base::Status synced = sync(part.path()); !synced.is_ok()) return synced;
  if (base::Status placed = part.put_in_place(); !placed.is_ok()) return placed;
  return copied;
}

}  // namespace ledger
