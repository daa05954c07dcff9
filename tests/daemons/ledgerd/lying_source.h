// A source as a follower sees it, over a real ledger: says what that one says, until it is told to lie.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ledger/canonical.h"
#include "schema/api.capnp.h"

namespace support {

struct SentPiece {
  std::vector<std::string> events, blobs, path;
  std::string checkpoint;
};

/// What is said differently. Change it at any time.
struct Lies {
  std::function<void(SentPiece&)> piece = [](SentPiece&) {};
  std::function<void(std::string&)> checkpoint = [](std::string&) {};  // of the log when somebody connects
  std::function<void(std::string&)> id = [](std::string&) {};
  size_t pieces = 0;  // sent so far
};

class LyingSink final : public schema::CopySink::Server {
 public:
  LyingSink(schema::CopySink::Client target, Lies& lies) : target_(kj::mv(target)), lies_(lies) {}

  kj::Promise<void> push(PushContext context) override {
    auto params = context.getParams();
    SentPiece piece{texts(params.getEvents()), texts(params.getBlobs()), texts(params.getPath()), std::string(ledger::view(params.getCheckpoint()))};
    lies_.pieces += 1;
    lies_.piece(piece);
    auto request = target_.pushRequest();
    fill(request.initEvents(piece.events.size()), piece.events);
    fill(request.initBlobs(piece.blobs.size()), piece.blobs);
    fill(request.initPath(piece.path.size()), piece.path);
    request.setCheckpoint(piece.checkpoint);
    return request.send().ignoreResult();
  }

 private:
  static std::vector<std::string> texts(capnp::List<capnp::Data>::Reader list) {
    std::vector<std::string> texts;
    for (auto each : list) texts.emplace_back(ledger::view(each));
    return texts;
  }
  static void fill(capnp::List<capnp::Data>::Builder list, const std::vector<std::string>& texts) {
    for (size_t i = 0; i < texts.size(); ++i) list.set(i, ledger::data(texts[i]));
  }
  schema::CopySink::Client target_;
  Lies& lies_;
};

class LyingAuditor final : public schema::Auditor::Server {
 public:
  LyingAuditor(schema::Auditor::Client real, Lies& lies) : real_(kj::mv(real)), lies_(lies) {}

  kj::Promise<void> checkpoint(CheckpointContext context) override {
    return real_.checkpointRequest().send().then([this, context](auto&& response) mutable {
      std::string note(ledger::view(response.getNote()));
      lies_.checkpoint(note);
      context.getResults().setNote(note);
      context.getResults().setRefusal(response.getRefusal());
    });
  }
  kj::Promise<void> consistency(ConsistencyContext context) override {
    auto request = real_.consistencyRequest();
    request.setFromSize(context.getParams().getFromSize());
    request.setToSize(context.getParams().getToSize());
    return request.send().then([context](auto&& response) mutable { context.setResults(response); });
  }
  kj::Promise<void> copy(CopyContext context) override {
    auto request = real_.copyRequest();
    request.setFrom(context.getParams().getFrom());
    request.setSink(kj::heap<LyingSink>(context.getParams().getSink(), lies_));
    return request.send().then([context](auto&& response) mutable { context.setResults(response); });
  }

 private:
  schema::Auditor::Client real_;
  Lies& lies_;
};

class LyingSession final : public schema::Session::Server {
 public:
  LyingSession(schema::Session::Client real, Lies& lies) : real_(kj::mv(real)), lies_(lies) {}
  kj::Promise<void> auditor(AuditorContext context) override {
    return real_.auditorRequest().send().then([this, context](auto&& response) mutable {
      context.getResults().setAuditor(kj::heap<LyingAuditor>(response.getAuditor(), lies_));
      context.getResults().setRefusal(response.getRefusal());
    });
  }

 private:
  schema::Session::Client real_;
  Lies& lies_;
};

class LyingGateway final : public schema::Gateway::Server {
 public:
  LyingGateway(schema::Gateway::Client real, Lies& lies) : real_(kj::mv(real)), lies_(lies) {}
  kj::Promise<void> info(InfoContext context) override {
    return real_.infoRequest().send().then([this, context](auto&& response) mutable {
      std::string id(ledger::view(response.getInfo().getLedgerId()));
      lies_.id(id);
      context.getResults().setInfo(response.getInfo());
      context.getResults().getInfo().setLedgerId(id);
    });
  }
  kj::Promise<void> login(LoginContext context) override {
    return real_.loginRequest().send().then([this, context](auto&& response) mutable {
      context.getResults().setSession(kj::heap<LyingSession>(response.getSession(), lies_));
    });
  }

 private:
  schema::Gateway::Client real_;
  Lies& lies_;
};

}  // namespace support
