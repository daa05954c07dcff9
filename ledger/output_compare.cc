#include "ledger/output_compare.h"

#include "base/reduction_log.h"
#include "ledger/canonical.h"

namespace ledger {
namespace {

using Files = capnp::List<schema::OutputFile>::Reader;

/// The files of a manifest that count, one after the other; they are sorted by path.
class Output {
 public:
  explicit Output(Files files) : files_(files) { pass_logs(); }
  bool ended() const { return next_ == files_.size(); }
  schema::OutputFile::Reader file() const { return files_[next_]; }
  std::string_view path() const { return view(file().getPath()); }
  void pass() { ++next_, pass_logs(); }

 private:
  void pass_logs() {
    while (!ended() && base::is_reduction_log(path())) ++next_;
  }
  const Files files_;
  uint32_t next_ = 0;
};

}  // namespace

OutputDifference compare_outputs(schema::OutputManifest::Reader before, schema::OutputManifest::Reader after) {
  OutputDifference result;
  const auto differs = [&](char how, std::string_view path) {
    if (result.paths.size() < OutputDifference::kPathsKept) result.paths.push_back(std::string{how, ' '}.append(path));
  };
  Output old(before.getFiles()), fresh(after.getFiles());
  while (!old.ended() || !fresh.ended()) {
    const bool in_old = !old.ended() && (fresh.ended() || old.path() <= fresh.path());
    const bool in_fresh = !fresh.ended() && (old.ended() || fresh.path() <= old.path());
    if (in_old && in_fresh) {
      const bool equal = view(old.file().getSha256()) == view(fresh.file().getSha256());
      ++(equal ? result.equal : result.changed);
      if (!equal) differs('~', old.path());
    } else if (in_old) {
      ++result.missing;
      differs('-', old.path());
    } else {
      ++result.added;
      differs('+', fresh.path());
    }
    if (in_old) {
      result.bytes_before += old.file().getSizeBytes();
      old.pass();
    }
    if (in_fresh) {
      result.bytes_after += fresh.file().getSizeBytes();
      fresh.pass();
    }
  }
  return result;
}

}  // namespace ledger
