#include "engine/internal/programs.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <stdexcept>
#include <utility>

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

// The program as the driver stores it for the one device; empty where it does not say.
std::string binary_of(cl_program program) {
  std::size_t size = 0;
  if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr) !=
      CL_SUCCESS) {
    return {};
  }
  std::string binary(size, '\0');
  auto* place = reinterpret_cast<unsigned char*>(binary.data());
  if (size == 0 || clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof place,
                                    static_cast<void*>(&place), nullptr) != CL_SUCCESS) {
    return {};
  }
  return binary;
}

// Whether the program is of one device: its binaries are then of that one.
bool is_of_one_device(cl_program program) {
  cl_uint devices = 0;
  return clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof devices, &devices, nullptr) ==
             CL_SUCCESS &&
         devices == 1;
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
  if (!cache_ || !is_of_one_device(program)) return;
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
