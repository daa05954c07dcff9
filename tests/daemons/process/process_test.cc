#include "daemons/process/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_folder.h"

namespace {

using daemons::ProcessExit;
using daemons::ProcessRequest;
using testing::HasSubstr;
using Stream = ProcessRequest::Stream;

class ProcessLauncherTest : public testing::Test {
 protected:
  static ProcessRequest shell(std::string script) {
    ProcessRequest request;
    request.program = "/bin/sh";
    request.arguments = {"-c", std::move(script)};
    return request;
  }
  kj::Own<daemons::Process> start(const ProcessRequest& request) {
    auto started = launcher->start(request);
    EXPECT_TRUE(started.is_ok()) << started.status().message();
    return kj::mv(*started);
  }
  std::string read_all(daemons::Process& process, int descriptor) {
    return loop.wait(process.output(descriptor).readAllText()).cStr();
  }
  daemons::ProgramOutput run(ProcessRequest request, daemons::ProgramLimits limits = {}) {
    auto output = loop.wait(daemons::run_program(*launcher, loop.timer(), std::move(request), limits));
    EXPECT_TRUE(output.is_ok()) << output.status().message();
    return *output;
  }
  static size_t open_descriptors() {
    auto folder = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<size_t>(std::distance(begin(folder), end(folder)));
  }

  rpc::Loop loop;
  std::unique_ptr<daemons::ProcessLauncher> launcher = daemons::make_process_launcher(loop);
};

TEST_F(ProcessLauncherTest, ExitStatusAndSignalAreTold) {
  auto three = start(shell("exit 3"));
  ProcessExit exit = loop.wait(three->exit());
  EXPECT_TRUE(exit.exited());
  EXPECT_EQ(exit.exit_code(), 3);
  EXPECT_EQ(exit.text(), "ended with status 3");

  auto killed = start(shell("kill -9 $$"));
  exit = loop.wait(killed->exit());
  EXPECT_FALSE(exit.exited());
  EXPECT_EQ(exit.signal(), SIGKILL);
  EXPECT_THAT(exit.text(), HasSubstr("signal 9"));
  EXPECT_EQ(loop.wait(killed->exit()).signal(), SIGKILL) << "asked again after the end";
}

TEST_F(ProcessLauncherTest, MissingProgramIsNamed) {
  ProcessRequest request;
  request.program = "/no/such/python3";
  auto started = launcher->start(request);
  ASSERT_FALSE(started.is_ok());
  EXPECT_EQ(started.status().code(), base::Code::kNotFound);
  EXPECT_THAT(started.status().message(), HasSubstr("/no/such/python3"));
}

TEST_F(ProcessLauncherTest, FileThatIsNoProgramIsNamed) {
  support::TemporaryFolder folder;
  ProcessRequest request;
  request.program = folder / "notes.txt";
  std::ofstream(request.program) << "no program";
  auto started = launcher->start(request);
  ASSERT_FALSE(started.is_ok());
  EXPECT_EQ(started.status().code(), base::Code::kPermissionDenied);
  EXPECT_THAT(started.status().message(), HasSubstr("notes.txt"));
}

TEST_F(ProcessLauncherTest, MissingWorkingDirectoryIsNotBlamedOnTheProgram) {
  ProcessRequest request = shell("true");
  request.working_directory = "/no/such/folder";
  auto started = launcher->start(request);
  ASSERT_FALSE(started.is_ok());
  EXPECT_THAT(started.status().message(), HasSubstr("working directory /no/such/folder"));
}

TEST_F(ProcessLauncherTest, ChildSeesTheGivenEnvironmentAndFolderOnly) {
  ProcessRequest request;
  request.program = "/usr/bin/env";
  request.environment = {"RUN=28001"};
  EXPECT_EQ(run(request).text, "RUN=28001\n");

  ProcessRequest where = shell("pwd");
  where.working_directory = "/usr";
  EXPECT_EQ(run(where).text, "/usr\n");
}

TEST_F(ProcessLauncherTest, StreamsAreConnectedAsAsked) {
  ProcessRequest request = shell("read line; echo \"got $line\"; echo oops >&2; echo status >&3; echo more >&4");
  request.input = Stream::kPipe;
  request.error = Stream::kPipe;
  request.extra_outputs = 2;
  auto process = start(request);
  loop.wait(process->input().write("hello\n", 6));
  process->close_input();
  EXPECT_EQ(read_all(*process, 1), "got hello\n");
  EXPECT_EQ(read_all(*process, 2), "oops\n");
  EXPECT_EQ(read_all(*process, 3), "status\n");
  EXPECT_EQ(read_all(*process, 4), "more\n");
  EXPECT_TRUE(loop.wait(process->exit()).clean());
}

TEST_F(ProcessLauncherTest, ErrorsMayGoWhereTheOutputGoes) {
  ProcessRequest request = shell("echo one; echo two >&2");
  request.error = Stream::kOutput;
  EXPECT_EQ(run(request).text, "one\ntwo\n");
}

TEST_F(ProcessLauncherTest, InputIsEmptyUnlessAskedFor) { EXPECT_EQ(run(shell("cat; echo end")).text, "end\n"); }

TEST_F(ProcessLauncherTest, ChildGetsNoDescriptorOfOurs) {
  int leaky = dup(0);  // not close-on-exec
  ASSERT_GE(leaky, 3);
  EXPECT_EQ(run(shell("for f in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && echo $f; done; true")).text, "");
  close(leaky);
}

TEST_F(ProcessLauncherTest, KillReachesTheWholeGroup) {
  ProcessRequest request = shell("sleep 1000 & echo up; wait");
  auto process = start(request);
  char byte;
  loop.wait(process->output(1).read(&byte, 1));
  process->kill(SIGKILL);
  EXPECT_EQ(loop.wait(process->exit()).signal(), SIGKILL);
  read_all(*process, 1);  // ends only when the sleeper, which holds the pipe too, is gone
}

TEST_F(ProcessLauncherTest, DroppedProcessIsKilledAndReaped) {
  int pid = 0;
  {
    auto process = start(shell("sleep 1000"));
    pid = process->id();
  }
  // The next child is reaped through the same loop, and what is reaped has no number any more.
  while (::kill(pid, 0) == 0) run(shell("true"));
  EXPECT_EQ(errno, ESRCH);
}

TEST_F(ProcessLauncherTest, ManyProcessesLeaveNoDescriptorBehind) {
  run(shell("true"));
  size_t before = open_descriptors();
  for (int i = 0; i < 20; ++i) run(shell("echo hello; echo there >&2"));
  launcher->start(ProcessRequest{.program = "/no/such/program"}).status().ignore();
  run(shell("true"));
  EXPECT_LE(open_descriptors(), before + 1);
}

TEST_F(ProcessLauncherTest, LongOutputIsCutAndTheProgramEndsAllTheSame) {
  auto output = run(shell("head -c 3000000 /dev/zero"), {.output_bytes = 1000});
  EXPECT_EQ(output.text.size(), 1000u);
  EXPECT_TRUE(output.cut);
  EXPECT_TRUE(output.exit.clean());
}

TEST_F(ProcessLauncherTest, ProgramThatTakesTooLongIsKilled) {
  auto output = run(shell("echo begun; sleep 1000"), {.time = 300 * kj::MILLISECONDS});
  EXPECT_TRUE(output.timed_out);
  EXPECT_EQ(output.text, "begun\n");
}

TEST_F(ProcessLauncherTest, WhoStillHoldsThePipeIsNotWaitedFor) {
  auto output = run(shell("setsid sleep 30 & echo done; echo $!"));
  EXPECT_THAT(output.text, HasSubstr("done"));
  ::kill(std::stoi(output.text.substr(output.text.find('\n'))), SIGKILL);
}

}  // namespace
