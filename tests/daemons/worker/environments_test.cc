#include "daemons/worker/environments.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "ledger/canonical.h"
#include "schema/document.capnp.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;

class EnvironmentsTest : public testing::Test {
 protected:
  ~EnvironmentsTest() noexcept override {}
  /// A program that only says its version; written beside and renamed, as a package manager does.
  void install(const fs::path& path, const std::string& version) {
    fs::create_directories(path.parent_path());
    fs::path temporary = path.string() + ".new";
    std::ofstream(temporary) << "#!/bin/sh\necho Python " << version << "\n";
    fs::permissions(temporary, fs::perms::owner_all);
    fs::rename(temporary, path);
  }
  std::string version_of(const std::string& interpreter) {
    ledger::Row<schema::Environment> document(environments.documents().at(interpreter));
    return document.get().getInterpreterVersion().cStr();
  }

  support::TemporaryFolder folder;
  fs::path python = folder / "bin/python";
  rpc::Loop loop;
  std::unique_ptr<daemons::ProcessLauncher> launcher = daemons::make_process_launcher(loop);
  int changes = 0;
  daemons::Environments environments{loop, *launcher, "testhost", (folder / "runner").string(), [this] { ++changes; }};
};

TEST_F(EnvironmentsTest, ReplacedInterpreterIsAskedAgain) {
  install(python, "3.9.1");
  loop.wait(environments.refresh({python}));
  EXPECT_EQ(version_of(python), "Python 3.9.1");
  loop.wait(environments.refresh({python}));
  EXPECT_EQ(changes, 1);
  install(python, "3.11.2");
  EXPECT_FALSE(loop.wait(environments.is_current(python)));
  loop.wait(environments.refresh({python}));
  EXPECT_TRUE(loop.wait(environments.is_current(python)));
  EXPECT_EQ(version_of(python), "Python 3.11.2");
  EXPECT_EQ(changes, 2);
}

TEST_F(EnvironmentsTest, NoDocumentIsOfferedWhileAReplacedInterpreterIsAsked) {
  install(python, "3.9.1");
  loop.wait(environments.refresh({python}));
  fs::path pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  install(python, "$([ $1 = --version ] && cat '" + pipe.string() + "')");
  auto asking = environments.refresh({python}).eagerlyEvaluate(nullptr);
  int writer = loop.wait(loop.on_pool([pipe] { return open(pipe.c_str(), O_WRONLY); }));  // it waits for the reader
  EXPECT_TRUE(environments.documents().empty());
  EXPECT_FALSE(loop.wait(environments.is_current(python)));
  ASSERT_EQ(write(writer, "3.11.2\n", 7), 7);
  close(writer);
  loop.wait(kj::mv(asking));
  EXPECT_EQ(version_of(python), "Python 3.11.2");
}

TEST_F(EnvironmentsTest, NameWithoutAFolderIsTheFirstProgramOnThePath) {
  // `python = "name"` was asked for its version once, whatever came to stand behind the name later.
  std::string path = (folder / "local").string() + ":" + (folder / "bin").string();
  EXPECT_EQ(daemons::resolved_interpreter("python", path), "python");
  install(python, "3.9.1");
  EXPECT_EQ(daemons::resolved_interpreter("python", path), python);
  fs::create_directories(folder / "local/python");  // no program
  EXPECT_EQ(daemons::resolved_interpreter("python", path), python);
  fs::remove(folder / "local/python");
  install(folder / "local/python", "3.11.2");
  EXPECT_EQ(daemons::resolved_interpreter("python", path), folder / "local/python");
  EXPECT_EQ(daemons::resolved_interpreter("./python", path), "./python");
}

TEST_F(EnvironmentsTest, DocumentOfANameSaysWhichFileItIs) {
  loop.wait(environments.refresh({"sh"}));
  ledger::Row<schema::Environment> document(environments.documents().at("sh"));
  EXPECT_EQ(std::string(document.get().getInterpreterPath().cStr()), daemons::resolved_interpreter("sh"));
  EXPECT_EQ(document.get().getInterpreterPath().cStr()[0], '/');
}

}  // namespace
