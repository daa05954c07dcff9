#include "nexus/raw_file.h"

#include <fmt/format.h>

#include <string>
#include <variant>

#include "base/text.h"
#include "nexus/hdf5_handles.h"
#include "nexus/input_file.h"
#include "nexus/metadata.h"
#include "nexus/problems.h"
#include "nexus/sniff.h"
#include "nexus/walk.h"

namespace nexus {
namespace {

/// Why libhdf5 would not open a file whose superblock is in order.
Verdict not_opened(const std::string& cause) {
  if (cause.find("bad object header") != cause.npos || cause.find("already open for") != cause.npos) {
    return Verdict::not_yet("unclosed_writer",
                            fmt::format("it was never closed by its writer ({}); it is looked at again when it changes", cause));
  }
  if (cause.find("truncated file") != cause.npos) {
    return Verdict::not_yet("truncated", fmt::format("the file is truncated ({}); it is looked at again when it grows", cause));
  }
  return Verdict::not_yet(
      "damaged_structure",
      fmt::format("HDF5 cannot open it ({}): a copy is not complete, or the file is damaged; it is looked at again when it changes",
                  cause));
}

/// "3 things (for example THIS) REST".
void tell(const Sighting& sighting, std::string_view one, std::string_view many, std::string_view rest, Problems& problems) {
  if (sighting.count == 0) return;
  bool single = sighting.count == 1;
  problems.add(
      fmt::format("{} {} ({}{}) {}", sighting.count, single ? one : many, single ? "" : "for example ", sighting.first, rest));
}

void tell_findings(const WalkResult& found, Problems& problems) {
  tell(found.external_links, "link to another file", "links to other files", "not followed", problems);
  tell(found.external_storage, "dataset with its data in another file", "datasets with their data in other files", "not read",
       problems);
  tell(found.virtual_datasets, "virtual dataset made of other files", "virtual datasets made of other files", "not read", problems);
  tell(found.missing_filters, "compressed dataset", "compressed datasets",
       "not readable here for want of a filter: the script must bring its own", problems);
  tell(found.bad_chunks, "damaged piece of compressed data", "damaged pieces of compressed data",
       "found: a script that reads them will fail", problems);
  if (!found.unfinished.empty())
    problems.add(fmt::format("only part of the file's structure was checked: it goes beyond {}", found.unfinished));
}

class Examination {
 public:
  Examination(const ExamineOptions& options, schema::RawFileReport::Builder report) : options_(options), report_(report) {}

  void run(std::string_view path, std::string_view root) {
    report_.initFile().setPath(base::to_utf8(path));
    auto opened = InputFile::open(path, root);
    if (auto* verdict = std::get_if<Verdict>(&opened)) return give(*verdict);
    const InputFile& file = std::get<InputFile>(opened);
    report_.getFile().setSizeBytes(file.size_bytes());
    report_.getFile().setModifiedAt(file.modified_ns());
    report_.setInode(file.inode());

    auto verdict = file.writer();
    if (!verdict) verdict = look_inside(file);
    bool complete = !verdict || verdict->kind == Verdict::Kind::kRefused;
    if (complete) {
      auto hash = file.sha256();
      if (hash) report_.getFile().setSha256(kj::arrayPtr(hash->data(), hash->size()));
      if (!hash) verdict = Verdict::not_yet("unreadable", "the disk failed while the file was read; it is tried again");
      if (auto changed = file.changed()) {
        report_.getFile().disownSha256();
        verdict = std::move(changed);
      }
    }
    if (verdict) give(*verdict);
    auto problems = problems_.take();
    auto list = report_.initProblems(static_cast<unsigned>(problems.size()));
    for (unsigned i = 0; i < problems.size(); ++i) list.set(i, problems[i]);
  }

 private:
  /// Fills the run, or says why there is none.
  std::optional<Verdict> look_inside(const InputFile& file) {
    auto start = find_hdf5(file);
    if (auto* verdict = std::get_if<Verdict>(&start)) return *verdict;
    uint64_t offset = std::get<uint64_t>(start);
    if (auto verdict = check_superblock(file, offset)) return verdict;

    prepare_hdf5();
    Hid hdf5 = open_hdf5(file.descriptor_path());
    if (!hdf5) return not_opened(hdf5_error());
    WalkResult found = walk(hdf5, file, offset, {options_.objects_most, options_.depth_most, options_.walk_time});
    if (!found.damaged.empty()) {
      return Verdict::not_yet("damaged_structure",
                              fmt::format("it opens but is not whole: {}; it is looked at again when it changes", found.damaged));
    }
    auto chosen = choose_entry(hdf5, problems_);
    if (auto* verdict = std::get_if<Verdict>(&chosen)) return *verdict;
    read_metadata(hdf5, std::get<Entry>(chosen), found, file.arrived_ns(), problems_, report_.initOutcome().initRun());
    tell_findings(found, problems_);
    return std::nullopt;
  }

  void give(const Verdict& verdict) {
    auto outcome = report_.initOutcome();
    auto reason = verdict.kind == Verdict::Kind::kNotYet ? outcome.initNotYet() : outcome.initRefused();
    reason.setCode(verdict.code);
    constexpr size_t kReasonBytes = 1024;
    reason.setText(display(verdict.text, kReasonBytes));
  }

  const ExamineOptions& options_;
  schema::RawFileReport::Builder report_;
  Problems problems_;
};

}  // namespace

void examine(std::string_view path, std::string_view root, const ExamineOptions& options, schema::RawFileReport::Builder report) {
  Examination(options, report).run(path, root);
}

}  // namespace nexus
