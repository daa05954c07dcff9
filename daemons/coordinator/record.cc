#include "daemons/coordinator/record.h"

#include <algorithm>

#include "daemons/refusal.h"

namespace daemons {
namespace {

template <typename Results>
std::shared_ptr<const capnp::Response<Results>> keep(capnp::Response<Results>&& response) {
  return std::make_shared<const capnp::Response<Results>>(kj::mv(response));
}

}  // namespace

base::Sha256 to_hash(capnp::Data::Reader bytes) {
  base::Sha256 hash{};
  if (bytes.size() == hash.size()) std::copy(bytes.begin(), bytes.end(), hash.begin());
  return hash;
}

Record::Record(schema::Session::Client session, schema::DaemonPort::Client port)
    : session_(kj::mv(session)), port_(kj::mv(port)), runs_(session_.runsRequest().send().getRuns()) {}

kj::Promise<Record::Run> Record::run(const RunName& name) {
  auto request = runs_.showRequest();
  name.write(request.initRun());
  return request.send().then([](auto&& response) { return keep(kj::mv(response)); });
}

schema::Instrument::Client Record::at_instrument(const std::string& name) {
  auto request = session_.instrumentRequest();
  request.setName(name);
  return request.send().getInstrument();
}

kj::Promise<Record::Instrument> Record::instrument(const std::string& name) {
  return at_instrument(name).showRequest().send().then([](auto&& response) { return keep(kj::mv(response)); });
}

kj::Promise<Record::Job> Record::job(uint64_t job) {
  auto request = port_.jobRequest();
  request.setJob(job);
  return request.send().then([](auto&& response) { return keep(kj::mv(response)); });
}

kj::Promise<std::string> Record::blob_from(std::string sha256, std::string have) {
  auto request = runs_.blobRequest();
  request.setSha256(ledger::data(sha256));
  request.setOffset(have.size());
  return request.send().then([this, sha256, have = std::move(have)](auto&& response) mutable -> kj::Promise<std::string> {
    require_granted(response.getRefusal(), "a stored document cannot be read");
    have += ledger::view(response.getBytes());
    if (have.size() >= response.getTotalBytes()) return std::move(have);
    return blob_from(std::move(sha256), std::move(have));
  });
}

}  // namespace daemons
