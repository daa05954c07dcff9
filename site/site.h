// What a facility says of itself: the site folder and its site.toml.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "site/access.h"

namespace site {

/// One [[instrument.stage]] table: a script over results. Paths are absolute.
struct Stage {
  std::string name;
  std::vector<std::string> after;  // "reduction" and other stages; empty: it takes raw files
  std::string over;                // "run" | "experiment" | "runs"
  std::string script_path;
  std::string contract;
  std::string interpreter;  // name of one of the instrument's; empty: its own
  std::vector<std::string> input_patterns;  // empty: every file
  std::string output_pattern;  // with {instrument} {experiment} {run} {stage} {version}
  uint64_t time_limit_ms = 0;
  uint64_t memory_limit_bytes = 0;
};

/// One [[instrument]] table. Paths are absolute.
struct Instrument {
  std::string name;      // upper case
  std::string contract;  // "isis" | "sns" | "fia"
  std::vector<std::string> raw_folders;
  std::vector<std::string> file_patterns;
  std::string script_path;     // empty: runs are recorded and skipped
  std::string output_pattern;  // with {instrument} {experiment} {run} {version}
  std::string interpreter;
  std::string detect;              // "directory" | "lastrun"
  std::string run_number_pattern;  // empty: the last digits of the file's stem
  uint64_t time_limit_ms = 0;
  uint64_t memory_limit_bytes = 0;
  std::string conda_python;                         // with {env}; empty: CONDA_ENV lines are passed over
  std::map<std::string, std::string> interpreters;  // others that a re-run may name: name -> path
  bool stderr_fails = false;
  std::vector<std::string> stderr_allowed;  // regular expressions
  std::string flat_folder;                  // with {instrument} {experiment}; empty: no such links
  std::vector<std::string> support_urls;    // what a variable's url must begin with
  std::vector<Stage> stages;                // each behind those it takes
};

/// Where trials put their output, a folder each.
struct Trials {
  std::string folder;  // absolute
};

struct Monitor {
  uint64_t settle_ms = 2'000;          // a file found by a scan must stand still this long
  uint64_t give_up_after_ms = 30'000;  // an incomplete file that stands still this long is refused (and looked at again when it changes)
  uint64_t sweep_ms = 60'000;          // full scan, for file systems that send no notice
};

struct Worker {
  uint16_t slots = 0;     // jobs at once; 0 = one a processor
  std::string scratch;    // absolute
  uint64_t lease_ms = 30'000;
};

struct Witness {
  std::string file;               // absolute; outside of the ledger
  uint64_t every_ms = 600'000;    // how often a checkpoint is signed, when the log has grown
};

/// What is forgotten by itself; 0 = nothing is.
struct Retention {
  uint64_t commands_ms = 0;  // records of commands older than this
  uint64_t logs_ms = 0;      // what scripts printed, longer ago than this
};

/// The ledger this site's is a copy of.
struct Follow {
  std::string address;     // "unix:/absolute/path"
  std::string public_key;  // the line; or
  std::string public_key_file;  // absolute: the file that holds it
};

/// A site, read and checked.
///
/// Owns:    values only. Threads: any. Errors: load() names the file, the line, the key and what it may be.
/// Units:   `_ms` milliseconds, `_bytes` bytes.
struct Site {
  std::filesystem::path folder;
  std::string facility;
  std::filesystem::path ledger;
  std::vector<std::string> listen;  // "unix:/absolute/path", "tls:HOST:PORT"
  std::vector<Instrument> instruments;
  Monitor monitor;
  Worker worker;
  Witness witness;
  Trials trials;
  Retention retention;
  std::optional<Follow> follow;  // then there are no instruments
  std::optional<Access> access;  // without it only the account that runs the ledger connects
};

/// Reads FOLDER/site.toml. An unknown key is an error: a misspelt setting is never passed over.
base::Result<Site> load(const std::filesystem::path& folder);

/// The site folder: `given` (--site) if set, else RUNLEDGER_SITE, else the nearest folder at or above `from` that holds a site.toml.
base::Result<std::filesystem::path> find(const std::optional<std::string>& given, const std::filesystem::path& from);

/// Makes FOLDER with a commented site.toml and its run, scratch and archive folders. kAlreadyExists when there is a site.toml.
base::Status create(const std::filesystem::path& folder);

/// "90s", "60m", "2h", "90d", "2y", "250ms" -> milliseconds (a year is 365 days); "8GiB", "512MiB", "1000" -> bytes. nullopt when it is neither.
std::optional<uint64_t> parse_duration_ms(std::string_view text);
std::optional<uint64_t> parse_size_bytes(std::string_view text);

}  // namespace site
