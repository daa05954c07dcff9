#include "daemons/worker/run_result.h"

#include <fmt/format.h>
#include <signal.h>
#include <string.h>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace daemons {
namespace {

using schema::FailureKind;
using How = SupervisedEnd::How;

constexpr int kRunnerTrouble = 70;  // run_script.py: its job could not be read or its result not be written
constexpr size_t kTracebackBytes = 1u << 20;

FailureKind kind_of(std::string_view word) {
  if (word == "script_syntax") return FailureKind::SCRIPT_SYNTAX;
  if (word == "script_exit") return FailureKind::SCRIPT_EXIT;
  if (word == "contract") return FailureKind::CONTRACT;
  if (word == "memory_limit") return FailureKind::MEMORY_LIMIT;
  return FailureKind::SCRIPT_EXCEPTION;
}

std::string text_of(const nlohmann::json& object, const char* name) {
  auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string returned_text(const nlohmann::json& object) {
  auto returned = object.find("returned");
  if (returned == object.end()) return {};
  if (returned->is_string()) return returned->get<std::string>();
  std::string text;
  if (returned->is_array()) {
    for (const auto& entry : *returned) {
      if (entry.is_string()) text += (text.empty() ? "" : ", ") + entry.get<std::string>();
    }
  }
  return text;
}

std::string duration_text(uint64_t ms) {
  if (ms % 60'000 == 0) return fmt::format("{} min", ms / 60'000);
  return ms % 1000 == 0 ? fmt::format("{} s", ms / 1000) : fmt::format("{} ms", ms);
}

/// Dying for want of memory has no signal of its own; these are the words it leaves.
bool speaks_of_memory(std::string_view line) {
  for (std::string_view word : {"MemoryError", "bad_alloc", "Cannot allocate memory", "out of memory", "Unable to allocate"}) {
    if (line.find(word) != line.npos) return true;
  }
  return false;
}

std::string with_last_line(std::string text, const std::string& last_line) {
  if (!last_line.empty()) text += "; it last printed: " + base::to_utf8(last_line);
  return text;
}

AttemptVerdict killed(const AttemptPlan& plan, const SupervisedEnd& end, const std::string& last_line) {
  bool near_limit = plan.memory_limit_bytes > 0 && end.max_resident_bytes >= plan.memory_limit_bytes / 10 * 8;
  if (speaks_of_memory(last_line) || (end.number == SIGKILL && near_limit)) {
    return AttemptVerdict::failed(
        FailureKind::MEMORY_LIMIT,
        with_last_line(fmt::format("the script ran out of memory (limit {} MiB, {} MiB used) and was killed by signal {}",
                                   plan.memory_limit_bytes >> 20, end.max_resident_bytes >> 20, end.number),
                       last_line));
  }
  return AttemptVerdict::failed(
      FailureKind::SCRIPT_SIGNAL,
      with_last_line(fmt::format("the script was killed by signal {} ({})", end.number, strsignal(end.number)), last_line));
}

AttemptVerdict unfinished(const AttemptPlan& plan, const SupervisedEnd& end, const std::string& last_line) {
  if (end.how == How::kSignaled) return killed(plan, end, last_line);
  if (end.number == kRunnerTrouble) {
    return AttemptVerdict::failed(FailureKind::WORKER, with_last_line("run_script.py could not do its part", last_line));
  }
  if (end.number == 0) {
    return AttemptVerdict::failed(
        FailureKind::SCRIPT_EXIT,
        with_last_line("the script ended its process with status 0 without finishing (os._exit, or exec of another program)",
                       last_line));
  }
  FailureKind kind = speaks_of_memory(last_line) ? FailureKind::MEMORY_LIMIT : FailureKind::SCRIPT_EXIT;
  return AttemptVerdict::failed(kind, with_last_line(fmt::format("the script's process ended with status {}", end.number), last_line));
}

AttemptVerdict from_result(const nlohmann::json& result, const SupervisedEnd& end) {
  AttemptVerdict verdict;
  verdict.message = text_of(result, "message");
  std::string outcome = text_of(result, "outcome");
  if (outcome == "skipped") {
    verdict.outcome = AttemptVerdict::Outcome::kSkipped;
    return verdict;
  }
  if (outcome == "failed") {
    verdict.kind = kind_of(text_of(result, "kind"));
    verdict.traceback = text_of(result, "traceback").substr(0, kTracebackBytes);
    return verdict;
  }
  if (end.how == How::kExited && end.number == 0) {
    verdict.outcome = AttemptVerdict::Outcome::kSucceeded;
    std::string returned = returned_text(result);
    if (!returned.empty()) verdict.message = verdict.message.empty() ? returned : returned + "; " + verdict.message;
    return verdict;
  }
  bool signaled = end.how == How::kSignaled;
  return AttemptVerdict::failed(signaled ? FailureKind::SCRIPT_SIGNAL : FailureKind::SCRIPT_EXIT,
                         fmt::format("the script finished, but its process then {} {}: its output may not be whole",
                                     signaled ? "was killed by signal" : "ended with status", end.number));
}

AttemptVerdict judge_end(const AttemptPlan& plan, const SupervisedEnd& end, bool timed_out, const std::optional<std::string>& result,
                  const LogCapture& log) {
  switch (end.how) {
    case How::kNotStarted:
      return AttemptVerdict::failed(FailureKind::INTERPRETER,
                             fmt::format("{} could not be started: {}; install it or correct the instrument's python",
                                         plan.interpreter, strerror(end.number)));
    case How::kSupervisorLost:
      return AttemptVerdict::failed(timed_out ? FailureKind::TIME_LIMIT : FailureKind::WORKER,
                             "the script's supervisor was killed, so how the script ended is not known; reduce the run again");
    default:
      break;
  }
  if (timed_out) {
    return AttemptVerdict::failed(FailureKind::TIME_LIMIT,
                           with_last_line(fmt::format("the script did not end within its time limit of {} and was killed",
                                                      duration_text(plan.time_limit_ms)),
                                          log.last_line(200)));
  }
  if (result) {
    auto parsed = nlohmann::json::parse(*result, nullptr, false);
    std::string outcome = parsed.is_object() ? text_of(parsed, "outcome") : "";
    if (outcome == "succeeded" || outcome == "failed" || outcome == "skipped") return from_result(parsed, end);
  }
  return unfinished(plan, end, log.last_line(300));
}

}  // namespace

AttemptVerdict judge(const AttemptPlan& plan, const SupervisedEnd& end, bool timed_out, const std::optional<std::string>& result,
              const LogCapture& log) {
  AttemptVerdict verdict = judge_end(plan, end, timed_out, result, log);
  verdict.wait_status = end.wait_status();
  if (verdict.outcome == AttemptVerdict::Outcome::kFailed && verdict.message.empty())
    verdict.message = "the script failed without a message";
  return verdict;
}

}  // namespace daemons
