#include "ledger/transfer/export_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/counted.h"
#include "ledger/canonical.h"
#include "ledger/proof/named_blobs.h"

namespace ledger {
namespace {

base::Status failed(const std::filesystem::path& path, std::string_view what) {
  const int error = errno;
  return {base::Code::kUnavailable, fmt::format("{}: {}: {}", path.string(), what, std::strerror(error))};
}

}  // namespace

base::Result<std::unique_ptr<ExportWriter>> ExportWriter::create(const std::filesystem::path& path, const ExportHeader& header) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    return base::Status(base::Code::kAlreadyExists, fmt::format("{}: is there already; name a new file", path.string()));
  }
  const std::string part = path.string() + ".part";
  const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return failed(part, "cannot be created");
  std::unique_ptr<ExportWriter> writer(new ExportWriter(path, file, header));
  if (base::Status written = writer->write(header.line() + "\n"); !written.is_ok()) return written;
  return writer;
}

ExportWriter::ExportWriter(std::filesystem::path path, int file, const ExportHeader& header)
    : path_(std::move(path)), part_(path_.string() + ".part"), file_(file), header_(header), edge_(header.before) {}

ExportWriter::~ExportWriter() {
  if (file_ < 0) return;
  ::close(file_);
  std::error_code ignored;
  std::filesystem::remove(part_, ignored);
}

void ExportWriter::hold(std::string bytes) {
  std::string name(base::as_bytes(base::sha256(bytes)));
  held_.emplace(std::move(name), std::move(bytes));
}

base::Status ExportWriter::add(std::string_view event) {
  const auto parsed = Row<schema::Event>::parse(event, fmt::format("event {}", next()));
  if (!parsed.is_ok()) return parsed.status();
  if (parsed->get().getSeq() != next()) {
    return {base::Code::kInternal, fmt::format("event {} came, event {} was to come", parsed->get().getSeq(), next())};
  }
  for (const NamedBlob& named : named_blobs(parsed->get())) {
    const auto held = held_.find(named.sha256);
    if (held == held_.end()) continue;  // written before, or erased
    if (base::Status written = write_record(RecordKind::kBlob, held->second); !written.is_ok()) return written;
    blobs_ += 1;
    held_.erase(held);
  }
  if (base::Status written = write_record(RecordKind::kEvent, event); !written.is_ok()) return written;
  edge_.append(leaf_hash(event), [](int, uint64_t, const base::Sha256&) {});
  return {};
}

base::Status ExportWriter::finish(std::string_view checkpoint) {
  if (next() != header_.to + 1) {
    return {base::Code::kInternal, fmt::format("{}: events {} to {} never came", path_.string(), next(), header_.to)};
  }
  ExportTrailer trailer{header_.to + 1 - header_.from, blobs_, root(), digest_.finish(), std::string(checkpoint)};
  const std::string record = encode_record(RecordKind::kTrailer, ++records_, trailer.text());
  size_t at = 0;
  while (at < record.size()) {
    const ssize_t wrote = ::write(file_, record.data() + at, record.size() - at);
    if (wrote < 0 && errno != EINTR) return failed(part_, "cannot be written");
    if (wrote > 0) at += static_cast<size_t>(wrote);
  }
  if (::fsync(file_) != 0) return failed(part_, "cannot be synced");
  // A file that came there meanwhile is not written over either.
  if (::link(part_.c_str(), path_.c_str()) != 0) return failed(path_, "cannot be put in place");
  ::unlink(part_.c_str());
  ::close(std::exchange(file_, -1));
  return {};
}

base::Status ExportWriter::write(std::string_view bytes) {
  if (!status_.is_ok()) return status_;
  digest_.update(bytes.data(), bytes.size());
  written_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(file_, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return status_ = failed(part_, "cannot be written");
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return {};
}

base::Status ExportWriter::write_record(RecordKind kind, std::string_view bytes) {
  return write(encode_record(kind, ++records_, bytes));
}

}  // namespace ledger
