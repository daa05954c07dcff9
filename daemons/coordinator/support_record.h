// Keeps the record's idea of support files what they hold.
#pragma once

#include <kj/async.h>

#include <map>
#include <memory>
#include <string>

#include "daemons/coordinator/record.h"
#include "daemons/coordinator/support_files.h"
#include "daemons/port.h"
#include "rpc/loop.h"

namespace daemons {

/// Owns:    what it knows to be on record, one entry for each path. Borrows loop, record and submitter; shares the contents, with work on the
///          pool that outlives it.
/// Threads: loop thread; files are read on the pool.
/// Errors:  rejects when the connection breaks.
class SupportRecord {
 public:
  SupportRecord(rpc::Loop& loop, Record& record, Submitter& submitter, std::shared_ptr<FileContents> files, std::shared_ptr<UrlContents> urls)
      : loop_(loop), record_(record), submitter_(submitter), files_(std::move(files)), urls_(std::move(urls)) {}

  /// The files that the variables name, each with a content that is on record now. Where only its hash was until now, the bytes are with it.
  kj::Promise<NamedFiles> find(std::string instrument, SupportQuestion question, uint64_t cause);
  /// Looks at every file on record for the instrument, and puts on record what has another content, or cannot be read any more. What a url
  /// gives is looked at when a job is made.
  kj::Promise<void> look_again(std::string instrument);

 private:
  struct Seen {
    std::string sha256;  // empty: not readable, for the reason in `problem`
    std::string problem;
    uint64_t seq = 0;
    bool kept = false;  // its bytes are on record, too; of one that is not readable now: were, and will be
  };
  using Seens = std::map<std::string, Seen>;  // by path

  kj::Promise<Seens*> on_record(const std::string& instrument);
  kj::Promise<void> read_rows(const std::string& instrument, std::shared_ptr<Seens> rows, std::string after);
  kj::Promise<void> keep(std::string instrument, std::shared_ptr<NamedFiles> found, size_t index, uint64_t cause);
  kj::Promise<base::Status> see(const std::string& instrument, const std::string& path, base::Result<FileContent> content, uint64_t cause);

  rpc::Loop& loop_;
  Record& record_;
  Submitter& submitter_;
  const std::shared_ptr<FileContents> files_;
  const std::shared_ptr<UrlContents> urls_;
  std::map<std::string, Seens> seen_;  // by instrument, once asked for
};

}  // namespace daemons
