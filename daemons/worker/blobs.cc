#include "daemons/worker/blobs.h"

#include "base/sha256.h"
#include "base/text.h"
#include "ledger/canonical.h"

namespace daemons {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr uint32_t kPieceBytes = 1u << 20;  // of one call
constexpr uint64_t kMaxBytes = 64u << 20;   // of a script or document

struct Fetch {
  schema::Runs::Client runs;
  std::string sha256, subject, bytes;

  kj::Promise<Result<std::string>> next() {
    auto request = runs.blobRequest();
    request.setSha256(ledger::data(sha256));
    request.setOffset(bytes.size());
    request.setLimit(kPieceBytes);
    return request.send().then([this](auto&& response) -> kj::Promise<Result<std::string>> {
      auto refusal = response.getRefusal();
      if (refusal.getCode() != schema::Refusal::Code::OK) {
        return failure(static_cast<Code>(refusal.getCode()), refusal.getText().cStr());
      }
      if (response.getTotalBytes() > kMaxBytes) return failure(Code::kInvalidArgument, "larger than any script or document");
      bytes += ledger::view(response.getBytes());
      if (bytes.size() < response.getTotalBytes()) {
        if (response.getBytes().size() == 0) return failure(Code::kCorruption, "the ledger gave no more of it before its end");
        return next();
      }
      if (base::as_bytes(base::sha256(bytes)) != sha256) return failure(Code::kCorruption, "what the ledger gave are other bytes");
      return Result<std::string>(std::move(bytes));
    });
  }

  Result<std::string> failure(Code code, const std::string& why) const {
    return Status(code, subject + ": blob " + base::hex(sha256) + ": " + why);
  }
};

}  // namespace

kj::Promise<Result<std::string>> fetch_blob(schema::Runs::Client runs, std::string sha256, std::string subject) {
  auto fetch = kj::heap<Fetch>(Fetch{kj::mv(runs), std::move(sha256), std::move(subject), {}});
  auto promise = fetch->next();
  return promise.attach(kj::mv(fetch));
}

}  // namespace daemons
