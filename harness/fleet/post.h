// The messages of a fleet, over MPI.
#pragma once

#include <mpi.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <thread>
#include <vector>

#include "harness/base/failure.h"

namespace loratune {

enum class Word : std::uint8_t { idle, ended, alive, run, stop };

// run: sweep `portion`, for at most `value` seconds. ended: value is the exit code.
struct Message {
  int from = 0;
  Word word = Word::alive;
  int portion = -1;
  double value = 0;
};

// Messages between ranks. To itself a rank sends without MPI.
class Post {
 public:
  Post() {
    MPI_Init(nullptr, nullptr);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);  // of a rank that is gone
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks_);
    MPI_Comm host = MPI_COMM_NULL;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_rank(host, &rank_of_host_);
    MPI_Comm_free(&host);
  }
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;
  ~Post() {
    if (!rank_gone_) MPI_Finalize();
  }

  // MPI_Finalize would wait for it for ever.
  void lost_a_rank() { rank_gone_ = true; }

  int rank() const { return rank_; }
  int ranks() const { return ranks_; }
  int rank_of_host() const { return rank_of_host_; }

  void send(int to, const Message& message) {
    if (to == rank_) return to_self_.push_back(message);
    // Not waited for: a rank that is gone takes nothing.
    sends_.remove_if([](Send& send) {
      int done = 0;
      MPI_Test(&send.request, &done, MPI_STATUS_IGNORE);
      return done != 0;
    });
    Send& send = sends_.emplace_back();
    send.words = {static_cast<double>(message.word), static_cast<double>(message.portion),
                  message.value};
    MPI_Isend(send.words.data(), 3, MPI_DOUBLE, to, 0, MPI_COMM_WORLD, &send.request);
  }

  std::optional<Message> receive() {
    if (!to_self_.empty()) {
      const Message message = to_self_.front();
      to_self_.pop_front();
      return message;
    }
    int there = 0;
    MPI_Status status;
    if (MPI_Iprobe(MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &there, &status) != MPI_SUCCESS ||
        there == 0) {
      return std::nullopt;
    }
    std::array<double, 3> words{};
    if (MPI_Recv(words.data(), 3, MPI_DOUBLE, status.MPI_SOURCE, 0, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE) != MPI_SUCCESS) {
      return std::nullopt;
    }
    return Message{status.MPI_SOURCE, static_cast<Word>(static_cast<int>(words[0])),
                   static_cast<int>(words[1]), words[2]};
  }

  // What each rank says, by rank. Throws Failure (kExitDeviceFault) where MPI cannot. Who waits for
  // the others sleeps between looks: MPI_Allgather() would keep a core busy, which a replay of rank
  // 0 or another sweep on the host wants.
  std::vector<long> gather(long mine) const {
    std::vector<long> all(static_cast<std::size_t>(ranks_));
    MPI_Request request = MPI_REQUEST_NULL;
    const auto require = [](int code) {
      if (code != MPI_SUCCESS) throw Failure(kExitDeviceFault, "the ranks of the fleet lost touch");
    };
    require(MPI_Iallgather(&mine, 1, MPI_LONG, all.data(), 1, MPI_LONG, MPI_COMM_WORLD, &request));
    for (int done = 0;;) {
      require(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
      if (done != 0) return all;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

 private:
  struct Send {
    std::array<double, 3> words{};
    MPI_Request request = MPI_REQUEST_NULL;
  };
  bool rank_gone_ = false;
  int rank_ = 0, ranks_ = 1, rank_of_host_ = 0;
  std::deque<Message> to_self_;
  std::list<Send> sends_;
};

}  // namespace loratune
