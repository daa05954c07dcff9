#include "service.h"

#include <kj/debug.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

namespace fuzz {
namespace {

constexpr size_t kMostKept = 16;

class Serving final : public Service::Server {
 public:
  explicit Serving(Kept& kept) : kept_(kept) {}

  kj::Promise<void> say(SayContext context) override {
    context.getResults().setText(context.getParams().getText());
    return kj::READY_NOW;
  }
  kj::Promise<void> next(NextContext context) override {
    context.getResults().setService(kj::heap<Serving>(kept_));
    return kj::READY_NOW;
  }
  kj::Promise<void> relay(RelayContext context) override {
    auto request = context.getParams().getOther().sayRequest();
    request.setText(context.getParams().getText());
    return request.send().then([context](auto answer) mutable { context.getResults().setText(answer.getText()); });
  }
  kj::Promise<void> keep(KeepContext context) override {
    if (kept_.size() < kMostKept) kept_.push_back(context.getParams().getOther());
    return kj::READY_NOW;
  }
  kj::Promise<void> kept(KeptContext context) override {
    if (!kept_.empty()) context.getResults().setOther(kept_.back());
    return kj::READY_NOW;
  }
  kj::Promise<void> copy(CopyContext context) override {
    context.getResults().getValue().set(context.getParams().getValue());
    return kj::READY_NOW;
  }
  kj::Promise<void> hang(HangContext context) override {
    context.allowCancellation();
    return kj::NEVER_DONE;
  }
  kj::Promise<void> fail(FailContext) override { KJ_FAIL_REQUIRE("detector is off"); }

 private:
  Kept& kept_;
};

std::filesystem::path new_folder() {
  std::string name = std::filesystem::temp_directory_path() / "runledger-fuzz-XXXXXX";
  KJ_REQUIRE(mkdtemp(name.data()) != nullptr, "no folder for the socket", name.c_str());
  return name;
}

}  // namespace

Service::Client new_service(Kept& kept) { return kj::heap<Serving>(kept); }

Server::Server(rpc::Loop& loop) : path_(new_folder() / "socket") {
  auto opened = rpc::Listener::open(loop, address(),
                                    [this](const rpc::PeerIdentity&) -> capnp::Capability::Client { return new_service(kept_); });
  KJ_REQUIRE(opened.is_ok(), opened.status().message().c_str());
  listener_ = std::move(opened).value();
}

Server::~Server() {
  kept_.clear();
  listener_ = nullptr;
  std::error_code ignored;
  std::filesystem::remove_all(path_.parent_path(), ignored);
}

}  // namespace fuzz
