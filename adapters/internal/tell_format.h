// Which tool wrote files whose names do not say it.
#pragma once

#include <string>
#include <vector>

#include "adapters/internal/adapter_config.h"
#include "adapters/internal/source.h"
#include "loratune/adapters/load_adapter.h"
#include "loratune/adapters/tensor_file.h"

namespace loratune {

// A file of the adapter with its name for messages, and as it was when it was mapped.
struct OpenFile {
  std::string path;
  TensorFile tensors;
  FileState state;
};

// All files of an adapter.
using Files = std::vector<OpenFile>;

// By PEFT's keys, then by the config, then by the shapes. Throws AdapterFault where these leave
// more than one tool.
Format tell_format(const Source& source, const Files& files, const AdapterConfig& config,
                   const LoadOptions& options);

}  // namespace loratune
