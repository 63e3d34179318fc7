#include "engine/internal/programs.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <stdexcept>
#include <utility>
#include <vector>

namespace loratune {
namespace {

// All that decides what a compiler makes: a program of another device or driver has another key.
std::string cache_key(const LaunchPlan& plan, const std::string& options, const DeviceInfo& d) {
  std::string key;
  for (const std::string* part : {&d.platform, &d.vendor, &d.name, &d.driver, &d.device_version,
                                  &d.opencl_c, &options, &plan.source}) {
    key += *part;
    key += '\0';
  }
  return key;
}

// A program that was built for one device of its context, as the driver stores it; empty where it
// does not say. It is the only binary that is not empty: PoCL 3.1 lists sizes in another order than
// devices.
std::string binary_of(cl_program program) {
  const auto ask = [&](cl_program_info what, std::size_t bytes, void* answer) {
    return clGetProgramInfo(program, what, bytes, answer, nullptr) == CL_SUCCESS;
  };
  cl_uint devices = 0;
  if (!ask(CL_PROGRAM_NUM_DEVICES, sizeof devices, &devices) || devices == 0) return {};
  std::vector<std::size_t> sizes(devices);
  if (!ask(CL_PROGRAM_BINARY_SIZES, sizes.size() * sizeof(std::size_t), sizes.data())) return {};
  std::vector<std::string> binaries;
  binaries.reserve(sizes.size());
  std::vector<unsigned char*> places;
  for (const std::size_t size : sizes) {
    places.push_back(reinterpret_cast<unsigned char*>(binaries.emplace_back(size, '\0').data()));
  }
  if (!ask(CL_PROGRAM_BINARIES, places.size() * sizeof(unsigned char*),
           static_cast<void*>(places.data()))) {
    return {};
  }
  std::string* only = nullptr;
  for (std::string& binary : binaries) {
    if (binary.empty()) continue;
    if (only != nullptr) return {};
    only = &binary;
  }
  return only == nullptr ? std::string() : std::move(*only);
}

// The log of a build that failed, or nothing where the driver refuses that too: the build's own
// code says more than this refusal.
std::string log_of_failed(cl_program program, cl_device_id device) {
  try {
    return build_log(program, device);
  } catch (const OpenclError&) {
    return {};
  }
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Programs::Programs(cl_context context, const Device& device, const EngineOptions& options)
    : context_(context), device_(device) {
  if (!options.cache_folder.empty()) cache_.emplace(options.cache_folder, options.cache_bytes);
}

cl_program Programs::get(const LaunchPlan& plan, std::string& log) {
  const std::string key = program_key(plan);
  std::promise<std::shared_ptr<const Compiled>> promise;
  std::shared_future<std::shared_ptr<const Compiled>> future;
  bool first = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto [at, fresh] = programs_.try_emplace(key);
    if (fresh) at->second = promise.get_future().share();
    future = at->second;
    first = fresh;
  }
  if (first) {
    try {
      promise.set_value(std::make_shared<const Compiled>(compile(plan)));
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
    const bool kept = [&] {
      try {
        return future.get()->program != nullptr;
      } catch (...) {
        return false;
      }
    }();
    if (!kept) {
      const std::lock_guard<std::mutex> lock(mutex_);
      programs_.erase(key);
    }
  }
  const std::shared_ptr<const Compiled> compiled = future.get();
  log = compiled->log;
  return compiled->program.get();
}

Programs::Compiled Programs::compile(const LaunchPlan& plan) const {
  const std::string options = build_options(plan);
  const std::string key = cache_ ? cache_key(plan, options, device_.info) : "";
  if (Handle<cl_program> stored = from_cache(key, options)) return {std::move(stored), {}};
  Handle<cl_program> program = make_program(context_, plan.source);
  try {
    build_program(program.get(), device_.handle, options);
  } catch (const OpenclError& error) {
    if (error.code() == CL_OUT_OF_HOST_MEMORY) throw;  // it says nothing of the program
    return {nullptr,
            std::string(error.what()) + '\n' + log_of_failed(program.get(), device_.handle)};
  }
  to_cache(key, program.get());
  return {std::move(program), {}};
}

Handle<cl_program> Programs::from_cache(const std::string& key, const std::string& options) const {
  const std::optional<std::string> binary = cache_ ? cache_->load(key) : std::nullopt;
  if (!binary) return nullptr;
  const auto* bytes = reinterpret_cast<const unsigned char*>(binary->data());
  const std::size_t size = binary->size();
  cl_int status = CL_SUCCESS;
  cl_int code = CL_SUCCESS;
  Handle<cl_program> program(
      clCreateProgramWithBinary(context_, 1, &device_.handle, &size, &bytes, &status, &code));
  if (code == CL_SUCCESS && status == CL_SUCCESS &&
      clBuildProgram(program.get(), 1, &device_.handle, options.c_str(), nullptr, nullptr) ==
          CL_SUCCESS) {
    return program;
  }
  cache_->remove(key);  // another driver, though it calls itself the same
  return nullptr;
}

void Programs::to_cache(const std::string& key, cl_program program) const {
  if (!cache_) return;
  const std::string binary = binary_of(program);
  if (!binary.empty()) cache_->store(key, binary);
}

EngineOptions options_from_env(EngineOptions options) {
  const std::string folder = environment("LORATUNE_CACHE_DIR");
  if (!folder.empty()) options.cache_folder = folder;
  const std::string bytes = environment("LORATUNE_CACHE_BYTES");
  if (bytes.empty()) return options;
  const char* const end = bytes.data() + bytes.size();
  const auto [read, error] = std::from_chars(bytes.data(), end, options.cache_bytes);
  if (error != std::errc() || read != end) {
    throw std::invalid_argument("LORATUNE_CACHE_BYTES is no number of bytes");
  }
  return options;
}

}  // namespace loratune
