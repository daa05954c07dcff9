// What a command may hold. Above these it is refused, with the limit in the sentence.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ledger {

inline constexpr size_t kMaxBodyBytes = 56u << 10;  // a command's body; leaves an event room for its header (64 KiB in all)
inline constexpr size_t kMaxTextBytes = 4096;       // any text but a variable's value: paths, sentences, messages
inline constexpr size_t kMaxListItems = 4096;
inline constexpr size_t kMaxInstrumentNameBytes = 32;
inline constexpr size_t kMaxWorkerNameBytes = 64;
inline constexpr size_t kMaxReasonCodeBytes = 64;
inline constexpr size_t kMaxExperimentBytes = 128;           // in a variable scope
inline constexpr uint64_t kMaxRunNumber = (1ull << 53) - 1;  // what JSON readers keep exact
inline constexpr size_t kMaxFilesPerRun = 16;
inline constexpr size_t kMaxProblemsPerRun = 64;  // of one reading
inline constexpr size_t kMaxRunsPerJob = 64;
inline constexpr size_t kMaxRunsPerStage = 512;  // of one result of a stage
inline constexpr size_t kMaxStages = 64;         // of one instrument
inline constexpr size_t kMaxStageNameBytes = 64;
inline constexpr size_t kMaxCampaignRuns = 20'000;
inline constexpr size_t kMaxScriptFiles = 128;   // beside the main script
inline constexpr size_t kMaxSupportFiles = 64;   // of one job
inline constexpr size_t kMaxPatterns = 64;       // in one list of patterns, interpreters or urls
inline constexpr size_t kMaxVariables = 200;   // in one command
inline constexpr size_t kMaxVariableNameBytes = 200;
inline constexpr size_t kMaxVariableBytes = 32u << 10;  // JSON text of one value
inline constexpr int kMaxJsonDepth = 32;
inline constexpr size_t kMaxVariableRules = 10'000;  // live settings of one instrument
inline constexpr size_t kMaxErasedBlobs = 500;       // in one command
inline constexpr size_t kMaxAccountBytes = 256;       // of an account or group
inline constexpr size_t kMaxLabelBytes = 200;          // of a token, a session's source
inline constexpr size_t kTokenIdBytes = 16;
inline constexpr uint16_t kMaxAttempts = 3;          // of one job, without those handed back
inline constexpr uint64_t kMinLeaseMs = 1000;        // also in site/site.cc
inline constexpr uint64_t kMaxLeaseMs = 24ull * 3600 * 1000;

}  // namespace ledger
