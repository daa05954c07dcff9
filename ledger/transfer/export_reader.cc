#include "ledger/transfer/export_reader.h"

#include <capnp/serialize.h>
#include <fmt/format.h>
#include <kj/exception.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "base/counted.h"
#include "base/text.h"
#include "ledger/canonical.h"
#include "ledger/proof/named_blobs.h"

namespace ledger {
namespace {

bool is_canonical(std::string_view bytes) {
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  std::memcpy(words.begin(), bytes.data(), words.size() * sizeof(capnp::word));
  const kj::ArrayPtr<const capnp::word> segment(words);
  capnp::SegmentArrayMessageReader message(kj::arrayPtr(&segment, 1));
  return message.isCanonical();
}

}  // namespace

base::Result<std::unique_ptr<ExportReader>> ExportReader::open(const std::filesystem::path& path) {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) {
    return base::Status(base::Code::kNotFound, fmt::format("{}: cannot be read: {}", path.string(), error ? error.message() : std::strerror(errno)));
  }
  std::unique_ptr<ExportReader> reader(new ExportReader(path, std::move(file), size));
  std::string line;
  for (char next; line.size() <= kMaxExportHeaderBytes && reader->file_.get(next) && next != '\n';) line += next;
  if (!reader->file_ || line.size() > kMaxExportHeaderBytes) return reader->broken("is no export of a ledger");
  auto header = ExportHeader::parse(line);
  if (!header.is_ok()) return header.status().in(path.string());
  reader->header_ = std::move(*header);
  reader->edge_ = reader->header_.before;
  line += '\n';
  reader->offset_ = line.size();
  reader->digest_->update(line.data(), line.size());
  return reader;
}

ExportReader::ExportReader(std::filesystem::path path, std::ifstream file, uint64_t file_size)
    : path_(std::move(path)), file_(std::move(file)), file_size_(file_size) {}

base::Status ExportReader::broken(std::string_view what) const {
  return {base::Code::kCorruption, fmt::format("{}: {}; get the file again from where it was made", path_.string(), what)};
}

base::Status ExportReader::read(std::string& bytes, size_t size) {
  const uint64_t left = file_size_ - std::min(file_size_, offset_);
  bytes.resize(std::min<uint64_t>(size, left));
  file_.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (bytes.size() < size || !file_) {
    return broken(fmt::format("is cut short: it ends at byte {} within record {}, behind event {} of {}", file_size_, records_ + 1,
                              edge_.size(), header_.to));
  }
  offset_ += size;
  return {};
}

base::Result<std::string> ExportReader::read_record(RecordHead& head) {
  record_at_ = offset_;
  if (offset_ == file_size_) {
    return broken(fmt::format("is cut short: it ends at byte {} behind event {} of {}", file_size_, edge_.size(), header_.to));
  }
  std::string first, stored, hash;
  if (base::Status got = read(first, kRecordHeadBytes); !got.is_ok()) return got;
  const auto decoded = decode_record_head(first);
  if (!decoded) return broken(fmt::format("byte {}: no record {} begins there; it was changed", record_at_, records_ + 1));
  if (base::Status got = read(stored, decoded->stored_size); !got.is_ok()) return got;
  if (base::Status got = read(hash, kRecordHashBytes); !got.is_ok()) return got;
  if (base::as_bytes(base::sha256(first + stored)) != hash) {
    return broken(fmt::format("byte {}: record {} was changed, its bytes do not have its SHA-256", record_at_, records_ + 1));
  }
  if (decoded->number != records_ + 1) {
    return broken(fmt::format("byte {}: record {} stands where record {} belongs; records were {}", record_at_, decoded->number, records_ + 1,
                              decoded->number <= records_ ? "doubled or moved" : "taken out or moved"));
  }
  auto bytes = unpack_record(*decoded, stored);
  if (!bytes) return broken(fmt::format("byte {}: record {} cannot be unpacked", record_at_, records_ + 1));
  if (decoded->kind != RecordKind::kTrailer) {
    digest_->update(first.data(), first.size());
    digest_->update(stored.data(), stored.size());
    digest_->update(hash.data(), hash.size());
  }
  records_ += 1;
  head = *decoded;
  return std::move(*bytes);
}

base::Result<std::optional<ExportReader::Item>> ExportReader::next() {
  Item item;
  for (;;) {
    RecordHead head;
    auto bytes = read_record(head);
    if (!bytes.is_ok()) return bytes.status();
    if (head.kind == RecordKind::kBlob) {
      item.blobs.push_back(std::move(*bytes));
      blobs_ += 1;
      continue;
    }
    if (head.kind == RecordKind::kTrailer) {
      if (!item.blobs.empty()) return broken(fmt::format("byte {}: a document stands behind the last event", record_at_));
      if (base::Status ended = check_end(*bytes, digest_->finish()); !ended.is_ok()) return ended;
      return std::optional<Item>();
    }
    if (base::Status checked = check_event(*bytes, item.blobs); !checked.is_ok()) return checked;
    edge_.append(leaf_hash(*bytes), [](int, uint64_t, const base::Sha256&) {});
    item.seq = edge_.size();
    item.event = std::move(*bytes);
    return std::optional<Item>(std::move(item));
  }
}

base::Status ExportReader::check_event(std::string_view bytes, const std::vector<std::string>& blobs) {
  const uint64_t seq = edge_.size() + 1;
  const auto wrong = [&](std::string_view what) { return broken(fmt::format("byte {}: event {} {}", record_at_, seq, what)); };
  if (seq > header_.to) return wrong(fmt::format("is more than its first line promises, which ends at {}", header_.to));
  const auto parsed = Row<schema::Event>::parse(bytes, "the event");
  if (!parsed.is_ok()) return wrong(fmt::format("is no event: {}", parsed.status().message()));
  try {
    const auto event = parsed->get();
    if (event.getSeq() != seq) return wrong(fmt::format("says of itself that it is event {}", event.getSeq()));
    if (event.getTime() < time_ns_) return wrong("is older than the one before it");
    if (event.getCause() >= seq) return wrong(fmt::format("names event {} as its cause", event.getCause()));
    if (!is_canonical(bytes)) return wrong("is not in canonical form");
    time_ns_ = event.getTime();
    if (blobs.empty()) return {};
    std::set<std::string> named;
    for (NamedBlob& blob : named_blobs(event)) named.insert(std::move(blob.sha256));
    for (const std::string& blob : blobs) {
      const base::Sha256 hash = base::sha256(blob);
      if (named.erase(std::string(base::as_bytes(hash))) == 0) return wrong(fmt::format("does not name document {}, which stands before it, or names it once", base::hex(hash)));
    }
  } catch (const kj::Exception& error) {
    return wrong(fmt::format("cannot be read: {}", error.getDescription().cStr()));
  }
  return {};
}

base::Status ExportReader::check_end(std::string_view text, const base::Sha256& digest) {
  const auto trailer = ExportTrailer::parse(text);
  if (!trailer) return broken(fmt::format("byte {}: its last record cannot be read", record_at_));
  if (edge_.size() != header_.to || trailer->events != header_.to + 1 - header_.from) {
    return broken(fmt::format("ends behind event {}, its first line promises events {} to {}", edge_.size(), header_.from, header_.to));
  }
  if (trailer->digest != digest) return broken("its last record is that of another file");
  if (trailer->blobs != blobs_) return broken(fmt::format("holds {}, its last record counts {}", base::counted(blobs_, "document"), trailer->blobs));
  if (trailer->root != edge_.root()) {
    return broken(fmt::format("its events lead to root {}, its last record says {}", base::hex(edge_.root()), base::hex(trailer->root)));
  }
  if (offset_ != file_size_) return broken(fmt::format("byte {}: {} stand behind its last record", offset_, base::counted(file_size_ - offset_, "byte")));
  trailer_ = *trailer;
  return {};
}

base::Result<ExportSummary> check_export(const std::filesystem::path& path, const std::function<bool(uint64_t, uint64_t)>& progress) {
  auto reader = ExportReader::open(path);
  if (!reader.is_ok()) return reader.status();
  for (;;) {
    if (!progress((*reader)->offset(), (*reader)->file_size())) return base::Status(base::Code::kUnavailable, path.string() + ": reading it was ended");
    const auto item = (*reader)->next();
    if (!item.is_ok()) return item.status();
    if (!*item) return ExportSummary{(*reader)->header(), (*reader)->trailer()};
  }
}

}  // namespace ledger
