// Writes an adapter as another tool's folder. What that tool cannot say is refused, and nothing is
// written then.
//
// Threads: any number of threads may save at a time; of two that save to one folder at most one
// does.
#pragma once

#include <optional>
#include <string>

#include "loratune/adapters/adapter.h"

namespace loratune {

// `alpha`: what a reader of metal-candle's files, which store none, will be told. `heads` of the
// queries and `heads_kv` of the keys: of the attention of a GGUF's llama model, whose rows of
// attn_q and attn_k llama.cpp has reordered; 0: not known. Keys have as many heads as queries where
// both have as many outputs; else `heads_kv` must be said.
struct SaveOptions {
  std::optional<double> alpha;
  int heads = 0, heads_kv = 0;
};

// Empty, or in one line which of the options would be dropped: an `alpha` where the format stores
// its own, and heads of an adapter whose rows nobody has reordered. The line begins with the
// option's name.
std::string unused_option(const Adapter& adapter, Format format, const SaveOptions& options);

// Makes `folder`, which must not exist or be empty. The folder takes its name when all of it is on
// the disk and has been read again, with the same bytes of A and B and the same scales. One that is
// there and empty stays what it is, with its mode and the links to it: the files then appear in it
// one by one, the config last. Empty, or the error in one line. GGUF is read only, and an unused
// option is refused. Throws std::bad_alloc.
std::string save_adapter(const Adapter& adapter, Format format, const std::string& folder,
                         const SaveOptions& options = {});

}  // namespace loratune
