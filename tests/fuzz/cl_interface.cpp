// Bytes as structs of the C interface with OpenCL, as far as it goes without a device: each
// function is asked with no object, or with one of another type, and must refuse in words. A struct
// stands in memory of the size that it states, so that a read behind it is found.
//
//     1 byte: room for the words; 1 byte: a bit for each object that is not NULL; then the structs
//     of Structs
#include <loratune/loratune_cl.h>

#include <cstring>
#include <memory>

#include "fuzz.h"

namespace loratune::fuzz {
namespace {

struct Structs {
  loratune_call call;
  loratune_matrix from, to;
  loratune_module_source module;
  loratune_engine_options options;
  loratune_problem problem;
  loratune_weights_source source;
};
constexpr std::size_t kHead = 2;

// A struct in memory of its own.
template <class T>
class Placed {
 public:
  explicit Placed(const T& value)
      : bytes_(takes(value.size) ? value.size : sizeof(T)), memory_(new std::byte[bytes_]) {
    std::memcpy(memory_.get(), &value, bytes_);
  }
  T* get() const { return reinterpret_cast<T*>(memory_.get()); }
  // Whether the size is one that the interface takes.
  static bool takes(std::uint32_t size) {
    return size > 0 && size <= sizeof(T) && size % alignof(T) == 0;
  }

 private:
  std::size_t bytes_;
  std::unique_ptr<std::byte[]> memory_;
};

// An object that is none of ours.
template <class T>
T* foreign(bool there) {
  static std::uint64_t none[8] = {1};
  return there ? reinterpret_cast<T*>(none) : nullptr;
}

// Words of so much room, with a mark behind it.
class Detail {
 public:
  explicit Detail(std::size_t room) : bytes_(room + 1, '\0') {
    bytes_.back() = kMark;
    text_ = {room > 0 ? bytes_.data() : nullptr, room, 0};
  }
  loratune_text* text() { return &text_; }
  void expect_sound() const {
    expect(bytes_.back() == kMark, "words stay within their room");
    const std::size_t end = bytes_.find('\0');
    expect(text_.data == nullptr || end != std::string::npos, "words end");
    expect_printable(std::string_view(bytes_).substr(0, text_.data == nullptr ? 0 : end));
  }
  void expect_words() const {
    expect_sound();
    expect(text_.length > 0, "a refusal says why");
  }

 private:
  static constexpr char kMark = '\x7f';
  std::string bytes_;
  loratune_text text_;
};

class Calls {
 public:
  Calls(std::size_t room, unsigned there) : room_(room), there_(there) {}

  template <class T>
  T* some(unsigned bit) const {
    return foreign<T>((there_ >> bit & 1U) != 0);
  }

  template <class Ask>
  void refused(Ask ask) const {
    Detail detail(room_);
    expect(ask(detail.text()) != LORATUNE_SUCCESS, "nothing is made without a device");
    detail.expect_words();
  }

  // The same of a function that gives an object.
  template <class Made, class Ask>
  void makes_none(Ask ask) const {
    Made* made = foreign<Made>(true);
    refused([&](loratune_text* detail) { return ask(&made, detail); });
    expect(made == nullptr, "a refusal gives no object");
    refused([&](loratune_text* detail) { return ask(nullptr, detail); });
  }

  void ask(Structs& given) const {
    engines(given.options);
    auto* const engine = some<loratune_engine>(0);
    auto* const queue = some<_cl_command_queue>(1);
    given.source.a = given.source.b = nullptr;
    given.module.a = given.module.b = given.module.g = nullptr;
    const Placed<loratune_weights_source> source(given.source);
    const Placed<loratune_module_source> module(given.module);
    const Placed<loratune_problem> problem(given.problem);
    const loratune_weights_source* const sources[] = {source.get(), nullptr};
    const loratune_module_source* const modules[] = {module.get(), nullptr};
    const std::size_t count = static_cast<std::size_t>(given.call.m);
    makes_none<loratune_weights>([&](loratune_weights** made, loratune_text* detail) {
      return loratune_weights_create(engine, source.get(), made, detail);
    });
    makes_none<loratune_weights>([&](loratune_weights** made, loratune_text* detail) {
      return loratune_weights_concat(engine, sources, count, made, detail);
    });
    makes_none<loratune_weights>([&](loratune_weights** made, loratune_text* detail) {
      return loratune_weights_of_modules(engine, problem.get(), modules, count, made, detail);
    });
    makes_none<loratune_pool>([&](loratune_pool** made, loratune_text* detail) {
      return loratune_pool_create(engine, problem.get(), given.module.rank, made, detail);
    });
    makes_none<loratune_route>([&](loratune_route** made, loratune_text* detail) {
      return loratune_route_create(engine, given.call.m, given.module.rank, made, detail);
    });
    makes_none<loratune_op>([&](loratune_op** made, loratune_text* detail) {
      return loratune_op_create(engine, problem.get(), made, detail);
    });
    auto* const weights = some<loratune_weights>(2);
    auto* const pool = some<loratune_pool>(3);
    refused([&](loratune_text* detail) {
      return loratune_weights_update(weights, queue, source.get(), detail);
    });
    refused([&](loratune_text* detail) {
      return loratune_weights_update_modules(weights, queue, modules, count, detail);
    });
    refused([&](loratune_text* detail) {
      return loratune_pool_set(pool, queue, given.module.rank, modules, count, detail);
    });
    refused([&](loratune_text* detail) {
      return loratune_pool_clear(pool, queue, given.module.rank, detail);
    });
    refused([&](loratune_text* detail) {
      return loratune_route_assign(some<loratune_route>(4), queue, nullptr, count, detail);
    });
    const Placed<loratune_matrix> w(given.from);
    refused([&](loratune_text* detail) {
      return loratune_merge(engine, queue, source.get(), w.get(), detail);
    });
    copies(given, queue);
    runs(given.call, some<loratune_op>(5));
  }

 private:
  void engines(loratune_engine_options& options) const {
    options.context = nullptr;
    options.device = nullptr;
    options.dispatcher = some<loratune_dispatcher>(6);
    options.cache_folder = nullptr;
    const Placed<loratune_engine_options> placed(options);
    makes_none<loratune_engine>([&](loratune_engine** made, loratune_text* detail) {
      return loratune_engine_create(placed.get(), made, detail);
    });
    refused([](loratune_text* detail) { return loratune_device_json(nullptr, detail, detail); });
    Detail folder(room_), detail(room_);
    const std::int32_t status =
        loratune_engine_options_from_env(placed.get(), folder.text(), detail.text());
    folder.expect_sound();
    detail.expect_sound();
    expect(placed.get()->size == options.size, "a struct keeps its size");
    expect(status != LORATUNE_SUCCESS || Placed<loratune_engine_options>::takes(options.size),
           "a struct of another size is refused");
  }

  // The first matrix is looked at whole; that of the second has no buffer, so no driver is asked.
  void copies(Structs& given, cl_command_queue queue) const {
    given.from.buffer = some<_cl_mem>(7);
    given.to.buffer = nullptr;
    const Placed<loratune_matrix> from(given.from);
    const Placed<loratune_matrix> to(given.to);
    refused([&](loratune_text* detail) {
      return loratune_matrix_copy(queue, from.get(), to.get(), detail);
    });
  }

  void runs(const loratune_call& bytes, loratune_op* op) const {
    Detail detail(room_);
    cl_event done = nullptr;
    loratune_call call{};
    call.size = bytes.size;
    call.scale = bytes.scale;
    call.m = bytes.m;
    call.off_x = bytes.off_x;
    call.ld_x = bytes.ld_x;
    call.off_y = bytes.off_y;
    call.ld_y = bytes.ld_y;
    call.scratch_offset = bytes.scratch_offset;
    call.wait_count = bytes.wait_count;
    call.reserved = bytes.reserved;
    call.done = &done;
    call.detail = detail.text();
    const Placed<loratune_call> placed(call);
    expect(loratune_forward(op, placed.get()) != LORATUNE_SUCCESS, "nothing runs without an op");
    expect(done == nullptr, "what does not run has no event");
    detail.expect_sound();
    if (call.size == sizeof call && call.reserved == 0) detail.expect_words();
    std::uint64_t scratch = 1;
    refused([&](loratune_text* words) {
      return loratune_op_scratch_bytes(op, bytes.m, &scratch, words);
    });
    expect(scratch == 0, "a refusal asks for no scratch");
    refused([&](loratune_text* words) { return loratune_op_warmup(op, &bytes.m, 1, words); });
  }

  std::size_t room_;
  unsigned there_;
};

}  // namespace

bool read_and_use(std::string_view bytes) {
  if (bytes.size() < kHead + sizeof(Structs)) return false;
  Structs given;
  std::memcpy(&given, bytes.data() + kHead, sizeof given);
  const auto room = static_cast<unsigned char>(bytes[0]);
  const auto there = static_cast<unsigned char>(bytes[1]);
  Calls(room, there).ask(given);
  return Placed<loratune_call>::takes(given.call.size);
}

std::vector<std::string> sound_inputs() {
  Structs given{};
  given.call.size = sizeof given.call;
  given.call.m = 3;
  given.from.size = given.to.size = sizeof given.from;
  given.from.out = given.from.in = given.to.out = given.to.in = 64;
  given.module.size = sizeof given.module;
  given.module.rank = 8;
  given.options.size = sizeof given.options;
  given.problem.size = sizeof given.problem;
  given.problem.m = 3;
  given.problem.k = given.problem.n = 64;
  given.problem.rank = 8;
  given.source.size = sizeof given.source;
  given.source.k = given.source.n = 64;
  given.source.rank = 8;
  std::vector<std::string> inputs;
  for (const std::string& head : {std::string("\xff\xff"), std::string("\x10\x00", 2)}) {
    inputs.push_back(head + std::string(reinterpret_cast<const char*>(&given), sizeof given));
  }
  return inputs;
}

}  // namespace loratune::fuzz
