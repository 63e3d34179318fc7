#include "harness/base/device_lock.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "engine/internal/opencl.h"
#include "harness/base/clock.h"
#include "harness/base/failure.h"
#include "tuner/random.h"

namespace loratune {
namespace {

// "0:3b:0.0" as far as the driver tells; empty where it does not.
std::string pci_place(const Device& device) {
  char text[40] = "";
  std::array<cl_uint, 4> khr{};  // domain, bus, device, function
  constexpr cl_device_info kBusInfoKhr = 0x410f;
  constexpr cl_device_info kBusNv = 0x4008;
  constexpr cl_device_info kSlotNv = 0x4009;
  std::array<cl_uint, 2> nv{};
  const auto get = [&](cl_device_info what, std::size_t bytes, void* value) {
    return clGetDeviceInfo(device.handle, what, bytes, value, nullptr) == CL_SUCCESS;
  };
  if (has_extension(device.info, "cl_khr_pci_bus_info") &&
      get(kBusInfoKhr, sizeof(khr), khr.data())) {
    std::snprintf(text, sizeof(text), "pci-%x-%x-%x.%x", khr[0], khr[1], khr[2], khr[3]);
  } else if (has_extension(device.info, "cl_nv_device_attribute_query") &&
             get(kBusNv, sizeof(cl_uint), &nv[0]) && get(kSlotNv, sizeof(cl_uint), &nv[1])) {
    std::snprintf(text, sizeof(text), "pci-%x-%x", nv[0], nv[1]);
  }
  return text;
}

// An abstract name of the greatest length: what does not fit is replaced by a hash of the whole.
sockaddr_un socket_name(const std::string& scope, const std::string& place) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text =
      "loratune-" + std::to_string(seed_of(scope + "/" + place, 0)) + "-" + place;
  text.copy(name.sun_path + 1, sizeof(name.sun_path) - 1);
  return name;
}

// Who has bound the name, as far as it tells.
std::string holder_of(const sockaddr_un& name) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  ucred holder{};
  socklen_t bytes = sizeof(holder);
  const bool known = connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0 &&
                     getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &holder, &bytes) == 0;
  if (fd >= 0) close(fd);
  return known ? " (process " + std::to_string(holder.pid) + ")" : "";
}

}  // namespace

std::string device_place(const Device& device) {
  std::string place = pci_place(device);
  if (place.empty()) {
    const auto handles = devices_of(device_info<cl_platform_id>(device.handle, CL_DEVICE_PLATFORM));
    const auto at = std::find(handles.begin(), handles.end(), device.handle);
    place = std::to_string(at - handles.begin());
  }
  place = device.info.platform + "-" + device.info.name + "-" + place;
  std::replace_if(
      place.begin(), place.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '-'; }, '_');
  return place.substr(0, 200);
}

DeviceLock::DeviceLock(const std::string& place, double wait_s) {
  const char* scope = std::getenv("LORATUNE_LOCK");
  const sockaddr_un name = socket_name(scope != nullptr ? scope : "", place);
  const auto refuse = [&](const std::string& why, ExitCode code = kExitDeviceFault) {
    if (fd_ >= 0) close(fd_);
    throw Failure(code, why);
  };
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) refuse("no lock for " + place + ": " + std::strerror(errno));
  const double until = seconds_now() + wait_s;
  bool told = false;
  while (bind(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) {
    if (errno != EADDRINUSE) refuse("no lock for " + place + ": " + std::strerror(errno));
    const std::string line = "another suite" + holder_of(name) + " is timing on " + place;
    if (seconds_now() >= until) {
      refuse(line + "; --lock-wait sets how long to wait for it", kExitInconclusive);
    }
    if (!told) std::fprintf(stderr, "waiting: %s\n", line.c_str());
    told = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  listen(fd_, 1);  // only so that who waits can ask whom it waits for
}

DeviceLock::~DeviceLock() { close(fd_); }

}  // namespace loratune
