// Who is to blame when a worker process dies, and what is prepared again.
#include "harness/worker/prepared_arms.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness/base/interrupt.h"
#include "patience.h"
#include "test_plans.h"

namespace loratune {
namespace {

Round round_of(std::vector<int> order) {
  Round round;
  round.order = std::move(order);
  return round;
}

class PreparedArmsTest : public testing::Test {
 protected:
  PreparedArmsTest() { select(); }

  void select() {
    arms_.select(small_problem(), 1, Cache::warm, false, [this](Worker& worker, int arm) {
      ++prepared_;
      if (std::exchange(lose_next_, false)) return Prepared{Outcome::runtime, 0, 0, "lost"};
      return worker.prepare(arm, plans_.at(static_cast<std::size_t>(arm)), 0);
    });
  }
  void kill_worker() {
    ASSERT_GT(worker_.pid(), 0);
    kill(worker_.pid(), SIGKILL);
    siginfo_t info{};  // it is dead from here on, and its parent has yet to notice
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(worker_.pid()), &info, WEXITED | WNOWAIT), 0);
  }

  Worker worker_{"Portable Computing Language", generous_deadlines(), LORATUNE_BENCH};
  PreparedArms arms_{worker_};
  std::vector<LaunchPlan> plans_ = {split_plan(), split_plan()};
  int prepared_ = 0;
  bool lose_next_ = false;  // the next that is prepared costs its process
};

TEST_F(PreparedArmsTest, ArePreparedOnceAndAgainAfterAnIdleProcessDied) {
  ASSERT_EQ(arms_.prepare(0).outcome, Outcome::correct);
  ASSERT_EQ(arms_.prepare(1).outcome, Outcome::correct);
  EXPECT_EQ(arms_.run_round(round_of({0, 1})).ns.size(), 2U);
  EXPECT_EQ(prepared_, 2);
  kill_worker();
  EXPECT_EQ(arms_.run_round(round_of({0, 1})).ns.size(), 2U);
  EXPECT_EQ(prepared_, 4);
  kill_worker();
  EXPECT_EQ(arms_.recheck(1).outcome, Outcome::correct);
}

TEST_F(PreparedArmsTest, ARequestThatFindsAnIdleProcessDeadIsAskedAgain) {
  ASSERT_EQ(arms_.prepare(0).outcome, Outcome::correct);
  for (int i = 0; i < 5; ++i) {
    kill_worker();
    const Prepared prepared = arms_.prepare(0);
    EXPECT_EQ(prepared.outcome, Outcome::correct) << prepared.detail;
  }
}

TEST_F(PreparedArmsTest, AnArmMayBePreparedOnceMoreWhereItCostTheProcess) {
  lose_next_ = true;
  EXPECT_EQ(arms_.prepare(0).outcome, Outcome::runtime);
  lose_next_ = true;
  EXPECT_EQ(arms_.prepare_or_retry(0).outcome, Outcome::correct);
  EXPECT_EQ(prepared_, 3);
  plans_[1] = plan_of("this is no C;");
  EXPECT_EQ(arms_.prepare_or_retry(1).outcome, Outcome::compile);
  EXPECT_EQ(prepared_, 4) << "what costs no process is not tried again";
}

TEST_F(PreparedArmsTest, AnArmThatCannotBePreparedAgainHasFailed) {
  ASSERT_EQ(arms_.prepare(0).outcome, Outcome::correct);
  ASSERT_EQ(arms_.prepare(1).outcome, Outcome::correct);
  plans_[1] = plan_of("this is no C;");
  kill_worker();
  const RoundReply reply = arms_.run_round(round_of({0, 1}));
  EXPECT_EQ(reply.failed, 1);
  EXPECT_EQ(reply.failure, Outcome::compile);
}

TEST_F(PreparedArmsTest, AnArmMayBeLostOnceWhileItIsPreparedAgainAndNotTwice) {
  ASSERT_EQ(arms_.prepare(0).outcome, Outcome::correct);
  for (const bool first : {true, false}) {
    kill_worker();
    lose_next_ = true;
    const RoundReply reply = arms_.run_round(round_of({0}));
    EXPECT_TRUE(reply.ns.empty());
    EXPECT_EQ(reply.failed, first ? void_round().failed : 0);
    EXPECT_EQ(arms_.run_round(round_of({0})).ns.size(), 1U);
  }
}

TEST_F(PreparedArmsTest, AnArmMayLoseItsProcessOnceAndNotTwice) {
  ASSERT_EQ(arms_.prepare(0).outcome, Outcome::correct);
  Round round = round_of({0});
  round.runs = 1 << 20;  // seconds, to be killed among
  for (const bool first : {true, false}) {
    ASSERT_EQ(arms_.prepare(0).outcome, Outcome::correct);
    std::thread killer([pid = worker_.pid()] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      kill(pid, SIGKILL);
    });
    const RoundReply reply = arms_.run_round(round);
    killer.join();
    EXPECT_TRUE(reply.ns.empty());
    EXPECT_EQ(reply.failed, first ? void_round().failed : 0);
  }
}

// Killed by others while it checks: the arm is checked again.
TEST_F(PreparedArmsTest, ARecheckMayLoseItsProcessOnce) {
  ASSERT_EQ(arms_.prepare(0).outcome, Outcome::correct);
  const pid_t first = worker_.pid();
  kill(first, SIGSTOP);  // so that the check cannot be over before the kill
  std::thread killer([first] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    kill(first, SIGKILL);
  });
  const Prepared checked = arms_.recheck(0);
  killer.join();
  EXPECT_EQ(checked.outcome, Outcome::correct) << checked.detail;
  EXPECT_NE(worker_.pid(), first);
}

TEST_F(PreparedArmsTest, TimeInWhichTheProcessIsStoppedIsNoneOfItsOwn) {
  Deadlines deadlines = generous_deadlines();
  deadlines.run_slack = 2;
  Worker worker("Portable Computing Language", deadlines, LORATUNE_BENCH);
  worker.set_problem(small_problem(), 1);
  ASSERT_EQ(worker.prepare(0, split_plan(), 0).outcome, Outcome::correct);
  kill(worker.pid(), SIGSTOP);
  std::thread waker([pid = worker.pid()] {
    std::this_thread::sleep_for(std::chrono::seconds(5));
    kill(pid, SIGCONT);
  });
  const RoundReply reply = worker.run_round(round_of({0, 0}));
  waker.join();
  EXPECT_LT(reply.failed, 0);
  EXPECT_EQ(reply.ns.size(), 2U);
  EXPECT_EQ(worker.generation(), 1);
}

TEST_F(PreparedArmsTest, AWaitEndsWhenItIsInterrupted) {
  ASSERT_EQ(arms_.prepare(0).outcome, Outcome::correct);
  worker_.interrupt_when([] { return true; });
  kill(worker_.pid(), SIGSTOP);
  EXPECT_THROW(arms_.recheck(0), Interrupted);
  EXPECT_FALSE(worker_.alive());
}

}  // namespace
}  // namespace loratune
