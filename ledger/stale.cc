#include "ledger/stale.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "ledger/rule_index.h"
#include "ledger/same_json.h"
#include "ledger/variables.h"
#include "ledger/view_rows.h"

namespace ledger {
namespace {

using Kind = StaleReason::Kind;
constexpr size_t kDocumentsKept = 1000;
constexpr size_t kSupportFilesKept = 10'000;

template <typename T>
std::optional<Row<T>> document(const RowReader& rows, std::string_view sha256) {
  auto bytes = sha256.empty() ? std::nullopt : rows.blob(sha256);
  if (!bytes) return std::nullopt;
  return Row<T>(*bytes);
}

/// The values a version was made with, by the places their names have in an index.
struct ValuesMade {
  struct Value {
    std::string json;
    bool there = false, given = false;
  };
  std::vector<Value> values;
  std::vector<std::pair<std::string, std::string>> gone;  // names that are neither the script's now nor set, and their values

  ValuesMade(schema::VariableSet::Reader set, const RuleIndex& index) : values(index.names().size()) {
    for (auto variable : set.getVariables()) {
      const size_t name = index.find(variable.getGroup(), view(variable.getName()));
      const bool given = variable.getRule() == RuleIndex::Rule::GIVEN;
      if (name < values.size()) {
        values[name] = {std::string(view(variable.getValue())), true, given};
      } else if (!given) {
        gone.emplace_back(view(variable.getName()), view(variable.getValue()));
      }
    }
  }
};

}  // namespace

/// What would be chosen now for the runs of an instrument.
class StaleLook::Present {
 public:
  Present(const RowReader& rows, std::string_view instrument)
      : rows_(rows), instrument_(instrument), row_(find_instrument(rows, instrument)), settings_(variable_rules(rows, instrument)) {
    if (!row_) return;
    const auto script = row_->get().getScript();
    script_seq_ = row_->get().getScriptSeq();
    script_ = view(script.getSha256());
    for (auto file : script.getSiblings()) files_.emplace_back(view(file.getName()), view(file.getSha256()));
    defaults_ = document<schema::VariableSet>(rows, view(script.getDefaults()));
    knows_variables_ = script.getProblem().size() == 0 && (defaults_ || script.getDefaults().size() == 0);
    index_.emplace(defaults_ ? defaults_->get() : schema::VariableSet::Reader(),
                   settings_ ? settings_->get().getRules() : RuleIndex::Settings());
  }

  std::vector<StaleReason> compare(schema::RunRow::Reader run, schema::JobQueued::Reader job) {
    std::vector<StaleReason> why;
    if (script_seq_ == 0) return why;  // no script was ever registered
    if (view(job.getScriptSha256()) != script_) {
      why.push_back({Kind::kScript, {}, base::hex(view(job.getScriptSha256())), base::hex(script_), script_seq_});
    }
    compare_files(job, why);
    const std::vector<StaleReason>* values = nullptr;
    if (knows_variables_) values = compare_values(view(job.getVariables()), index_->place(view(run.getExperiment()), run.getRun().getRunNumber()));
    if (values != nullptr) why.insert(why.end(), values->begin(), values->end());
    compare_support_files(job, values, why);
    return why;
  }

 private:
  struct SupportFileNow {
    std::string sha256;  // empty = it was never seen, or cannot be read
    uint64_t seq;
  };

  /// Both lists are sorted by name.
  void compare_files(schema::JobQueued::Reader job, std::vector<StaleReason>& why) const {
    const auto made = job.getSiblings();
    uint32_t old = 0;
    size_t now = 0;
    while (old < made.size() || now < files_.size()) {
      const bool both = old < made.size() && now < files_.size() && view(made[old].getName()) == files_[now].first;
      const bool gone = !both && old < made.size() && (now == files_.size() || view(made[old].getName()) < files_[now].first);
      if (both && view(made[old].getSha256()) != files_[now].second) {
        why.push_back({Kind::kScriptFile, files_[now].first, base::hex(view(made[old].getSha256())), base::hex(files_[now].second), script_seq_});
      } else if (gone) {
        why.push_back({Kind::kScriptFile, std::string(view(made[old].getName())), base::hex(view(made[old].getSha256())), {}, script_seq_});
      } else if (!both) {
        why.push_back({Kind::kScriptFile, files_[now].first, {}, base::hex(files_[now].second), script_seq_});
      }
      if (both || gone) ++old;
      if (!gone) ++now;
    }
  }

  /// Neighbours mostly have the same document and the same place, and so the same answer. nullptr = the document is not stored any more.
  const std::vector<StaleReason>* compare_values(std::string_view sha256, RuleIndex::Place place) {
    if (last_ && last_->document == sha256 && last_->place == place) return &last_->why;
    const ValuesMade* made = values_made(sha256);
    if (made == nullptr) return nullptr;
    last_ = {std::string(sha256), place, differences(*made, place)};
    return &last_->why;
  }

  const ValuesMade* values_made(std::string_view sha256) {
    const auto known = documents_.find(std::string(sha256));
    if (known != documents_.end()) return &known->second;
    const auto set = document<schema::VariableSet>(rows_, sha256);
    if (!set && !sha256.empty()) return nullptr;
    if (documents_.size() == kDocumentsKept) documents_.clear();
    return &documents_.try_emplace(std::string(sha256), set ? set->get() : schema::VariableSet::Reader(), *index_).first->second;
  }

  std::vector<StaleReason> differences(const ValuesMade& made, RuleIndex::Place place) const {
    std::vector<StaleReason> why;
    for (size_t name = 0; name < made.values.size(); ++name) {
      const ValuesMade::Value& was = made.values[name];
      const RuleIndex::Name& now = index_->names()[name];
      if (was.given || (!was.there && !now.in_script)) continue;
      const RuleIndex::Setting* setting = now.in_script ? index_->setting(name, place) : nullptr;
      const std::string_view value = index_->value(name, setting);
      if (was.there && now.in_script && same_json(was.json, value)) continue;
      why.push_back({Kind::kVariable, std::string(now.name), was.json, std::string(value), setting == nullptr ? script_seq_ : setting->seq});
    }
    for (const auto& [name, json] : made.gone) why.push_back({Kind::kVariable, name, json, {}, script_seq_});
    return why;
  }

  void compare_support_files(schema::JobQueued::Reader job, const std::vector<StaleReason>* values, std::vector<StaleReason>& why) {
    for (auto file : job.getSupportFiles()) {
      const auto is_its = [&](const StaleReason& reason) { return reason.name == view(file.getName()); };
      if (values != nullptr && std::any_of(values->begin(), values->end(), is_its)) continue;
      const SupportFileNow& now = support_file(view(file.getPath()));
      if (now.sha256.empty() || view(file.getSha256()) == now.sha256) continue;
      why.push_back({Kind::kSupportFile, std::string(view(file.getPath())), base::hex(view(file.getSha256())), base::hex(now.sha256), now.seq});
    }
  }

  const SupportFileNow& support_file(std::string_view path) {
    const auto known = support_files_.find(std::string(path));
    if (known != support_files_.end()) return known->second;
    if (support_files_.size() == kSupportFilesKept) support_files_.clear();
    SupportFileNow now{{}, 0};
    if (const auto row = find_support_file(rows_, instrument_, path)) now = {std::string(view(row->get().getFile().getSha256())), row->get().getSeq()};
    return support_files_.emplace(path, std::move(now)).first->second;
  }

  const RowReader& rows_;
  const std::string instrument_;
  const std::optional<Row<schema::InstrumentRow>> row_;
  const std::optional<Row<schema::VariableRules>> settings_;
  std::optional<Row<schema::VariableSet>> defaults_;
  uint64_t script_seq_ = 0;
  std::string script_;                                        // its hash
  std::vector<std::pair<std::string, std::string>> files_;    // captured with it, and their hashes
  bool knows_variables_ = false;
  std::optional<RuleIndex> index_;

  struct Compared {
    std::string document;
    RuleIndex::Place place;
    std::vector<StaleReason> why;
  };
  std::optional<Compared> last_;
  std::unordered_map<std::string, ValuesMade> documents_;
  std::unordered_map<std::string, SupportFileNow> support_files_;
};

StaleLook::StaleLook(const RowReader& rows) : rows_(rows) {}
StaleLook::~StaleLook() = default;

StaleLook::Present& StaleLook::present(std::string_view instrument) {
  const auto known = std::find_if(instruments_.begin(), instruments_.end(), [&](const auto& each) { return each.first == instrument; });
  if (known == instruments_.end()) {
    instruments_.emplace(instruments_.begin(), instrument, std::make_unique<Present>(rows_, instrument));
  } else if (known != instruments_.begin()) {
    std::rotate(instruments_.begin(), known, known + 1);
  }
  return *instruments_.front().second;
}

StaleResult StaleLook::look(schema::RunRow::Reader run) {
  StaleResult result;
  if (run.getResult() == 0) return result;
  const auto job = find_job(rows_, run.getResult());
  if (!job) return result;
  const auto queued = job->get().getQueued();
  result.job = run.getResult();
  result.version = queued.getVersion();
  result.why = present(view(run.getRun().getInstrument())).compare(run, queued);
  return result;
}

}  // namespace ledger
