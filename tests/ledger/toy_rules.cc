#include "tests/ledger/toy_rules.h"

#include <array>
#include <stdexcept>

#include "ledger/keys.h"

namespace support {
namespace {

std::string_view view(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

class Notes final : public ledger::View {
 public:
  explicit Notes(uint32_t version) : version_(version) {}
  ledger::ViewId id() const override { return ledger::ViewId::kRuns; }
  const char* name() const override { return "notes"; }
  uint32_t version() const override { return version_; }
  void fold(schema::Event::Reader event, ledger::Rows& rows) const override {
    if (event.getBody().which() != schema::Event::Body::RUN_ANNOTATED) return;
    const auto annotated = event.getBody().getRunAnnotated();
    const std::string key = ledger::run_key(view(annotated.getRun().getInstrument()), annotated.getRun().getRunNumber());
    const std::string_view text = view(annotated.getText());
    if (text == "erase") return rows.erase(id(), key);
    uint64_t count = 1;
    if (const auto row = rows.get(id(), key)) count += ledger::read_u64(*row);
    rows.put(id(), key, ledger::u64_key(count) + std::string(text) + std::string(version_ - 1, '!'));
    if (text == "throw in fold") throw std::runtime_error("the fold has a bug");
  }

 private:
  const uint32_t version_;
};

base::Result<ledger::EventDrafts> toy_decide(const ledger::RowReader&, const ledger::DecideContext&,
                                             schema::Command::Reader command) {
  ledger::EventDrafts drafts;
  const auto body = command.getBody();
  using Body = schema::Command::Body;
  switch (body.which()) {
    case Body::ADVANCE:
      return drafts;
    case Body::DETECT_RUN:
      drafts.emplace_back().body().setRunDetected(body.getDetectRun());
      return drafts;
    case Body::QUEUE_JOB:
      drafts.emplace_back().body().setJobQueued(body.getQueueJob());
      return drafts;
    case Body::START_ATTEMPT:
      drafts.emplace_back().body().setAttemptStarted(body.getStartAttempt());
      return drafts;
    case Body::ACCEPT_LOSS:
      drafts.emplace_back().body().setLossAccepted(body.getAcceptLoss());
      return drafts;
    case Body::ANNOTATE_RUN:
      break;
    default:
      return base::Status(base::Code::kInvalidArgument, "a command the toy does not know");
  }
  const std::string_view text = view(body.getAnnotateRun().getText());
  if (text == "refuse") return base::Status(base::Code::kConflict, "the note asks to be refused");
  if (text == "busy") return base::Status(base::Code::kUnavailable, "come back later");
  if (text == "throw") throw std::runtime_error("deciding has a bug");
  const int events = text == "nothing" ? 0 : text == "twice" ? 2 : 1;
  for (int i = 0; i < events; ++i) drafts.emplace_back().body().setRunAnnotated(body.getAnnotateRun());
  return drafts;
}

}  // namespace

ledger::Rules toy_rules() {
  static const Notes notes(1);
  static const std::array<const ledger::View*, 1> views{&notes};
  return {&toy_decide, views};
}

ledger::Rules toy_rules_of_next_release() {
  static const Notes notes(2);
  static const std::array<const ledger::View*, 1> views{&notes};
  return {&toy_decide, views};
}

std::optional<Note> note_of(const ledger::RowReader& rows, std::string_view instrument, uint64_t run) {
  const auto row = rows.get(ledger::ViewId::kRuns, ledger::run_key(instrument, run));
  if (!row) return std::nullopt;
  return Note{ledger::read_u64(*row), row->substr(8)};
}

}  // namespace support
