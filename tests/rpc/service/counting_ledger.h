// A ledger that counts what is read of it.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "ledger/backup.h"
#include "ledger/ledger.h"
#include "ledger/verify.h"

namespace rpc_test {

struct Reads {
  std::atomic<uint64_t> snapshots{0}, events{0}, subjects{0};
};

class CountingSnapshot final : public ledger::Snapshot {
 public:
  CountingSnapshot(std::unique_ptr<ledger::Snapshot> real, std::shared_ptr<Reads> reads) : real_(std::move(real)), reads_(std::move(reads)) {}
  std::optional<std::string> get(ledger::ViewId view, std::string_view key) const override { return real_->get(view, key); }
  void scan(ledger::ViewId view, std::string_view from, const Visit& visit) const override { real_->scan(view, from, visit); }
  bool has_blob(std::string_view sha256) const override { return real_->has_blob(sha256); }
  std::optional<std::string> blob(std::string_view sha256) const override { return real_->blob(sha256); }
  base::Status status() const override { return real_->status(); }
  uint64_t head() const override { return real_->head(); }
  base::Result<kj::Array<capnp::word>> event(uint64_t seq) const override {
    ++reads_->events;
    return real_->event(seq);
  }
  base::Status events(uint64_t from, uint64_t to, const ledger::VisitEvent& visit) const override {
    return real_->events(from, to, [&](uint64_t seq, kj::ArrayPtr<const capnp::word> words) {
      ++reads_->events;
      return visit(seq, words);
    });
  }
  std::vector<uint64_t> subject(std::string_view key, uint64_t from, size_t limit) const override {
    ++reads_->subjects;
    return real_->subject(key, from, limit);
  }
  base::Result<base::Sha256> tree_node(int level, uint64_t index) const override { return real_->tree_node(level, index); }
  uint64_t position(std::string_view daemon) const override { return real_->position(daemon); }
  std::optional<ledger::Answer> answered(const ledger::Identity& identity, std::string_view id) const override { return real_->answered(identity, id); }
  std::string held_checkpoint() const override { return real_->held_checkpoint(); }

 private:
  const std::unique_ptr<ledger::Snapshot> real_;
  const std::shared_ptr<Reads> reads_;
};

class CountingLedger final : public ledger::Ledger {
 public:
  explicit CountingLedger(std::unique_ptr<ledger::Ledger> real) : real_(std::move(real)) {}
  const std::shared_ptr<Reads> reads = std::make_shared<Reads>();

  void submit(schema::Command::Reader command, const ledger::Identity& identity, Done done) override {
    real_->submit(command, identity, std::move(done));
  }
  void submit_all(capnp::List<schema::Command>::Reader commands, const ledger::Identity& identity,
                  std::function<void(std::vector<ledger::Answer>)> done) override {
    real_->submit_all(commands, identity, std::move(done));
  }
  void take(ledger::Delivery delivery, std::function<void(base::Status)> done) override { real_->take(std::move(delivery), std::move(done)); }
  std::unique_ptr<ledger::Snapshot> snapshot() const override {
    ++reads->snapshots;
    return std::make_unique<CountingSnapshot>(real_->snapshot(), reads);
  }
  uint64_t head() const override { return real_->head(); }
  const std::string& id() const override { return real_->id(); }
  ledger::Health health() const override { return real_->health(); }
  void on_commit(std::function<void(uint64_t head)> observer) override { real_->on_commit(std::move(observer)); }
  const base::Result<ledger::SigningKey>& checkpoint_key() const override { return real_->checkpoint_key(); }
  std::unique_ptr<ledger::Verification> verification() const override { return real_->verification(); }
  base::Result<std::unique_ptr<ledger::Backup>> backup() const override { return real_->backup(); }
  std::vector<ledger::ViewProgress> rebuilding() const override { return real_->rebuilding(); }
  void rebuild_views(const std::vector<std::string>& names, Progress progress, std::function<void(base::Status)> done) override {
    real_->rebuild_views(names, std::move(progress), std::move(done));
  }
  void check_views(const std::vector<std::string>& names, Progress progress,
                   std::function<void(base::Result<std::vector<std::string>>)> done) const override {
    real_->check_views(names, std::move(progress), std::move(done));
  }

 private:
  const std::unique_ptr<ledger::Ledger> real_;
};

}  // namespace rpc_test
