// A ServiceProcess with shell scripts in place of a worker: descriptor 3 takes the replies.
#include "harness/process/service_process.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "harness/base/failure.h"
#include "temporary_folder.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr double kGenerousSeconds = 600;

class Services : public testing::Test {
 protected:
  // Opens, and then does this with each request.
  ServiceProcess service(const std::string& body) {
    return script("read line; echo '{\"device\": \"d\"}' >&3\nwhile read line; do " + body +
                  "; done");
  }
  ServiceProcess script(const std::string& text) {
    const std::filesystem::path path = folder_ / "script";
    write_bytes(path, "#!/bin/sh\n" + text + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return ServiceProcess(path.string(), {{"do", "open"}}, kGenerousSeconds);
  }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }

  TemporaryFolder folder_;
};

const json kDone = {{"done", 1}};

Exchange ask(ServiceProcess& service) { return service.ask({{"do", "it"}}, kGenerousSeconds); }

TEST_F(Services, AnswerOneRequestAfterTheOther) {
  ServiceProcess one = service("echo '{\"done\": 1}' >&3");
  EXPECT_EQ(ask(one).reply, kDone);
  EXPECT_EQ(ask(one).reply, kDone);
  EXPECT_EQ(one.generation(), 1);
}

TEST_F(Services, ARequestWhoseProcessDiedIdleIsAskedAgainOfTheNextOne) {
  // A script never says that it is busy.
  ServiceProcess one = service("mkdir " + file("died") + " && exit 3; echo '{\"done\": 1}' >&3");
  const Exchange exchange = ask(one);
  EXPECT_EQ(exchange.status, Exchange::Status::ok) << exchange.detail;
  EXPECT_EQ(one.generation(), 2);
}

TEST_F(Services, AreGivenUpAfterThreeThatDie) {
  ServiceProcess one = service("exit 3");
  const Exchange exchange = ask(one);
  EXPECT_EQ(exchange.status, Exchange::Status::idle);
  EXPECT_EQ(exchange.detail, "the worker process ended with exit code 3");
  EXPECT_EQ(one.generation(), 3);
}

TEST_F(Services, AProcessThatADriverForkedDoesNotHideTheEnd) {
  ServiceProcess one = service("sleep 600 & echo $! > " + file("pid") + "; exit 7");
  one.make_ready();
  const Exchange exchange = one.transact({{"do", "it"}}, kGenerousSeconds);
  EXPECT_EQ(exchange.detail, "the worker process ended with exit code 7");
  EXPECT_EQ(std::system(("kill $(cat " + file("pid") + ")").c_str()), 0);
}

TEST_F(Services, AProcessThatClosesItsPipeIsEnded) {
  ServiceProcess one = service("exec 3>&-; exec sleep 600");
  one.make_ready();
  const Exchange exchange = one.transact({{"do", "it"}}, kGenerousSeconds);
  EXPECT_EQ(exchange.detail, "the worker process closed its pipe; killed");
  EXPECT_FALSE(one.process().alive());
}

// The page's descriptor is 4, and `steps` its third number.
TEST_F(Services, ADeadlineIsOfAStepWhereTheProcessCountsThem) {
  static_assert(offsetof(WorkerShared, steps) == 8);
  const std::string step =
      "printf \"\\\\$i\" | dd of=/dev/fd/4 bs=1 seek=8 conv=notrunc 2>/dev/null; sleep 0.5; ";
  const std::string steps = "for i in 1 2 3 4 5 6 7 10 11 12 13 14 15 16 17 20 21 22; do " + step;
  ServiceProcess one = service(steps + "done; echo '{\"done\": 1}' >&3");
  one.make_ready();
  constexpr double kDeadline = 8;  // seconds: less than all steps take, far more than one
  const Exchange exchange = one.transact({{"do", "it"}}, kDeadline);
  EXPECT_EQ(exchange.status, Exchange::Status::ok) << exchange.detail;
}

TEST_F(Services, AProcessThatNeverRepliesIsEnded) {
  ServiceProcess one = service("exec sleep 600");
  one.make_ready();
  const pid_t pid = one.process().pid();
  const Exchange exchange = one.transact({{"do", "it"}}, 0.2);
  EXPECT_EQ(exchange.status, Exchange::Status::timed_out);
  EXPECT_NE(kill(pid, 0), 0);
}

TEST_F(Services, NonsenseCostsTheProcess) {
  ServiceProcess one = service("echo nonsense >&3");
  EXPECT_EQ(ask(one).status, Exchange::Status::crashed);
  EXPECT_FALSE(one.process().alive());
}

TEST_F(Services, WhoCannotBeOpenedIsADeviceFault) {
  const std::pair<std::string, std::string> cases[] = {
      {"read line; echo '{\"fatal\": \"no such device\"}' >&3; read line",
       "the worker cannot open the device: no such device"},
      {"exit 4",
       "three workers in a row could not open the device: the worker process ended with exit code "
       "4"}};
  for (const auto& [text, why] : cases) {
    ServiceProcess one = script(text);
    try {
      one.make_ready();
      ADD_FAILURE() << text;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), kExitDeviceFault);
      EXPECT_EQ(failure.what(), why);
    }
  }
}

}  // namespace
}  // namespace loratune
