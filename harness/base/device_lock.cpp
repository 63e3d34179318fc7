#include "harness/base/device_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
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

#include "harness/base/clock.h"
#include "harness/base/failure.h"

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
    return clGetDeviceInfo(device.handle(), what, bytes, value, nullptr) == CL_SUCCESS;
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

std::string pid_in(int fd) {
  std::array<char, 16> text{};
  const ssize_t got = pread(fd, text.data(), text.size() - 1, 0);
  return got > 0 ? " (process " + std::string(text.data()) + ")" : "";
}

}  // namespace

std::string device_place(const Device& device) {
  std::string place = pci_place(device);
  if (place.empty()) {
    std::vector<cl::Device> handles;
    cl::Platform(device.handle.getInfo<CL_DEVICE_PLATFORM>())
        .getDevices(CL_DEVICE_TYPE_ALL, &handles);
    const auto at = std::find_if(handles.begin(), handles.end(), [&](const cl::Device& handle) {
      return handle() == device.handle();
    });
    place = std::to_string(at - handles.begin());
  }
  place = device.info.platform + "-" + device.info.name + "-" + place;
  std::replace_if(
      place.begin(), place.end(),
      [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '-'; }, '_');
  return place.substr(0, 200);
}

std::string lock_folder() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  std::string folder = runtime != nullptr && *runtime != '\0'
                           ? std::string(runtime) + "/loratune"
                           : "/tmp/loratune-" + std::to_string(geteuid());
  const bool made = mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST;
  struct stat status {};
  if (!made || lstat(folder.c_str(), &status) != 0) {
    throw Failure(kExitUsage, "no folder for locks: '" + folder + "': " + std::strerror(errno));
  }
  if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid()) {
    throw Failure(kExitUsage, "no folder for locks: '" + folder + "' is none of this user's");
  }
  return folder;
}

DeviceLock::DeviceLock(const std::string& place, double wait_s) {
  const std::string path = lock_folder() + "/" + place + ".lock";
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) {
    throw Failure(kExitUsage, "lock '" + path + "' cannot be made: " + std::strerror(errno));
  }
  const double until = seconds_now() + wait_s;
  bool told = false;
  while (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    const int error = errno;
    const std::string holder = pid_in(fd_);
    if (error != EWOULDBLOCK || seconds_now() >= until) {
      close(fd_);
      throw Failure(kExitDeviceFault, error == EWOULDBLOCK
                                          ? "another suite" + holder + " is timing on " + place +
                                                "; --lock-wait sets how long to wait for it"
                                          : "lock '" + path + "': " + std::strerror(error));
    }
    if (!told) {
      std::fprintf(stderr, "waiting: another suite%s is timing on %s\n", holder.c_str(),
                   place.c_str());
    }
    told = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const std::string pid = std::to_string(getpid());
  // Only to be read by who waits: a failure costs them the number.
  if (ftruncate(fd_, 0) != 0 || pwrite(fd_, pid.data(), pid.size(), 0) < 0) return;
}

DeviceLock::~DeviceLock() { close(fd_); }

}  // namespace loratune
