# What is asked of the ledger. A Command either becomes events, all in one synced batch, or is refused with a reason.
# Most commands propose the body of the event they want; deciding checks it against the current state and fills what only the
# ledger knows (version, fence, ...). Sent again with the same id, a command gets its first answer and appends nothing (promise P4).
@0xfce9081c65198b92;

using Cxx = import "/capnp/c++.capnp";
using Event = import "event.capnp";
$Cxx.namespace("schema");

struct Command {
  id @0 :Text;             # 1 to 128 bytes, unique for its sender: people a random one, daemons one derived from the event they react to.
  cause @1 :UInt64;        # The event reacted to; 0 = none.
  blobs @2 :List(Data);    # Documents and texts the body names; stored in the same batch. Already stored ones cost nothing.
  position @3 :Position;   # The sender's own position, stored in the same batch; daemon empty = none.

  body :union {
    unset @4 :Void;
    configureInstrument @5 :Event.InstrumentConfigured;
    pauseInstrument @6 :Event.InstrumentPaused;
    resumeInstrument @7 :Event.InstrumentResumed;
    registerScript @8 :Event.ScriptRegistered;
    setVariables @9 :Event.VariablesSet;
    clearVariables @10 :Event.VariablesCleared;
    detectRun @11 :Event.RunDetected;         # A complete file: becomes runDetected, runRevised or a problem on the run, as the record demands.
    refuseFile @12 :Event.RawFileRefused;
    annotateRun @13 :Event.RunAnnotated;      # Refused: nobody's to send yet.
    skipRun @14 :Event.RunSkipped;
    requestReduction @15 :Event.ReductionRequested;
    queueJob @16 :Event.JobQueued;            # version is filled by the ledger; outputDirectory may hold "{version}".
    startAttempt @17 :Event.AttemptStarted;   # job 0 = the next one waiting; attempt is filled by the ledger.
    failAttempt @18 :Event.AttemptFailed;
    skipAttempt @19 :SkipAttempt;
    succeedAttempt @20 :Event.AttemptSucceeded;
    publishJob @21 :PublishJob;               # The directory is in place.
    loseAttempt @22 :LoseAttempt;
    cancelJob @23 :Event.JobCancelled;
    joinWorker @24 :Event.WorkerJoined;
    leaveWorker @25 :Event.WorkerLeft;
    advance @26 :Void;                        # Only the position. Refused: every position comes with a command so far.
    acceptLoss @27 :Event.LossAccepted;
    eraseBlobs @28 :Event.BlobsErased;
    forgetCommands @29 :Event.CommandsForgotten;
    openSession @30 :Event.SessionOpened;
    denyAccess @31 :Event.AccessDenied;
    changeRoles @32 :ChangeRoles;             # Becomes a roleGranted or roleRevoked for each that is not so on record already.
    issueToken @33 :Event.TokenIssued;
    revokeToken @34 :Event.TokenRevoked;      # account is filled by the ledger.
    seeSupportFile @35 :Event.SupportFileSeen;
    setStage @36 :Event.StageRule;
    removeStage @37 :Event.StageRemoved;
    requestCombination @38 :Event.CombinationRequested;
    requestTrial @39 :Event.TrialRequested;
    startCampaign @40 :Event.CampaignStarted;   # runs and instruments are filled by the ledger, from the plan.
    pauseCampaign @41 :Event.CampaignPaused;
    resumeCampaign @42 :Event.CampaignResumed;
    stopCampaign @43 :Event.CampaignStopped;
    passCampaignRun @44 :Event.CampaignRunPassed;
    finishCampaign @45 :Event.CampaignFinished;
  }
}

struct Position {
  daemon @0 :Text;         # "coordinatord", ...
  seq @1 :UInt64;          # Every event up to and with this one has been reacted to.
}

struct SkipAttempt { job @0 :UInt64; attempt @1 :UInt16; fence @2 :UInt64; reason @3 :Event.Reason; log @4 :Data; }
struct PublishJob { job @0 :UInt64; attempt @1 :UInt16; fence @2 :UInt64; }
struct LoseAttempt { job @0 :UInt64; attempt @1 :UInt16; fence @2 :UInt64; reason @3 :Event.Reason; }

struct ChangeRoles {
  account @0 :Text;
  granted @1 :List(Event.Grant);
  revoked @2 :List(Event.Grant);
  reason @3 :Event.Reason;
}

struct Refusal {
  # An expected "no". The code says what the caller does next; the text names subject, cause and next step.
  code @0 :Code;
  text @1 :Text;
  enum Code {              # Same names and order as Status::Code in ledger/status.h.
    ok @0;
    notFound @1;
    alreadyExists @2;
    conflict @3;           # True of another state than the one there is now.
    invalidArgument @4;
    permissionDenied @5;
    unavailable @6;        # Try again: busy, storage low, shutting down.
    timedOut @7;
    corruption @8;
    unsupportedVersion @9;
    internal @10;
  }
}

struct Answer {
  events @0 :List(UInt64);          # Seqs appended, in order. Empty when refused, or when nothing had to change.
  refusal @1 :Refusal;              # code ok = done.
  repeated @2 :Bool;                # The id was known: this is the first answer again.
}
