// One sweep over many devices. Rank 0 hands portions of the problems to the ranks, its own among
// them, as they become idle; a rank sweeps a portion in a process of its own, with a journal of its
// own. Messages say only who is idle, who runs what and who is alive: what was measured is in the
// journals, in a folder that all ranks share, and the tuned file is made from all of them.
//
// A portion whose sweep fails is handed out again, and the next sweep goes on with its journal. So
// is the portion of a rank that is gone, where the launcher lets the other ranks live (Open MPI's
// --enable-recovery). Otherwise, and when rank 0 is gone, the launcher ends every rank, and the
// same command with --resume goes on.
//
// A build without MPI has no_mpi.cpp in place of this file.
#include <sys/wait.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "dispatch/internal/printable.h"
#include "harness/base/clock.h"
#include "harness/base/device_json.h"
#include "harness/base/device_lock.h"
#include "harness/base/failure.h"
#include "harness/base/find_devices.h"
#include "harness/base/options.h"
#include "harness/base/selection.h"
#include "harness/fleet/active_clock.h"
#include "harness/fleet/folder.h"
#include "harness/fleet/modes.h"
#include "harness/fleet/post.h"
#include "harness/fleet/schedule.h"
#include "harness/fleet/sweep.h"
#include "harness/sweep/report.h"

namespace loratune {
namespace {

using nlohmann::json;

constexpr double kHeartbeat = 1;  // seconds
constexpr double kLostAfter = 15;

// The device of this rank. The devices that --device means are equal, and the ranks of a host take
// them in turn.
struct OwnDevice {
  std::string index;
  DeviceInfo info;  // the same on each rank
};

OwnDevice device_of(const std::string& selector, int rank_of_host) {
  std::vector<std::string> complaints;
  const std::vector<Device> devices = find_devices(complaints);
  const bool index = !selector.empty() && selector.find_first_not_of("0123456789") == selector.npos;
  std::vector<std::size_t> meant;
  std::optional<DeviceInfo> first;
  if (selector.empty() || index || devices.empty()) first = select_device(selector).info;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const DeviceInfo& info = devices[i].info;
    if (index ? selector != std::to_string(i)
              : display_name(info).find(selector) == std::string::npos) {
      continue;
    }
    if (!first) first = info;
    if (same_device(info, *first)) {
      meant.push_back(i);
    } else if (!selector.empty()) {
      throw Failure(kExitUsage, "--device '" + selector +
                                    "' matches devices that differ; a sweep is of equal ones");
    }
  }
  if (meant.empty()) throw Failure(kExitUsage, "--device '" + selector + "' matches no device");
  return {std::to_string(meant[static_cast<std::size_t>(rank_of_host) % meant.size()]), *first};
}

Fleet make_fleet(const Options& options, int rank_of_host, int ranks) {
  Fleet fleet;
  fleet.options = options;
  const OwnDevice device = device_of(options.device, rank_of_host);
  fleet.options.device = device.index;
  if (options.builders < 0) fleet.options.builders = usual_builders(ranks);
  fleet.setup = setup_from(fleet.options);
  fleet.setup.device = device.info;
  // A fleet that goes on may find that the file at --out has changed since it began.
  fleet.setup.options.known.clear();
  if (!fleet.setup.options.weights.empty()) {
    throw Failure(kExitUsage, "--weights: a fleet spends the same time on each problem");
  }
  fleet.place = device_place(select_device(fleet.options.device));
  fleet.folder = options.journal + ".d";
  fleet.portions = portions_of(fleet.setup.options.problems, options.mode);
  return fleet;
}

// The portions that an earlier run has decided. A large sweep's journals take long to replay, so
// rank 0 does it while the other ranks still wait for it to begin. Throws Failure (kExitUsage) for
// the journal of another sweep.
std::vector<std::size_t> decided_before(const Fleet& fleet) {
  std::vector<std::size_t> decided;
  for (std::size_t i = 0; i < fleet.portions.size(); ++i) {
    const auto there = journal_there(fleet.journal(i));
    if (!there) continue;
    open_portion(fleet, i, 0);  // refuses the journal of another sweep
    if (replay_journals({&*there, 1}).front().whole) decided.push_back(i);
  }
  return decided;
}

// A Coordinator is what rank 0 does besides its own sweeps: it hands out portions, counts what is
// decided and gives up ranks that are silent.
class Coordinator {
 public:
  Coordinator(const Fleet& fleet, Post& post, const std::vector<std::size_t>& decided)
      : fleet_(fleet),
        post_(post),
        schedule_(weights(fleet), post.ranks()),
        idle_(static_cast<std::size_t>(post.ranks())),
        gone_(idle_),
        heard_(idle_.size()),
        started_(seconds_now()) {
    for (const std::size_t portion : decided) schedule_.known(portion);
  }

  // `active_s`, here and below: what the ActiveClock of serve() shows.
  void told(const Message& message, double active_s) {
    const auto from = static_cast<std::size_t>(message.from);
    heard_[from] = active_s;
    if (gone_[from]) return;  // its portion was given to another rank
    if (message.word == Word::idle) idle_[from] = true;
    if (message.word != Word::ended) return;
    const auto portion = static_cast<std::size_t>(message.portion);
    if (message.value == 0) {
      schedule_.decided(message.from);
      std::fprintf(stderr, "%zu of %zu problems after %.0f s\n",
                   fleet_.setup.options.problems.size() - schedule_.undecided(),
                   fleet_.setup.options.problems.size(), seconds_now() - started_);
    } else {
      std::fprintf(stderr, "rank %d failed on %s; it is handed out again\n", message.from,
                   printable_line(fleet_.journal(portion)).c_str());
      schedule_.failed(message.from);
    }
  }

  // Gives every idle rank a portion, if there is one for it. Returns true once all is over.
  bool step(double active_s) {
    const double left = std::max(fleet_.setup.options.budget_s - (seconds_now() - started_), 1.0);
    for (int rank = 0; rank < post_.ranks(); ++rank) {
      const auto at = static_cast<std::size_t>(rank);
      if (rank != 0 && !gone_[at] && active_s - heard_[at] > kLostAfter) {
        gone_[at] = true;
        idle_[at] = false;
        schedule_.lost(rank);
        post_.lost_a_rank();
        std::fprintf(stderr, "rank %d is gone; its work is handed out again\n", rank);
      }
      if (!idle_[at]) continue;
      const auto portion = schedule_.next(rank);
      if (!portion) continue;
      idle_[at] = false;
      post_.send(rank,
                 {0, Word::run, static_cast<int>(*portion), schedule_.share_s(*portion, left)});
    }
    return schedule_.over();
  }

  void tell_all(Word word) {
    for (int rank = 0; rank < post_.ranks(); ++rank) {
      if (!gone_[static_cast<std::size_t>(rank)]) post_.send(rank, {0, word, -1, 0});
    }
  }

  std::size_t undecided() const { return schedule_.undecided(); }

 private:
  static std::vector<Portion> weights(const Fleet& fleet) {
    std::vector<Portion> portions;
    for (const auto& problems : fleet.portions) {
      portions.push_back({group_key(problems.front()), problems.size()});
    }
    return portions;
  }

  const Fleet& fleet_;
  Post& post_;
  FleetSchedule schedule_;
  std::vector<bool> idle_, gone_;
  std::vector<double> heard_;
  double started_;
};

// Sweeps what this rank is given until rank 0 says stop. Rank 0 passes its coordinator.
void serve(const Fleet& fleet, Post& post, Coordinator* coordinator) {
  pid_t child = -1;
  int portion = -1;
  bool asked = false;
  ActiveClock clock(seconds_now());
  double beat = -kHeartbeat;
  double heard = 0;  // from rank 0
  const auto ended = [&](int code) {
    post.send(0, {post.rank(), Word::ended, portion, static_cast<double>(code)});
    child = -1;
    asked = false;
  };
  for (;;) {
    const double now = clock.at(seconds_now());
    while (const auto message = post.receive()) {
      if (message->from == 0) heard = now;
      if (message->word == Word::stop) return;
      if (message->word == Word::run) {
        portion = message->portion;
        child = start_sweep(fleet, post.rank(), static_cast<std::size_t>(portion), message->value);
        if (child < 0) ended(kExitUsage);
      } else if (coordinator != nullptr) {
        coordinator->told(*message, now);
      }
    }
    int status = 0;
    if (child > 0 && waitpid(child, &status, WNOHANG) == child) {
      ended(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    if (child < 0 && !asked) post.send(0, {post.rank(), Word::idle, -1, 0});
    asked = asked || child < 0;
    if (now - beat >= kHeartbeat) {
      beat = now;
      if (coordinator != nullptr) {
        coordinator->tell_all(Word::alive);
      } else {
        post.send(0, {post.rank(), Word::alive, -1, 0});
      }
    }
    if (post.rank() != 0 && now - heard > kLostAfter) {
      post.lost_a_rank();
      throw Failure(kExitDeviceFault, "rank 0 is gone; --resume goes on with what is decided");
    }
    if (coordinator != nullptr && coordinator->step(now)) coordinator->tell_all(Word::stop);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // not polled: kernels are timed
  }
}

int coordinate(const Fleet& fleet, Post& post, const std::vector<std::size_t>& decided) {
  Coordinator coordinator(fleet, post, decided);
  std::fprintf(stderr, "%s: %d ranks, %zu problems, budget %.0f s\njournals: %s\n",
               printable_line(display_name(fleet.setup.device)).c_str(), post.ranks(),
               fleet.setup.options.problems.size(), fleet.setup.options.budget_s,
               printable_line(fleet.folder.string()).c_str());
  const std::string note = budget_note(fleet.setup.options, post.ranks());
  if (!note.empty()) std::fprintf(stderr, "%s\n", note.c_str());
  tell_limit(fleet.setup.device);
  serve(fleet, post, &coordinator);
  std::vector<JournalContent> journals;
  for (std::size_t i = 0; i < fleet.portions.size(); ++i) {
    if (auto there = journal_there(fleet.journal(i))) journals.push_back(std::move(*there));
  }
  SweepResult swept{fleet.setup, {}, {}, true};
  if (!journals.empty()) swept = std::move(replay_journals(journals).front());
  const ExitCode code = finish_sweep(fleet.options, swept, nullptr);
  if (coordinator.undecided() == 0) return code;
  std::fprintf(stderr, "lora-bench: %zu problems are undecided; --resume tries them again\n",
               coordinator.undecided());
  return kExitDeviceFault;
}

}  // namespace

int fleet_mode(const Options& options) {
  Post post;
  Fleet fleet;
  std::vector<std::size_t> decided;
  std::optional<Failure> failure;
  long print = 0;  // a checksum of the setup, which must be the same on every rank
  try {
    fleet = make_fleet(options, post.rank_of_host(), post.ranks());
    if (post.rank() == 0) {
      require_writable(options.out);
      claim_folder(fleet.folder, options.resume);
      decided = decided_before(fleet);
    }
    const std::string header = lasting(make_header(fleet.setup)).dump();
    print = static_cast<long>(crc32(0, reinterpret_cast<const unsigned char*>(header.data()),
                                    static_cast<unsigned>(header.size())));
  } catch (const Failure& error) {
    failure = error;
  } catch (const std::exception& error) {
    failure = Failure(kExitUsage, error.what());
  }
  const std::vector<long> codes = post.gather(failure ? failure->code() : 0);
  const std::vector<long> prints = post.gather(print);
  const auto bad = std::find_if(codes.begin(), codes.end(), [](long code) { return code != 0; });
  if (bad != codes.end()) {
    if (bad - codes.begin() == post.rank()) throw Failure(*failure);
    return static_cast<int>(*bad);
  }
  const auto other =
      std::find_if(prints.begin(), prints.end(), [&](long one) { return one != prints[0]; });
  if (other != prints.end()) {
    if (post.rank() != 0) return kExitUsage;
    throw Failure(kExitUsage, "rank " + std::to_string(other - prints.begin()) +
                                  " has another device or build than rank 0; sweep each kind of "
                                  "device by itself, and --merge");
  }
  if (post.rank() == 0) {
    try {
      return coordinate(fleet, post, decided);
    } catch (...) {
      for (int rank = 1; rank < post.ranks(); ++rank) post.send(rank, {0, Word::stop, -1, 0});
      throw;
    }
  }
  serve(fleet, post, nullptr);
  return kExitGood;
}

}  // namespace loratune
