// When a file is complete enough to be opened, opened again, or given up. Why: opening too early can break its writer, and a file
// that opens is not yet a finished one (docs/architecture.md).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "daemons/monitor/sighting.h"

namespace daemons {

/// Units: nanoseconds.
struct CompletenessPolicy {
  int64_t settle_ns = 2'000'000'000;           // a scanned file must stand still this long before it is opened
  int64_t old_ns = 60'000'000'000;             // ... unless it was last written this long ago
  int64_t first_backoff_ns = 200'000'000;      // between examinations of a file that is not complete, doubled each time
  int64_t last_backoff_ns = 5'000'000'000;
  int64_t give_up_after_ns = 30'000'000'000;   // incomplete and unchanged this long: refused; unclosed this long: opened all the same
};

/// The present, twice: a clock that never goes back for waiting, and the wall clock to compare with a file's times.
struct Moment {
  int64_t steady_ns = 0;
  int64_t wall_ns = 0;
};

enum class Source { kInotify, kScan, kLastRun };
const char* source_name(Source source);

/// What an examination found.
struct Verdict {
  enum class Kind { kNotYet, kRefused, kRun };
  Kind kind = Kind::kNotYet;
  std::string code, text;  // the reason, unless kRun
  FileStamp read;          // the file as it was read; inode 0 = it could not be opened
};

/// A file whose turn it is.
struct Examination {
  std::string path;
  uint64_t run_number = 0;  // from its name; 0 = none
  FileStamp stamp;
  Source source = Source::kScan;
  bool retry = false;       // it was found incomplete before
};

/// A file that stays incomplete.
struct GivenUp {
  std::string path;
  uint64_t run_number = 0;
  FileStamp stamp;
  std::string code, text;
  int64_t unchanged_ns = 0;
};

/// The files of one instrument that wait for something, and the rules they wait by. Does nothing itself: it is told what was seen
/// and says which file to look at, to examine, or to give up.
///
/// Owns:    what it remembers of each file. Does no I/O and has no clock.
/// Threads: one.
/// Errors:  none; what is said of a file it does not know is ignored.
class Candidates {
 public:
  explicit Candidates(CompletenessPolicy policy) : policy_(policy) {}

  /// What the ledger has on record: not examined again until it changes.
  void settled(const std::string& path, const FileStamp& stamp, bool refused);
  /// A file was noticed. `run_number` 0 = none in its name. `stamp` comes with kScanned.
  void noticed(const std::string& path, uint64_t run_number, Notice notice, const std::optional<FileStamp>& stamp, Moment now);
  /// The name is gone.
  void gone(const std::string& path);
  /// The facility's own word: runs up to this number are finished, later ones are not. nullopt = nothing is known.
  void set_last_ended(std::optional<uint64_t> run_number, Moment now);

  /// False: files of a listing wait until it is complete, so that they come in the order of their numbers.
  void set_list_open(bool open) { list_open_ = open; }

  /// The next file to stat; looked() must follow.
  std::optional<std::string> take_look(Moment now);
  void looked(const std::string& path, const Look& look, Moment now);
  /// The next file to open; examined() must follow. New files come before those of a listing; `retries` false leaves out files
  /// that were found incomplete before.
  std::optional<Examination> take_examination(bool retries, Moment now);
  /// True: tell the ledger, then call concluded(). False: the file changed meanwhile or is not ready, and comes again by itself.
  /// `after` is a look taken when the examination was over.
  bool examined(const std::string& path, const Verdict& verdict, const Look& after, Moment now);
  /// A file to refuse; concluded() must follow.
  std::optional<GivenUp> take_given_up();
  /// The ledger has answered. The file is left alone until it changes.
  void concluded(const std::string& path, bool refused, Moment now);

  /// When (steady_ns) take_look() will have something; nullopt = when something is noticed.
  std::optional<int64_t> next_look_ns() const;
  bool has_examination(bool retries) const;
  size_t waiting() const { return entries_.size(); }

 private:
  enum class State { kSettling, kDueLook, kLooking, kReady, kExamining, kBackoff, kGivenUp, kSubmitting };
  enum class Turn { kLive, kListed, kRetry };
  struct Entry {
    State state = State::kSettling;
    Turn turn = Turn::kListed;
    Source source = Source::kScan;
    uint64_t run_number = 0;
    FileStamp stamp;
    bool known_stamp = false;
    bool live = false;           // its writer said it is done: no settling
    bool awaits_close = false;   // a writer was seen to open it
    bool announced = false;      // it was live when its examination began
    bool always = false;         // examine even if it looks like what is on record
    bool incomplete = false;     // its last examination said so
    std::optional<Notice> meanwhile;  // noticed while out of our hands
    int64_t still_since_ns = 0;
    int64_t backoff_ns = 0;
    int64_t due_ns = 0;
    int64_t taken_wall_ns = 0;
    int tries = 0;
    std::tuple<Turn, int64_t, uint64_t> place;  // in ready_
    std::string code, text;
  };
  struct Settled {
    FileStamp stamp;
    bool refused = false;
    bool racy = false;  // read so soon after its last write that another write may bear the same time
  };
  using Entries = std::map<std::string, Entry>;
  using Ready = std::map<std::tuple<Turn, int64_t, uint64_t>, std::string>;

  Ready::const_iterator next_ready(bool retries) const;
  bool on_record(const std::string& path, const FileStamp& stamp, bool announced) const;
  bool held(const Entry& entry) const;
  void leave(Entries::iterator at);
  void look_at_time(Entries::iterator at, State state, int64_t due_ns);
  void make_ready(Entries::iterator at, Turn turn);
  int64_t stillness(const Entry& entry, Moment now) const;
  void settle(Entries::iterator at, Moment now);
  void changed(Entry& entry, Moment now) const;
  void announce(Entries::iterator at, Notice notice, Moment now);
  void not_yet(Entries::iterator at, Moment now);
  void forget(Entries::iterator at);

  CompletenessPolicy policy_;
  Entries entries_;
  std::unordered_map<std::string, Settled> settled_;  // by path as the ledger writes it
  std::set<std::pair<int64_t, std::string>> looks_;
  Ready ready_;
  std::vector<std::string> given_up_;
  std::optional<uint64_t> last_ended_;
  uint64_t arrivals_ = 0;
  bool retry_turn_ = false;
  bool list_open_ = true;
};

}  // namespace daemons
