// A story as a snapshot of a ledger, for what reads snapshots.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "ledger/event_bytes.h"
#include "ledger/ledger.h"
#include "ledger/subjects.h"
#include "tests/ledger/rules/story.h"

namespace rules_test {

using ledger::ViewId;

/// A story as a ledger shows it now; counts what is read.
class StorySnapshot final : public ledger::Snapshot {
 public:
  explicit StorySnapshot(const Story& story) : story_(story) {
    std::map<std::string, std::vector<std::string>, std::less<>> links;
    for (uint64_t seq = 1; seq <= story.head(); ++seq) {
      const auto subjects = ledger::subjects_of(story.event(seq), [&](std::string_view subject) {
        const auto found = links.find(subject);
        return found == links.end() ? std::vector<std::string>() : found->second;
      });
      for (const auto& key : subjects.keys) subjects_[key].push_back(seq);
      if (!subjects.link_from.empty()) links[subjects.link_from] = subjects.link_to;
    }
  }
  std::optional<std::string> get(ViewId view, std::string_view key) const override { return story_.rows().get(view, key); }
  void scan(ViewId view, std::string_view from, const Visit& visit) const override { story_.rows().scan(view, from, visit); }
  bool has_blob(std::string_view sha256) const override { return story_.rows().has_blob(sha256); }
  std::optional<std::string> blob(std::string_view sha256) const override { return story_.rows().blob(sha256); }
  base::Status status() const override { return {}; }
  uint64_t head() const override { return story_.head(); }
  base::Result<kj::Array<capnp::word>> event(uint64_t seq) const override {
    ++events_read;
    return ledger::canonical_event(story_.event(seq));
  }
  base::Status events(uint64_t from, uint64_t to, const ledger::VisitEvent& visit) const override {
    for (uint64_t seq = from; seq <= std::min(to, head()); ++seq) {
      if (!visit(seq, *event(seq))) break;
    }
    return {};
  }
  std::vector<uint64_t> subject(std::string_view key, uint64_t from, size_t limit) const override {
    const auto found = subjects_.find(key);
    if (found == subjects_.end()) return {};
    auto at = std::lower_bound(found->second.begin(), found->second.end(), from);
    return {at, at + static_cast<std::ptrdiff_t>(std::min<size_t>(limit, found->second.end() - at))};
  }
  base::Result<base::Sha256> tree_node(int, uint64_t) const override { return base::Status(base::Code::kNotFound, "a story has no tree"); }
  uint64_t position(std::string_view) const override { return 0; }
  std::optional<ledger::Answer> answered(const ledger::Identity&, std::string_view) const override { return std::nullopt; }

  mutable uint64_t events_read = 0;

 private:
  const Story& story_;
  std::map<std::string, std::vector<uint64_t>, std::less<>> subjects_;
};

}  // namespace rules_test
