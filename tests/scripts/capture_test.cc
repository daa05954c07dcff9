#include "scripts/capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "tests/support/temporary_folder.h"

namespace {

using base::Code;
using schema::Contract;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CaptureTest : public testing::Test {
 protected:
  void write(const std::filesystem::path& name, std::string_view bytes) {
    std::filesystem::create_directories((folder / name).parent_path());
    folder.write(name, bytes);
  }
  base::Result<scripts::CapturedScript> capture(const std::string& name, Contract contract = Contract::ISIS) {
    return scripts::capture(folder / name, contract);
  }
  std::vector<std::string> siblings(const std::string& name, Contract contract = Contract::ISIS) {
    auto captured = capture(name, contract);
    EXPECT_TRUE(captured.is_ok()) << captured.status().message();
    std::vector<std::string> names;
    for (const auto& file : captured->siblings) names.push_back(file.name);
    return names;
  }
  base::Status trouble(const std::string& name, Contract contract = Contract::ISIS) { return capture(name, contract).status(); }
  std::string path(const std::string& name) { return folder / name; }

  support::TemporaryFolder folder;
};

TEST_F(CaptureTest, BytesAreKeptAsTheyAreWithTheVariablesBeside) {
  write("reduce.py", "\xef\xbb\xbfprint(1)\r\n");
  write("reduce_vars.py", "");
  auto captured = capture("reduce.py");
  ASSERT_TRUE(captured.is_ok()) << captured.status().message();
  EXPECT_EQ(captured->script.name, "reduce.py");
  EXPECT_EQ(captured->script.bytes, "\xef\xbb\xbfprint(1)\r\n");
  EXPECT_EQ(captured->script.sha256, base::sha256("\xef\xbb\xbfprint(1)\r\n"));
  ASSERT_EQ(captured->siblings.size(), 1u);
  EXPECT_EQ(captured->siblings[0].name, "reduce_vars.py");
  EXPECT_EQ(captured->siblings[0].sha256, base::sha256(""));
}

TEST_F(CaptureTest, ContractWithoutVariablesTakesNone) {
  write("reduce_EQSANS.py", "pass");
  write("reduce_vars.py", "standard_vars = {}");
  EXPECT_THAT(siblings("reduce_EQSANS.py", Contract::SNS), IsEmpty());
  EXPECT_THAT(siblings("reduce_EQSANS.py", Contract::FIA), IsEmpty());
}

TEST_F(CaptureTest, ImportedNeighboursAreTakenAndWhatTheseImport) {
  write("reduce.py", "import os, a\nimport numpy\n");
  write("a.py", "from b import c\nimport reduce\n");
  write("b.py", "def f():\n  import a\n");
  write("c.py", "nobody imports this: it is a name in b");
  write("unused.py", "");
  EXPECT_THAT(siblings("reduce.py"), ElementsAre("a.py", "b.py"));
}

TEST_F(CaptureTest, PackageIsTakenWhole) {
  write("reduce.py", "from pkg.core import run\n");
  write("pkg/__init__.py", "");
  write("pkg/core.py", "from . import late\nimport neighbour\n");
  write("pkg/late.py", "");
  write("pkg/by_name_only.py", "");
  write("pkg/settings.json", "{}");
  write("pkg/deeper/__init__.py", "");
  write("pkg/deeper/more.py", "");
  write("pkg/data/1.dat", "");
  write("pkg/__pycache__/core.cpython-311.pyc", "");
  write("pkg/.hidden", "");
  write("neighbour.py", "");
  EXPECT_THAT(siblings("reduce.py"), ElementsAre("neighbour.py", "pkg/__init__.py", "pkg/by_name_only.py", "pkg/core.py", "pkg/deeper/__init__.py",
                                                 "pkg/deeper/more.py", "pkg/late.py", "pkg/settings.json"));
}

TEST_F(CaptureTest, FolderWithoutInitGivesWhatIsImportedFromIt) {
  write("reduce.py", "import tools.one\nfrom tools import two\nfrom tools.sub.three import x\n");
  for (const char* name : {"tools/one.py", "tools/two.py", "tools/not_this.py", "tools/sub/three.py"}) write(name, "");
  EXPECT_THAT(siblings("reduce.py"), ElementsAre("tools/one.py", "tools/sub/three.py", "tools/two.py"));
}

TEST_F(CaptureTest, RelativeImportsStayWithinTheFolder) {
  write("reduce.py", "from . import beside\nfrom .. import outside\n");
  write("beside.py", "");
  folder.write("../outside.py", "");
  EXPECT_THAT(siblings("reduce.py"), ElementsAre("beside.py"));
  std::filesystem::remove(folder / "../outside.py");
}

TEST_F(CaptureTest, FilesNamedBetweenQuotesAreTaken) {
  write("reduce_CG1D.py", "os.system('bash ' + os.path.join(here, \"launch.sh\"))\nopen('reduce_CG1D.py'); open('helper.py'); open('big.dat'); open('folder')\n");
  write("launch.sh", "exec python 'not_read_as_python.cfg'");
  write("not_read_as_python.cfg", "");
  write("helper.py", "import imported");
  write("imported.py", "");
  write("big.dat", "");
  std::filesystem::resize_file(folder / "big.dat", scripts::kLargestNamedFileBytes + 1);
  std::filesystem::create_directory(folder / "folder");
  EXPECT_THAT(siblings("reduce_CG1D.py", Contract::SNS), ElementsAre("helper.py", "imported.py", "launch.sh"));
  EXPECT_THAT(capture("reduce_CG1D.py", Contract::SNS)->remarks, ElementsAre(AllOf(HasSubstr("big.dat is named, but was not taken"), HasSubstr("over 1 MiB"))));
}

TEST_F(CaptureTest, SnsScriptComesWithItsSummary) {
  write("reduce_PG3.py", "");
  write("sumRun_PG3.py", "from sumRun_PG3_lib import *");
  write("sumRun_PG3_lib.py", "");
  write("sumRun_CORELLI.py", "");
  write("reduce_PG3_default.py", "");
  EXPECT_THAT(siblings("reduce_PG3.py", Contract::SNS), ElementsAre("sumRun_PG3.py", "sumRun_PG3_lib.py"));
}

TEST_F(CaptureTest, TemplateComesWithTheScriptsThatHaveItsValues) {
  write("reduce_ARCS.py.template", "from ARLibrary import *\nmask = ${mask}\nimport ${more}\n");
  write("reduce_ARCS_default.py", "");
  write("reduce_ARCS.py", "");
  write("ARLibrary.py", "");
  EXPECT_THAT(siblings("reduce_ARCS.py.template", Contract::SNS), ElementsAre("ARLibrary.py", "reduce_ARCS.py", "reduce_ARCS_default.py"));
}

TEST_F(CaptureTest, CondaEnvOfAnSnsScriptIsOneName) {
  write("reduce_A.py", "CONDA_ENV = 'sans-dev'\nimport x\nCONDA_ENV = \"sans-dev\"\n");
  EXPECT_EQ(capture("reduce_A.py", Contract::SNS)->conda_env, "sans-dev");
  EXPECT_EQ(capture("reduce_A.py", Contract::ISIS)->conda_env, "");
  write("reduce_B.py", "CONDA_ENV = 'one'\nCONDA_ENV = 'two'\n");
  EXPECT_EQ(trouble("reduce_B.py", Contract::SNS).code(), Code::kInvalidArgument);
  EXPECT_EQ(trouble("reduce_B.py", Contract::SNS).message(), path("reduce_B.py") + ": CONDA_ENV is set to more than one name (one, two); one line must say which");
  for (const char* name : {"../evil", "a b", "", ".", "${env}", "x\\ny"}) {
    write("reduce_C.py", std::string("CONDA_ENV = '") + name + "'\n");
    EXPECT_THAT(trouble("reduce_C.py", Contract::SNS).message(), HasSubstr("is no environment's name")) << name;
  }
}

TEST_F(CaptureTest, WhatIsNoScriptIsNamed) {
  EXPECT_EQ(trouble("reduce.py").code(), Code::kNotFound);
  std::filesystem::create_directory(folder / "reduce.py");
  EXPECT_EQ(trouble("reduce.py").code(), Code::kInvalidArgument);
  EXPECT_EQ(trouble("reduce.py").message(), path("reduce.py") + ": not a regular file");
}

TEST_F(CaptureTest, PipesAndSocketsAreNotWaitedFor) {
  ASSERT_EQ(mkfifo(path("reduce.py").c_str(), 0600), 0);
  EXPECT_EQ(trouble("reduce.py").code(), Code::kInvalidArgument);
  write("script.py", "import pipe, socket\nopen('fifo.cfg')\n");
  ASSERT_EQ(mkfifo(path("pipe.py").c_str(), 0600), 0);
  ASSERT_EQ(mkfifo(path("fifo.cfg").c_str(), 0600), 0);
  sockaddr_un address{AF_UNIX, {}};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path("socket.py").c_str());
  int listening = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_THAT(siblings("script.py"), IsEmpty());
  std::filesystem::rename(folder / "socket.py", folder / "other.py");
  EXPECT_EQ(trouble("other.py").code(), Code::kInvalidArgument);
  close(listening);
}

TEST_F(CaptureTest, LinksAreFollowedAndKeptByContent) {
  support::TemporaryFolder elsewhere;
  elsewhere.write("shared.py", "shared = 1\n");
  write("real/reduce.py", "import shared\nimport gone\nimport circle\n");
  std::filesystem::create_symlink("real/reduce.py", folder / "reduce.py");
  std::filesystem::create_symlink(elsewhere / "shared.py", folder / "shared.py");
  std::filesystem::create_symlink("nowhere", folder / "gone.py");
  std::filesystem::create_symlink("circle.py", folder / "circle.py");
  auto captured = capture("reduce.py");
  ASSERT_EQ(captured->siblings.size(), 1u);
  EXPECT_EQ(captured->siblings[0].name, "shared.py");
  EXPECT_EQ(captured->siblings[0].bytes, "shared = 1\n");
}

TEST_F(CaptureTest, CirclesOfLinkedFoldersEnd) {
  write("reduce.py", "import pkg.a.b.a.b.a\n");
  write("pkg/__init__.py", "");
  write("pkg/a/__init__.py", "");
  std::filesystem::create_symlink("..", folder / "pkg/a/b");
  std::filesystem::create_symlink(".", folder / "pkg/self");
  EXPECT_THAT(siblings("reduce.py"), testing::Contains("pkg/a/__init__.py"));
  EXPECT_THAT(siblings("reduce.py"), testing::SizeIs(testing::Le(16)));
}

TEST_F(CaptureTest, FileThatIsNeededAndCannotBeReadIsNamed) {
  write("reduce.py", "import helper\n");
  std::filesystem::create_symlink("/proc/self/mem", folder / "helper.py");  // a regular file that gives nobody its first byte
  EXPECT_EQ(trouble("reduce.py").code(), Code::kUnavailable);
  EXPECT_EQ(trouble("reduce.py").message(), path("helper.py") + ": Input/output error");
}

TEST_F(CaptureTest, FileThatIsOnlyNamedAndCannotBeReadIsARemark) {
  write("reduce.py", "open('memory.cfg')\n");
  std::filesystem::create_symlink("/proc/self/mem", folder / "memory.cfg");
  EXPECT_THAT(siblings("reduce.py"), IsEmpty());
  EXPECT_THAT(capture("reduce.py")->remarks, ElementsAre("memory.cfg is named, but was not taken: " + path("memory.cfg") + ": Input/output error"));
}

TEST_F(CaptureTest, FileThatIsWrittenToMeanwhileIsNotTakenByHalf) {
  write("reduce.py", "import growing\n");
  std::filesystem::create_symlink("/proc/version", folder / "growing.py");  // says it has 0 bytes, and has more
  EXPECT_EQ(trouble("reduce.py").code(), Code::kUnavailable);
  EXPECT_EQ(trouble("reduce.py").message(), path("growing.py") + ": it is being written to");
}

TEST_F(CaptureTest, GigabyteScriptIsRefused) {
  write("reduce.py", "");
  std::filesystem::resize_file(folder / "reduce.py", 1u << 30);
  EXPECT_EQ(trouble("reduce.py").code(), Code::kInvalidArgument);
  EXPECT_THAT(trouble("reduce.py").message(), HasSubstr("over 4 MiB"));
}

TEST_F(CaptureTest, MoreFilesThanTheLimitAreNamed) {
  std::string script;
  for (size_t i = 0; i <= scripts::kMostSiblings; ++i) {
    if (i == scripts::kMostSiblings) {
      write("reduce.py", script);
      EXPECT_EQ(siblings("reduce.py").size(), scripts::kMostSiblings);
    }
    script += "import m" + std::to_string(i) + "\n";
    write("m" + std::to_string(i) + ".py", "");
  }
  write("reduce.py", script);
  EXPECT_EQ(trouble("reduce.py").code(), Code::kInvalidArgument);
  EXPECT_EQ(trouble("reduce.py").message(), path("reduce.py") + ": it needs more than 128 files of its folder (m128.py is one too many)");
}

TEST_F(CaptureTest, MoreBytesThanTheLimitAreNamed) {
  write("reduce.py", "import a, b, c, d, e\n");
  for (const char* name : {"a.py", "b.py", "c.py", "d.py", "e.py"}) {
    write(name, "");
    std::filesystem::resize_file(folder / name, scripts::kLargestFileBytes);
  }
  EXPECT_EQ(trouble("reduce.py").code(), Code::kInvalidArgument);
  EXPECT_THAT(trouble("reduce.py").message(), HasSubstr("over 16 MiB together (with d.py)"));
  std::filesystem::resize_file(folder / "b.py", scripts::kLargestFileBytes + 1);
  EXPECT_EQ(trouble("reduce.py").message(), path("b.py") + ": over 4 MiB, the most that is taken of such a file");
}

TEST_F(CaptureTest, PackagesAboveTheirLimitsAreNamed) {
  std::string deep = "p", module = "p";
  for (size_t level = 1;; ++level) {
    write(deep + "/__init__.py", "");
    if (level == scripts::kMostPackageLevels) {
      write("reduce.py", "import " + module + "\n");
      EXPECT_EQ(siblings("reduce.py").size(), scripts::kMostPackageLevels);
    }
    if (level > scripts::kMostPackageLevels) break;
    deep += "/p", module += ".p";
  }
  EXPECT_EQ(trouble("reduce.py").code(), Code::kInvalidArgument);
  EXPECT_THAT(trouble("reduce.py").message(), HasSubstr("p/p/p: a package more than 8 folders deep is not taken"));
  write("script.py", "import wide\n");
  write("wide/__init__.py", "");
  for (size_t i = 0; i < scripts::kMostPackageNames; ++i) write("wide/" + std::to_string(i), "");
  EXPECT_THAT(trouble("script.py").message(), HasSubstr("wide: a package with more than 1000 files in one folder is not taken"));
}

TEST_F(CaptureTest, FolderIsNotListed) {
  // However many neighbours there are: what is not looked for is not seen.
  write("reduce.py", "import a\n");
  write("a.py", "");
  scripts::Places few, many;
  ASSERT_TRUE(scripts::capture(folder / "reduce.py", Contract::FIA, &few).is_ok());
  for (int i = 0; i < 100; ++i) folder.write("data" + std::to_string(i), "");
  ASSERT_TRUE(scripts::capture(folder / "reduce.py", Contract::FIA, &many).is_ok());
  EXPECT_EQ(few, many);
  EXPECT_EQ(few.size(), 3u) << "the script, a, a.py";
}

TEST_F(CaptureTest, EndlesslyManyNamesAreRefused) {
  std::string many;
  for (int i = 0; i < 7; ++i) {
    many += "from ns" + std::to_string(i) + " import a0";
    for (int name = 1; name < 2000; ++name) many += ",a" + std::to_string(name);
    many += "\n";
    std::filesystem::create_directory(folder / ("ns" + std::to_string(i)));
  }
  write("reduce.py", many);
  EXPECT_EQ(trouble("reduce.py").code(), Code::kInvalidArgument);
  EXPECT_THAT(trouble("reduce.py").message(), HasSubstr("name more than 10000 files"));
}

}  // namespace
