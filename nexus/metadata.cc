#include "nexus/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/experiment.h"
#include "base/text.h"
#include "base/time.h"
#include "nexus/times.h"

namespace nexus {
namespace {

constexpr size_t kRootMembersMost = 10'000;
constexpr size_t kEntryMembersMost = 100'000;
constexpr size_t kUsersMost = 32;
constexpr size_t kEntriesNamedMost = 4;
constexpr int64_t kClockToleranceNs = int64_t{86'400} * 1'000'000'000;  // a file server's clock and an unknown zone

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  size_t start = text.find_first_not_of(kBlanks);
  if (start == text.npos) return {};
  return text.substr(start, text.find_last_not_of(kBlanks) - start + 1);
}

/// Names of a group's members, by name, at most `most`.
std::vector<std::string> members(hid_t group, size_t most) {
  struct Context {
    std::vector<std::string> names;
    size_t most;
  } context{{}, most};
  auto keep = [](hid_t, const char* name, const H5L_info_t*, void* data) -> herr_t {
    auto& into = *static_cast<Context*>(data);
    into.names.emplace_back(name);
    return into.names.size() < into.most ? 0 : 1;
  };
  hsize_t start = 0;
  H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, &start, keep, &context);
  std::sort(context.names.begin(), context.names.end());
  return std::move(context.names);
}

/// Why a root member is no NXentry, for the refusal; empty if its class is NXentry.
std::string why_no_entry(hid_t group, const std::string& shown) {
  if (H5Aexists(group, "NX_class") <= 0) return fmt::format("{} has no NX_class", shown);
  auto group_class = text_attribute(group, "NX_class");
  if (!group_class) return fmt::format("NX_class of {} is not a text", shown);
  if (*group_class != "NXentry") return fmt::format("{} is of class {}", shown, display(*group_class, kFieldTextBytes));
  return "";
}

haddr_t address_of(hid_t object) {
  H5O_info_t info;
  return H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0 ? HADDR_UNDEF : info.addr;
}

/// It says something, and that names no experiment.
bool is_no_experiment(const Value& value) {
  if (value.kind == Value::Kind::kInteger || value.kind == Value::Kind::kReal) return !base::names_experiment(value.stored);
  return value.kind == Value::Kind::kText && !base::names_experiment(trimmed(value.text));
}

std::string sentence_about(const Value& value, std::string_view rest) { return fmt::format("{} {}", value.path, rest); }

/// Reads the fields of one entry into a RunMetadata.
class MetadataReader {
 public:
  MetadataReader(hid_t file, const Entry& entry, const WalkResult& found, Problems& problems, schema::RunMetadata::Builder run)
      : fields_(file), entry_(entry), found_(found), problems_(problems), run_(run), file_(file) {}

  void read_all(int64_t arrived_ns) {
    run_.setEntryPath(display(entry_.path, kFieldTextBytes));
    run_.setEntryCount(entry_.count);
    text_field(first_told({"definition"}), kFieldTextBytes, run_.initDefinition());
    run_number();
    experiment();
    text_field(first_told({"title"}), kTitleTextBytes, run_.initTitle());
    instrument();
    time_field("start_time", run_.initStartTime());
    time_field("end_time", run_.initEndTime());
    compare_times(arrived_ns);
    real_field("proton_charge", run_.initProtonCharge());
    count_field("raw_frames", run_.initRawFrames());
    count_field("good_frames", run_.initGoodFrames());
    total_counts();
    real_field("duration", run_.initDuration());
    users();
    compare_numbers();
  }

 private:
  Value field(std::string_view name) const { return fields_.read(entry_.group, entry_.path, name); }

  /// The first of `names` that says something, other than what `says_nothing` knows; if none does, the first that is there at all.
  Value first_told(std::initializer_list<std::string_view> names, bool (*says_nothing)(const Value&) = nullptr) const {
    Value first;
    for (std::string_view name : names) {
      Value value = field(name);
      bool nothing = (value.kind == Value::Kind::kText && trimmed(value.text).empty()) || (says_nothing != nullptr && says_nothing(value));
      if (value.kind != Value::Kind::kAbsent && !nothing) return value;
      if (first.kind == Value::Kind::kAbsent) first = std::move(value);
    }
    return first;
  }

  template <typename Builder>
  void set_raw(const Value& value, size_t limit, Builder into) {
    if (value.kind == Value::Kind::kAbsent) return;
    into.setRaw(display(value.stored, limit));
    into.setPath(value.path);
  }

  void unusable(const Value& value) {
    if (value.kind == Value::Kind::kUnusable) problems_.add(sentence_about(value, value.trouble));
  }

  /// Says what of a text is not shown as it is.
  void judge_text(const Value& value, size_t limit) {
    if (value.kind != Value::Kind::kText) return;
    if (!base::is_utf8(value.stored)) problems_.add(sentence_about(value, "is not UTF-8; its other bytes are shown as \\xHH"));
    if (value.stored.find('\0') != value.stored.npos) problems_.add(sentence_about(value, "holds a NUL inside"));
    if (value.stored.size() > limit)
      problems_.add(sentence_about(value, fmt::format("is {} bytes long; only its beginning is kept", value.stored.size())));
  }

  void text_field(const Value& value, size_t limit, schema::TextField::Builder into) {
    set_raw(value, limit, into);
    unusable(value);
    judge_text(value, limit);
    std::string text;
    if (value.kind == Value::Kind::kText) text = display(trimmed(value.text), limit);
    if (value.kind == Value::Kind::kInteger || value.kind == Value::Kind::kReal) text = value.stored;
    into.setKnown(!text.empty());
    into.setValue(text);
  }

  void experiment() {
    Value value = first_told({"experiment_identifier", "proposal_id", "proposal_identifier", "proposal_number", "proposal"}, is_no_experiment);
    auto into = run_.initExperiment();
    text_field(value, kFieldTextBytes, into);
    if (into.getKnown() && is_no_experiment(value)) {
      problems_.add(sentence_about(value, fmt::format("is {}, which names no experiment", into.getValue().cStr())));
    }
  }

  void run_number() {
    auto into = run_.initRunNumber();
    Value value = field("run_number");
    if (value.kind == Value::Kind::kAbsent) {
      // Digits only: elsewhere entry_identifier is a UUID or a text.
      Value identifier = field("entry_identifier");
      if (identifier.kind == Value::Kind::kText && digits(trimmed(identifier.text))) value = std::move(identifier);
    }
    if (value.kind == Value::Kind::kAbsent) {
      problems_.add(fmt::format("{} has no run_number: the number in the file's name is all there is", run_.getEntryPath().cStr()));
      return;
    }
    set_raw(value, kFieldTextBytes, into);
    unusable(value);
    std::optional<int64_t> number;
    std::string_view why;
    if (value.kind == Value::Kind::kText) {
      number = digits(trimmed(value.text));
      why = trimmed(value.text).empty() ? "is empty" : "is not a number in digits";
    } else if (value.kind == Value::Kind::kInteger) {
      if (!value.negative && value.magnitude <= std::numeric_limits<int64_t>::max()) number = static_cast<int64_t>(value.magnitude);
      why = value.negative ? "is negative" : "is too large";
    } else if (value.kind == Value::Kind::kReal) {
      why = "is a floating-point number";
    }
    if (number == 0) {
      number.reset();
      why = "is 0, which no run has";
    }
    if (number) {
      into.setKnown(true);
      into.setValue(*number);
    } else if (!why.empty()) {
      problems_.add(
          sentence_about(value, fmt::format("{} (\"{}\"); the run number inside is unknown", why, display(value.stored, 64))));
    }
  }

  static std::optional<int64_t> digits(std::string_view text) {
    constexpr size_t kMost = 18;  // always fits
    if (text.empty() || text.size() > kMost) return std::nullopt;
    int64_t number = 0;
    for (char c : text) {
      if (c < '0' || c > '9') return std::nullopt;
      number = number * 10 + (c - '0');
    }
    return number;
  }

  void count_field(std::string_view name, schema::IntegerField::Builder into) {
    Value value = field(name);
    set_raw(value, kFieldTextBytes, into);
    unusable(value);
    if (value.kind == Value::Kind::kAbsent || value.kind == Value::Kind::kUnusable) return;
    if (value.kind == Value::Kind::kInteger && !value.negative && value.magnitude <= std::numeric_limits<int64_t>::max()) {
      into.setKnown(true);
      into.setValue(static_cast<int64_t>(value.magnitude));
    } else {
      problems_.add(sentence_about(value, fmt::format("is not a count (\"{}\"); it is unknown", display(value.stored, 64))));
    }
  }

  void real_field(std::string_view name, schema::RealField::Builder into) {
    Value value = field(name);
    set_raw(value, kFieldTextBytes, into);
    unusable(value);
    if (value.kind == Value::Kind::kAbsent || value.kind == Value::Kind::kUnusable) return;
    into.setUnit(value.unit);
    if (value.kind != Value::Kind::kText && std::isfinite(value.real)) {
      into.setKnown(true);
      into.setValue(value.real);
    } else {
      problems_.add(sentence_about(value, fmt::format("is not a number (\"{}\"); it is unknown", display(value.stored, 64))));
    }
  }

  void time_field(std::string_view name, schema::TimeField::Builder into) {
    Value value = field(name);
    set_raw(value, kFieldTextBytes, into);
    unusable(value);
    judge_text(value, 1024);  // some writers keep a time in a field of this length
    if (value.kind == Value::Kind::kAbsent || value.kind == Value::Kind::kUnusable) return;
    std::string_view text = trimmed(value.text);
    auto time = value.kind == Value::Kind::kText ? parse_time(text) : std::nullopt;
    if (time) {
      into.setKnown(true);
      into.setZoned(time->zoned);
      into.setValue(time->time_ns);
    } else if (value.kind == Value::Kind::kText && text.empty()) {
      problems_.add(sentence_about(value, "is empty; the file was perhaps not finished by its writer"));
    } else {
      problems_.add(sentence_about(value, fmt::format("is not a time (\"{}\"); it is unknown", display(value.stored, 64))));
    }
  }

  void compare_times(int64_t arrived_ns) {
    auto start = run_.asReader().getStartTime(), end = run_.asReader().getEndTime();
    if (start.getKnown() && end.getKnown() && start.getZoned() == end.getZoned() && end.getValue() < start.getValue()) {
      problems_.add(fmt::format("end_time {} is before start_time {}", end.getRaw().cStr(), start.getRaw().cStr()));
    }
    for (auto [name, time] : {std::pair("start_time", start), std::pair("end_time", end)}) {
      if (time.getKnown() && time.getValue() > arrived_ns && time.getValue() - arrived_ns > kClockToleranceNs) {
        problems_.add(
            fmt::format("{} {} is later than the file itself ({})", name, time.getRaw().cStr(), base::iso_time(arrived_ns)));
      }
    }
  }

  void instrument() {
    auto into = run_.initInstrument();
    std::string name;
    Hid group = instrument_group(name);
    Value value;
    if (group) {
      std::string path = fmt::format("{}/{}", entry_.path, name);
      value = fields_.read(group, path, "name");
      if (told(value)) return text_field(value, kFieldTextBytes, into);
      unusable(value);
      auto short_name = text_attribute(group, "short_name");
      if (short_name && !trimmed(*short_name).empty()) return plain_text(*short_name, path + "@short_name", into);
      value = fields_.read(group, path, "beamline");
      if (told(value)) return text_field(value, kFieldTextBytes, into);
      if (base::ascii_lower(name) != "instrument") return plain_text(name, path, into);
    }
    for (std::string_view fallback : {"beamline", "name"}) {
      value = field(fallback);
      if (told(value)) return text_field(value, kFieldTextBytes, into);
    }
    auto root_attribute = root_text("instrument");
    if (!root_attribute.empty()) return plain_text(root_attribute, "/@instrument", into);
  }

  static bool told(const Value& value) { return value.kind == Value::Kind::kText && !trimmed(value.text).empty(); }

  void plain_text(std::string_view text, std::string_view path, schema::TextField::Builder into) {
    into.setKnown(true);
    into.setValue(display(trimmed(text), kFieldTextBytes));
    into.setRaw(display(text, kFieldTextBytes));
    into.setPath(display(path, kFieldTextBytes));
  }

  std::string root_text(const char* attribute) const {
    Hid root(H5Gopen2(file_, "/", H5P_DEFAULT));
    if (!root) return "";
    return std::string(trimmed(text_attribute(root, attribute).value_or("")));
  }

  /// `instrument`, else the first member of class NXinstrument.
  Hid instrument_group(std::string& name) const {
    name = "instrument";
    auto found = fields_.find(entry_.group, name);
    if (found.object && H5Iget_type(found.object) == H5I_GROUP) return std::move(found.object);
    for (auto& [member, group] : groups_of_class("NXinstrument", 1)) {
      name = member;
      return std::move(group);
    }
    return Hid();
  }

  std::vector<std::pair<std::string, Hid>> groups_of_class(std::string_view wanted, size_t most) const {
    std::vector<std::pair<std::string, Hid>> groups;
    for (auto& member : members(entry_.group, kEntryMembersMost)) {
      H5L_info_t link;
      if (H5Lget_info(entry_.group, member.c_str(), &link, H5P_DEFAULT) < 0 || link.type == H5L_TYPE_EXTERNAL) continue;
      auto found = fields_.find(entry_.group, member);
      if (!found.object || H5Iget_type(found.object) != H5I_GROUP || text_attribute(found.object, "NX_class") != wanted) continue;
      groups.emplace_back(std::move(member), std::move(found.object));
      if (groups.size() == most) break;
    }
    return groups;
  }

  void users() {
    std::vector<std::string> names;
    for (auto& [member, group] : groups_of_class("NXuser", kUsersMost)) {
      Value value = fields_.read(group, fmt::format("{}/{}", entry_.path, member), "name");
      unusable(value);
      judge_text(value, kFieldTextBytes);
      if (told(value)) names.push_back(display(trimmed(value.text), kFieldTextBytes));
    }
    for (const char* attribute : {"owner", "user"}) {
      if (!names.empty()) break;
      std::string owner = root_text(attribute);
      if (!owner.empty()) names.push_back(display(owner, kFieldTextBytes));
    }
    auto into = run_.initUsers(static_cast<unsigned>(names.size()));
    for (unsigned i = 0; i < names.size(); ++i) into.set(i, names[i]);
  }

  void total_counts() {
    auto into = run_.initTotalCounts();
    Value value = field("total_counts");
    set_raw(value, kFieldTextBytes, into);
    unusable(value);
    bool fits = value.kind == Value::Kind::kInteger && !value.negative && value.magnitude <= std::numeric_limits<int64_t>::max();
    if ((value.kind == Value::Kind::kInteger && !fits) || value.kind == Value::Kind::kText || value.kind == Value::Kind::kReal) {
      problems_.add(sentence_about(value, fmt::format("is not a count (\"{}\"); it is not used", display(value.stored, 64))));
    }
    if (fits && value.magnitude > 0) {
      into.setKnown(true);
      into.setValue(static_cast<int64_t>(value.magnitude));
      return;
    }
    std::string entry_prefix = entry_.path + "/";
    if (!found_.unfinished.empty()) return;  // some of the events may not have been seen
    uint64_t sum = 0;
    std::string first_path;
    for (const EventGroup& events : found_.event_groups) {
      if (!events.detector || !events.path.starts_with(entry_prefix)) continue;
      auto counted = events_in(events);
      if (!counted || __builtin_add_overflow(sum, *counted, &sum)) return;
      if (first_path.empty()) first_path = events.path;
    }
    if (!first_path.empty()) {
      if (sum > std::numeric_limits<int64_t>::max()) return;
      into.setKnown(true);
      into.setValue(static_cast<int64_t>(sum));
      into.setPath(display(fmt::format("sum over NXevent_data groups from {}", first_path), kFieldTextBytes));
      if (fits && sum > 0)
        problems_.add(sentence_about(value, fmt::format("is 0 although the file has {} events, which are taken", sum)));
      return;
    }
    bool histograms = std::any_of(found_.histograms.begin(), found_.histograms.end(),
                                  [&](const auto& path) { return path.starts_with(entry_prefix); });
    if (fits && !histograms) into.setKnown(true);  // 0, and nothing contradicts it
  }

  /// Events of one bank: its own total_counts, since an empty bank may hold a dummy event; else as many as it has ids.
  std::optional<uint64_t> events_in(const EventGroup& events) {
    Hid group(H5Oopen_by_addr(file_, events.address));
    if (!group) return std::nullopt;
    Value total = fields_.read(group, events.path, "total_counts");
    if (total.kind == Value::Kind::kInteger && !total.negative) return total.magnitude;
    for (std::string_view name : {"event_id", "event_time_offset"}) {
      auto found = fields_.find(group, name);
      if (!found.trouble.empty()) {
        problems_.add(
            fmt::format("{}/{} {}; the number of counts is unknown", display(events.path, kFieldTextBytes), name, found.trouble));
        return std::nullopt;
      }
      if (!found.object || H5Iget_type(found.object) != H5I_DATASET) continue;
      Hid creation(H5Dget_create_plist(found.object));
      if (!creation || H5Pget_layout(creation) == H5D_VIRTUAL || H5Pget_external_count(creation) > 0) {
        problems_.add(fmt::format("{}/{} lies in other files, which are not read; the number of counts is unknown",
                                  display(events.path, kFieldTextBytes), name));
        return std::nullopt;
      }
      Hid space(H5Dget_space(found.object));
      hsize_t length = 0;
      if (!space || H5Sget_simple_extent_ndims(space) != 1 || H5Sget_simple_extent_dims(space, &length, nullptr) < 0)
        return std::nullopt;
      return length;
    }
    return std::nullopt;
  }

  void compare_numbers() {
    auto run = run_.asReader();
    bool muon = base::ascii_lower(run.getDefinition().getValue().cStr()).find("td") !=
                std::string::npos;  // pulsedTD, muonTD: no charge is counted
    auto charge = run.getProtonCharge();
    auto total = run.getTotalCounts(), raw = run.getRawFrames(), good = run.getGoodFrames();
    if (charge.getKnown() && charge.getValue() == 0 && !muon && (total.getValue() > 0 || raw.getValue() > 0)) {
      problems_.add(fmt::format("{} is 0 although there are {} {}", charge.getPath().cStr(),
                                total.getValue() > 0 ? total.getValue() : raw.getValue(),
                                total.getValue() > 0 ? "counts" : "frames"));
    }
    if (raw.getKnown() && good.getKnown() && good.getValue() > raw.getValue()) {
      problems_.add(fmt::format("good_frames {} is more than raw_frames {}", good.getValue(), raw.getValue()));
    }
  }

  FieldReader fields_;
  const Entry& entry_;
  const WalkResult& found_;
  Problems& problems_;
  schema::RunMetadata::Builder run_;
  hid_t file_;
};

std::string run_number_text(const FieldReader& fields, hid_t group, const std::string& path) {
  return display(fields.read(group, path, "run_number").stored, 64);
}

}  // namespace

std::variant<Entry, Verdict> choose_entry(hid_t file, Problems& problems) {
  FieldReader fields(file);
  Hid root(H5Gopen2(file, "/", H5P_DEFAULT));
  if (!root) return Verdict::not_yet("damaged_structure", fmt::format("the root group cannot be read ({})", hdf5_error()));

  std::vector<Entry> entries;
  std::vector<haddr_t> addresses;
  std::string why;
  for (auto& name : members(root, kRootMembersMost)) {
    auto found = fields.find(root, name);
    std::string shown = display("/" + name, kFieldTextBytes);
    std::string reason = !found.object ? fmt::format("{} {}", shown, found.trouble.empty() ? "leads nowhere" : found.trouble)
                         : H5Iget_type(found.object) != H5I_GROUP ? fmt::format("{} is not a group", shown)
                                                                  : why_no_entry(found.object, shown);
    if (!reason.empty()) {
      if (why.empty()) why = std::move(reason);
      continue;
    }
    haddr_t address = address_of(found.object);
    if (std::find(addresses.begin(), addresses.end(), address) != addresses.end()) continue;
    addresses.push_back(address);
    entries.push_back({std::move(found.object), "/" + name, 0});
  }
  if (entries.empty()) {
    return Verdict::refused("no_entry", fmt::format("it has no group of class NXentry ({}): it is HDF5, but not a run by itself",
                                                    why.empty() ? "the file holds nothing" : why));
  }

  size_t chosen = 0;
  std::string why_chosen = "the first by name";
  auto preferred = text_attribute(root, "default");
  for (size_t i = 0; preferred && i < entries.size(); ++i) {
    if (entries[i].path != "/" + *preferred && entries[i].path != *preferred) continue;
    chosen = i;
    why_chosen = "named by the attribute default";
  }
  if (entries.size() > 1) {
    std::vector<std::string> names, numbers;
    bool differ = false;
    std::string first_number = run_number_text(fields, entries[0].group, entries[0].path);
    for (size_t i = 0; i < entries.size(); ++i) {
      std::string number = run_number_text(fields, entries[i].group, entries[i].path);
      differ = differ || number != first_number;
      if (i >= kEntriesNamedMost) continue;
      names.push_back(display(entries[i].path, 64));
      numbers.push_back(number.empty() ? "none" : number);
    }
    if (entries.size() > kEntriesNamedMost) names.push_back("...");
    problems.add(fmt::format("the file has {} NXentry groups ({}){}; {} is read, {}", entries.size(), fmt::join(names, ", "),
                             differ ? fmt::format(" with different run numbers ({})", fmt::join(numbers, ", ")) : "",
                             display(entries[chosen].path, 64), why_chosen));
  }
  Entry entry = std::move(entries[chosen]);
  entry.count = static_cast<uint32_t>(entries.size());
  return entry;
}

void read_metadata(hid_t file, const Entry& entry, const WalkResult& found, int64_t arrived_ns, Problems& problems,
                   schema::RunMetadata::Builder run) {
  MetadataReader(file, entry, found, problems, run).read_all(arrived_ns);
}

}  // namespace nexus
