#include "rpc/service/progress.h"

namespace rpc {

ProgressTeller::ProgressTeller(Loop& loop, schema::Progress::Client progress)
    : loop_(loop), progress_(std::make_shared<schema::Progress::Client>(kj::mv(progress))) {}

ProgressTeller::~ProgressTeller() { flags_->gone = true; }

ProgressTeller::Report ProgressTeller::report() const {
  return [&loop = loop_, progress = std::weak_ptr(progress_), flags = flags_](std::string_view what, uint64_t done, uint64_t total) {
    if (flags->gone) return false;
    if (flags->telling.exchange(true)) return true;  // the next report will say more
    loop.post([&loop, progress, flags, text = std::string(what), done, total] {
      auto listener = progress.lock();
      if (!listener) return;
      auto request = listener->reportRequest();
      request.setWhat(text);
      request.setDone(done);
      request.setTotal(total);
      // After a failure nobody is told any more.
      loop.detach(request.send().ignoreResult().then([flags] { flags->telling = false; }, [](kj::Exception&&) {}), "progress of long work");
    });
    return true;
  };
}

}  // namespace rpc
