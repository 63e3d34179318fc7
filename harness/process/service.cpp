#include "harness/process/service.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iostream>

#include "harness/base/failure.h"

namespace loratune {
namespace {

using nlohmann::json;

bool write_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = write(fd, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    done += static_cast<std::size_t>(wrote);
  }
  return true;
}

class Server {
 public:
  Server(const std::map<std::string, Service>& services, WorkerShared& shared)
      : services_(services), shared_(shared) {}

  // The reply to a request that came as a line of JSON. Whatever goes wrong is a reply too.
  json reply_to(const std::string& line) {
    try {
      const json request = json::parse(line);
      if (request.contains("service")) {
        handler_ = services_.at(request["service"].get<std::string>())(shared_);
      }
      return handler_(request);
    } catch (const std::exception& error) {
      return {{"fatal", error.what()}};
    }
  }

 private:
  const std::map<std::string, Service>& services_;
  WorkerShared& shared_;
  Handler handler_;
};

}  // namespace

int serve(const std::map<std::string, Service>& services) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // no orphan, however the parent ends
  // What ends a mode early is the parent's to handle: it still wants this round's times.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
  void* mapped =
      mmap(nullptr, sizeof(WorkerShared), PROT_READ | PROT_WRITE, MAP_SHARED, kWorkerSharedFd, 0);
  if (mapped == MAP_FAILED) {
    throw Failure(kExitUsage, "--worker is for lora-bench itself to start");
  }
  auto& shared = *static_cast<WorkerShared*>(mapped);
  if (getppid() != shared.parent) return kExitUsage;  // it ended before the signal was asked for
  // Replies have a descriptor of their own: drivers print on stdout.
  Server server(services, shared);
  std::string line;
  while (std::getline(std::cin, line)) {
    shared.busy = 1;
    const json reply = server.reply_to(line);
    shared.current_arm = kNoArm;
    shared.busy = 0;
    const std::string text = reply.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
    if (!write_all(kWorkerReplyFd, text)) return kExitUsage;
  }
  return kExitGood;
}

}  // namespace loratune
