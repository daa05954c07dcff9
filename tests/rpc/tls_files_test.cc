#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "rpc/tls_context.h"
#include "tests/support/certificates.h"
#include "tests/support/temporary_folder.h"

namespace {

using testing::AllOf;
using testing::HasSubstr;

class TlsFilesTest : public testing::Test {
 protected:
  std::string refusal(const rpc::TlsServerFiles& files) {
    auto loaded = rpc::TlsServerContext::load(files);
    return loaded.is_ok() ? "" : loaded.status().message();
  }
  std::string client_refusal(const rpc::TlsClientFiles& files) {
    auto loaded = rpc::TlsClientContext::load(files, "localhost");
    return loaded.is_ok() ? "" : loaded.status().message();
  }
  std::string absent() const { return folder_ / "absent.pem"; }

  support::TemporaryFolder folder_;
  support::CertificateAuthority authority_{folder_.path()};
  support::CertificateFiles server_ = authority_.server("server");
};

TEST_F(TlsFilesTest, ACertificateSaysForWhomAndHowLong) {
  auto loaded = rpc::TlsServerContext::load({server_.certificate, server_.key, authority_.certificate()});
  ASSERT_TRUE(loaded.is_ok()) << loaded.status().message();
  EXPECT_THAT(loaded->certificate(), HasSubstr("the certificate of localhost, 127.0.0.1, ::1, valid until 20"));
  EXPECT_EQ(loaded->warning(), "");
}

TEST_F(TlsFilesTest, AFileThatIsAbsentIsNamed) {
  EXPECT_THAT(refusal({absent(), server_.key}), HasSubstr(absent() + ": cannot read the certificate: No such file"));
  EXPECT_THAT(refusal({server_.certificate, absent()}), HasSubstr(absent() + ": cannot read the private key: No such file"));
  EXPECT_THAT(refusal({server_.certificate, server_.key, absent()}),
              HasSubstr(absent() + ": cannot read the certificates of authorities"));
  EXPECT_THAT(client_refusal({.ca_file = absent()}), HasSubstr(absent() + ": cannot read the certificates of authorities"));
  EXPECT_THAT(refusal({folder_.path(), server_.key}), HasSubstr("Is a directory"));
}

TEST_F(TlsFilesTest, AFileThatIsNoPemIsNamed) {
  const auto text = folder_.write("text.pem", "-----BEGIN NOTHING-----\n");
  chmod(text.c_str(), 0600);
  EXPECT_THAT(refusal({text, server_.key}), HasSubstr(text + ": holds no certificate in PEM"));
  EXPECT_THAT(refusal({server_.certificate, text}), HasSubstr(text + ": holds no private key in PEM"));
  EXPECT_THAT(refusal({server_.certificate, server_.key, text}), HasSubstr(text + ": holds no certificates of authorities"));
}

TEST_F(TlsFilesTest, AKeyOfAnotherCertificateIsRefused) {
  const auto other = authority_.server("other");
  EXPECT_THAT(refusal({server_.certificate, other.key}),
              AllOf(HasSubstr(other.key), HasSubstr("is not the key of the certificate " + server_.certificate)));
}

TEST_F(TlsFilesTest, AKeyThatEverybodyCanReadIsRefused) {
  chmod(server_.key.c_str(), 0644);
  EXPECT_THAT(refusal({server_.certificate, server_.key}), AllOf(HasSubstr(server_.key), HasSubstr("chmod 600")));
}

TEST_F(TlsFilesTest, AKeyWithAPasswordIsRefusedWithoutAskingForIt) {
  const auto locked =
      folder_.write("locked.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGj\n-----END ENCRYPTED PRIVATE KEY-----\n");
  chmod(locked.c_str(), 0600);
  EXPECT_THAT(refusal({server_.certificate, locked}), HasSubstr("is locked with a password"));
}

TEST_F(TlsFilesTest, ACertificateWithoutItsKeyIsRefused) {
  EXPECT_THAT(client_refusal({.certificate = server_.certificate}), HasSubstr("belong together"));
}

TEST_F(TlsFilesTest, ACertificateOutOfItsTimeIsLoadedWithAWarning) {
  const auto expired = authority_.server("expired", {"DNS:localhost"}, {-7200, -3600});
  auto loaded = rpc::TlsServerContext::load({expired.certificate, expired.key});
  ASSERT_TRUE(loaded.is_ok());
  EXPECT_THAT(loaded->warning(), HasSubstr("the certificate has expired on 20"));
  const auto early = authority_.server("early", {"DNS:localhost"}, {3600, 7200});
  loaded = rpc::TlsServerContext::load({early.certificate, early.key});
  ASSERT_TRUE(loaded.is_ok());
  EXPECT_THAT(loaded->warning(), HasSubstr("look at this machine's clock"));
}

TEST_F(TlsFilesTest, FilesThatWereReplacedLookDifferent) {
  const rpc::TlsServerFiles files{server_.certificate, server_.key};
  const auto before = rpc::state_of(files);
  EXPECT_EQ(rpc::state_of(files), before);
  authority_.server("server");
  EXPECT_NE(rpc::state_of(files), before);
  std::filesystem::remove(server_.key);
  EXPECT_NE(rpc::state_of(files), before);
}

}  // namespace
