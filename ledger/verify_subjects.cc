#include "ledger/verify_subjects.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "base/counted.h"
#include "base/text.h"
#include "ledger/canonical.h"
#include "ledger/event_bytes.h"
#include "ledger/keys.h"
#include "ledger/log_state.h"
#include "ledger/subject_rows.h"
#include "ledger/subjects.h"

namespace ledger {
namespace {

constexpr size_t kJobLinks = 65536;
constexpr size_t kNamedRows = 3;

__extension__ using Wide = unsigned __int128;
uint64_t folded(uint64_t a, uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

std::string in_words(std::string_view key) {
  if (is_link_key(key)) return fmt::format("link of {}", base::printable(base::to_utf8(key.substr(1))));
  if (key.size() < 8) return base::hex(key);
  return fmt::format("{} (of event {})", base::printable(base::to_utf8(key.substr(0, key.size() - 8))), read_u64(key, key.size() - 8));
}

}  // namespace

SubjectCheck::SubjectCheck(const Cut& cut, uint64_t head, Findings& findings) : cut_(cut), head_(head), findings_(findings) {
  auto* bytes = reinterpret_cast<char*>(secret_.data());
  for (size_t got = 0; got < sizeof secret_;) {
    const ssize_t size = ::getrandom(bytes + got, sizeof secret_ - got, 0);
    if (size > 0) got += size;
  }
}

SubjectCheck::Sum SubjectCheck::hash(std::string_view key, std::string_view value) const {
  Sum sum{secret_[0] ^ key.size(), secret_[1] ^ value.size()};
  for (std::string_view part : {key, value}) {
    while (!part.empty()) {
      uint64_t word = 0;
      const size_t size = std::min(part.size(), sizeof word);
      std::memcpy(&word, part.data(), size);
      part.remove_prefix(size);
      sum[0] = folded(sum[0] ^ word, secret_[2] | 1);
      sum[1] = folded(sum[1] + word, secret_[3] | 1) ^ sum[0];
    }
  }
  return sum;
}
void SubjectCheck::add_to(Sum& sum, const Sum& row) {
  sum[0] += row[0];
  sum[1] += row[1];
}

std::vector<std::string> SubjectCheck::link(const Links& links, std::string_view subject, bool may_be_lost) const {
  const std::string name(subject);
  const auto& known = subject.starts_with('j') ? links.of_jobs : links.of_runs;
  if (const auto found = known.find(name); found != known.end()) return *decode_link(found->second);
  std::string stored;
  if (may_be_lost) {
    const auto found = cut_.get(Table::kSubjects, link_key(subject), stored);
    return found.is_ok() && *found ? decode_link(stored).value_or(std::vector<std::string>()) : std::vector<std::string>();
  }
  if (!subject.starts_with('j') || subject.size() != 9) return {};
  // A job of long ago: its number is that of the event that made it.
  const auto words = load_event(cut_, read_u64(subject, 1));
  if (!words.is_ok()) return {};
  StoredEvent event(*words);
  if (!event.get().getBody().isJobQueued()) return {};
  return subjects_of(event.get(), [](std::string_view) { return std::vector<std::string>(); }).link_to;
}

void SubjectCheck::rows_of(uint64_t seq, schema::Event::Reader event, Links& links, const VisitRow& visit) const {
  // A link that is not known may be that of a lost event; but not of a run that only begins here.
  const bool may_be_lost = !lost_.empty() && *lost_.begin() < seq && !event.getBody().isRunDetected();
  const Subjects subjects = subjects_of(event, [&](std::string_view subject) { return link(links, subject, may_be_lost); });
  for (const std::string& key : subjects.keys) visit(subject_row_key(key, seq), {});
  if (subjects.link_from.empty()) return;
  std::string to = encode_link(subjects.link_to);
  if (!subjects.link_from.starts_with('j')) {
    links.of_runs[subjects.link_from] = std::move(to);  // a later event may lead it elsewhere
    return;
  }
  visit(link_key(subjects.link_from), to);
  if (links.of_jobs.size() >= kJobLinks) links.of_jobs.clear();
  links.of_jobs[subjects.link_from] = std::move(to);
}

void SubjectCheck::add(uint64_t seq, schema::Event::Reader event) {
  rows_of(seq, event, links_, [this](std::string_view key, std::string_view value) { add_to(expected_, hash(key, value)); });
}

bool SubjectCheck::is_lost(std::string_view key) const {
  if (lost_.empty()) return false;
  if (is_link_key(key)) return true;  // links are not judged once an event is missing that may have made them
  return key.size() > 8 && lost_.contains(read_u64(key, key.size() - 8));
}

/// Rows hold the events of a group, as it happened to be; compared is each event of each subject as if it had a row of its own.
void SubjectCheck::scan_stored(const VisitRow& visit) const {
  std::string last;
  const auto visit_if_judged = [&](std::string_view key, std::string_view value) {
    if (!is_lost(key)) visit(key, value);
  };
  const base::Status scanned = cut_.sweep(Table::kSubjects, {}, {}, [&](std::string_view key, std::string_view value) {
    last = key;
    const auto seqs = is_link_key(key) || key.size() < 8 ? std::nullopt : decode_seqs(read_u64(key, key.size() - 8), value);
    if (!seqs) {  // a link, or what is no row of the index
      visit_if_judged(key, value);
      return true;
    }
    const std::string_view subject = key.substr(0, key.size() - 8);
    for (const uint64_t seq : *seqs) visit_if_judged(subject_row_key(subject, seq), {});
    return true;
  });
  if (!scanned.is_ok()) findings_.add(0, fmt::format("the subject index cannot be read behind {}: {}", in_words(last), scanned.message()));
}

/// The events of a subject ascend from row to row: none of them stands in two rows, and each row is read in its turn.
void SubjectCheck::check_order(std::string_view last, std::string_view key) {
  if (is_link_key(key) || key.size() <= 8 || key.size() != last.size() || key > last) return;
  const size_t subject = key.size() - 8;
  if (key.substr(0, subject) != last.substr(0, subject) || ++out_of_order_ > kNamedRows) return;
  findings_.add(0, fmt::format("the subject index has a row {} behind that of event {}", in_words(key), read_u64(last, subject)));
}

void SubjectCheck::finish() {
  Sum found{};
  std::string last;
  scan_stored([&](std::string_view key, std::string_view value) {
    check_order(last, key);
    last = key;
    add_to(found, hash(key, value));
  });
  if (out_of_order_ > kNamedRows) findings_.add(0, fmt::format("the subject index has {} out of order in all", base::counted(out_of_order_, "row")));
  if (lost_.empty()) {
    for (const auto& [subject, to] : links_.of_runs) add_to(expected_, hash(link_key(subject), to));
  } else {
    expected_ = {};  // jobs' links are in it
    Links links;
    Findings again;
    walk_events(cut_, 1, head_, again, [&](uint64_t seq, std::optional<std::string_view> bytes) {
      if (lost_.contains(seq) || !bytes) return true;
      const auto words = as_words(*bytes);
      rows_of(seq, StoredEvent(words).get(), links, [&](std::string_view key, std::string_view value) {
        if (!is_lost(key)) add_to(expected_, hash(key, value));
      });
      return true;
    });
  }
  if (found != expected_) name_differences();
}

void SubjectCheck::name_differences() {
  std::vector<Sum> stored;
  scan_stored([&](std::string_view key, std::string_view value) { stored.push_back(hash(key, value)); });
  std::sort(stored.begin(), stored.end());
  std::vector<bool> met(stored.size(), false);
  uint64_t lacking = 0, too_many = 0;
  const auto lacks = [&](std::string_view key, std::string_view value) {
    if (is_lost(key)) return;
    const Sum row = hash(key, value);
    const auto place = std::lower_bound(stored.begin(), stored.end(), row);
    if (place != stored.end() && *place == row) {
      met[place - stored.begin()] = true;
    } else if (++lacking <= kNamedRows) {
      findings_.add(0, fmt::format("the subject index lacks the row {} that follows from the log", in_words(key)));
    }
  };
  Links links;
  Findings again;
  walk_events(cut_, 1, head_, again, [&](uint64_t seq, std::optional<std::string_view> bytes) {
    if (lost_.contains(seq) || !bytes) return true;
    const auto words = as_words(*bytes);
    rows_of(seq, StoredEvent(words).get(), links, lacks);
    return true;
  });
  for (const auto& [subject, to] : links.of_runs) lacks(link_key(subject), to);
  scan_stored([&](std::string_view key, std::string_view value) {
    const auto place = std::lower_bound(stored.begin(), stored.end(), hash(key, value));
    if (place != stored.end() && met[place - stored.begin()]) return;
    if (++too_many <= kNamedRows) findings_.add(0, fmt::format("the subject index has a row {} that does not follow from the log", in_words(key)));
  });
  if (lacking > kNamedRows || too_many > kNamedRows) {
    findings_.add(0, fmt::format("the subject index lacks {} and has {} too many in all", base::counted(lacking, "row"), too_many));
  }
  if (lacking + too_many + out_of_order_ == 0) findings_.add(0, "the subject index does not add up to what follows from the log, though each of its rows does");
}

}  // namespace ledger
