#include "ledger/intake.h"

#include <fmt/format.h>

#include "ledger/checkpoint_key.h"
#include "ledger/folder_lock.h"
#include "ledger/ledger.h"
#include "ledger/log_state.h"

namespace ledger {
namespace {

constexpr uint64_t kBatchEvents = 1024;
constexpr uint64_t kBatchBytes = 8u << 20;

}  // namespace

base::Result<std::unique_ptr<Intake>> Intake::open(const std::filesystem::path& folder, std::string_view id, const Rules& rules,
                                                   const base::Clock& clock) {
  const std::filesystem::path head_path = folder / "HEAD";
  std::error_code error;
  const bool fresh = !std::filesystem::exists(folder / "db", error) && !std::filesystem::exists(head_path, error);
  if (fresh) {
    std::filesystem::create_directories(folder, error);
    if (error) return base::Status(base::Code::kUnavailable, fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
    // The id of a new ledger is that of its HEAD.
    base::Status made = create_head_file(head_path, {.number = 0, .id = std::string(id), .size = 0, .root = TreeEdge().root(), .time_ns = clock.now_ns()});
    if (!made.is_ok()) return made;
  }
  {  // Everything that is checked when a ledger is opened, and its tables.
    auto opened = Ledger::open(folder, {}, clock, rules);
    if (!opened.is_ok()) return opened.status();
    if ((*opened)->id() != id) {
      return base::Status(base::Code::kConflict, fmt::format("{}: is ledger {}, not {}", folder.string(), (*opened)->id(), id));
    }
  }
  if (fresh) {  // the ledger has a key already, elsewhere: whoever has it puts it here
    for (const char* name : kCheckpointKeyFiles) std::filesystem::remove(folder / name, error);
  }
  const auto lock = std::make_shared<FolderLock>();
  if (base::Status locked = lock->lock(folder); !locked.is_ok()) return locked;
  auto store = Store::open(folder / "db", {.views = rules.views, .held = lock});
  if (!store.is_ok()) return store.status();
  auto state = load_log_state(*(*store)->live());
  if (!state.is_ok()) return state.status().in(folder.string());
  auto head_fault = std::make_shared<base::Status>();
  auto head_file = HeadFile::open(head_path, {}, [head_fault](base::Status status) { *head_fault = std::move(status); });
  if (!head_file.is_ok()) return head_file.status();
  return std::unique_ptr<Intake>(new Intake(std::move(store).value(), *state, std::move(head_file).value(), std::move(head_fault), rules));
}

Intake::Intake(std::shared_ptr<Store> store, const LogState& state, std::unique_ptr<HeadFile> head_file, std::shared_ptr<base::Status> head_fault,
               const Rules& rules)
    : store_(std::move(store)), uptake_(rules.views), head_fault_(std::move(head_fault)), head_file_(std::move(head_file)) {
  uptake_.begin(store_->live(), state, store_->forgotten());
}

Intake::~Intake() = default;

base::Status Intake::add(std::string_view event, const std::vector<std::string>& blobs) {
  try {
    if (base::Status added = uptake_.add(event, blobs); !added.is_ok()) return added;
  } catch (const StoreFault& fault) {
    return fault.status;
  }
  return uptake_.events() >= kBatchEvents || uptake_.bytes() >= kBatchBytes ? write() : base::Status();
}

base::Status Intake::write() {
  if (base::Status written = store_->write(uptake_.batch(), true); !written.is_ok()) return written;
  const LogState state = uptake_.state();
  head_file_->publish(state.edge, state.time_ns);
  uptake_.begin(store_->live(), state, uptake_.forgotten());
  return {};
}

base::Status Intake::finish() {
  if (uptake_.events() > 0) {
    if (base::Status written = write(); !written.is_ok()) return written;
  }
  head_file_.reset();  // writes what was published last
  return *head_fault_;
}

}  // namespace ledger
