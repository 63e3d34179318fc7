// Adapters merged into weights through the C interface, beside plain sums in double.
#include <cmath>
#include <functional>
#include <limits>
#include <thread>

#include "c_engine.h"
#include "loratune/adapters/element.h"
#include "loratune/dispatch/device_text.h"

namespace loratune {
namespace {

constexpr std::int64_t kOff = 3, kPitch = kK + 5;

// W[kN,kK] with a gap before it and behind each row.
struct Layer {
  explicit Layer(Dtype of, unsigned seed = 5) : element(element_of(of)) {
    stored = from_floats(element, numbers(static_cast<std::size_t>(kOff + kN * kPitch), seed));
    buffer = make_buffer(test_context(), stored.size(), stored.data());
    matrix = zeroed<loratune_matrix>();
    matrix.dtype = LORATUNE_DTYPE_F32 + static_cast<int>(of);
    matrix.buffer = buffer.get();
    matrix.out = kN;
    matrix.in = kK;
    matrix.off = kOff;
    matrix.ld = kPitch;
  }
  std::vector<std::byte> bytes() const {
    std::vector<std::byte> read(stored.size());
    read_buffer(queue.get(), buffer.get(), 0, read.size(), read.data());
    return read;
  }
  // Whether W is what it was plus `scale` times the adapter, and all beside it what it was.
  void expect_merged(const Adapter& adapter, double scale, double unit) const {
    const std::vector<float> before = to_floats(element, stored);
    const std::vector<float> after = to_floats(element, bytes());
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(after.size()); ++i) {
      const std::int64_t row = (i - kOff) / kPitch;
      const std::int64_t column = (i - kOff) % kPitch;
      double wanted = static_cast<double>(before[static_cast<std::size_t>(i)]);
      const bool inside = i >= kOff && column < kK;
      for (int j = 0; inside && j < adapter.rank; ++j) {
        wanted += scale *
                  static_cast<double>(adapter.b[static_cast<std::size_t>(row * adapter.rank + j)]) *
                  static_cast<double>(adapter.a[static_cast<std::size_t>(j * kK + column)]);
      }
      const double bound = inside ? unit * std::abs(wanted) + 1e-5 : 0;
      ASSERT_NEAR(static_cast<double>(after[static_cast<std::size_t>(i)]), wanted, bound) << i;
    }
  }
  Element element;
  std::vector<std::byte> stored;
  Handle<cl_command_queue> queue = make_queue(test_context(), test_device().handle);
  Handle<cl_mem> buffer;
  loratune_matrix matrix{};
};

TEST(CMerge, AddsTheAdapterAndACopyBringsTheWeightsBack) {
  const EngineHandle made = engine();
  const Adapter adapter;
  loratune_weights_source source = adapter.source();
  source.factor = -0.75F;
  for (const auto& [dtype, unit] :
       {std::pair(Dtype::f32, 0x1p-22), {Dtype::f16, 0x1p-11}, {Dtype::bf16, 0x1p-8}}) {
    SCOPED_TRACE(to_string(dtype));
    const Layer layer(dtype);
    const Layer kept(dtype, 6);
    Text detail;
    ASSERT_EQ(loratune_matrix_copy(layer.queue.get(), &layer.matrix, &kept.matrix, detail.out()),
              LORATUNE_SUCCESS)
        << detail.str();
    ASSERT_EQ(loratune_merge(made.get(), layer.queue.get(), &source, &layer.matrix, detail.out()),
              LORATUNE_SUCCESS)
        << detail.str();
    layer.expect_merged(adapter, -0.75, unit);
    EXPECT_NE(layer.bytes(), layer.stored);
    ASSERT_EQ(loratune_matrix_copy(layer.queue.get(), &kept.matrix, &layer.matrix, nullptr),
              LORATUNE_SUCCESS);
    EXPECT_EQ(layer.bytes(), layer.stored);
  }
}

// Rows of two pitches within one buffer, rows beside one another, and parts of one buffer.
TEST(CMerge, ACopyMayStandInTheSameBufferWithAnotherPitch) {
  const Handle<cl_command_queue> queue = make_queue(test_context(), test_device().handle);
  const std::vector<float> stored = numbers(8192, 3);
  const auto matrix = [](cl_mem buffer, std::int64_t off, std::int64_t ld) {
    auto made = zeroed<loratune_matrix>();
    made.dtype = LORATUNE_DTYPE_F32;
    made.buffer = buffer;
    made.out = 7;
    made.in = 30;
    made.off = off;
    made.ld = ld;
    return made;
  };
  struct Copy {
    std::int64_t from, from_ld, to, to_ld;
    bool part;
    std::int32_t status;
  };
  for (const Copy& copy :
       {Copy{5, 37, 1500, 64, false, LORATUNE_SUCCESS},
        Copy{5, 37, 2048, 64, true, LORATUNE_SUCCESS},
        Copy{1500, 64, 3, 0, false, LORATUNE_SUCCESS}, Copy{5, 80, 45, 80, false, LORATUNE_SUCCESS},
        Copy{5, 100, 40, 200, false, LORATUNE_SUCCESS},
        Copy{5, 37, 100, 64, false, LORATUNE_INVALID_OPERANDS},
        Copy{5, 80, 34, 80, false, LORATUNE_INVALID_OPERANDS},
        Copy{2060, 37, 2048, 37, true, LORATUNE_INVALID_OPERANDS},
        Copy{5, 37, 5, 37, false, LORATUNE_INVALID_OPERANDS}}) {
    const Handle<cl_mem> buffer = buffer_of(stored);
    const Handle<cl_mem> behind = part_of(buffer.get(), 4 * 2048, 4 * 2048);
    const loratune_matrix from = matrix(buffer.get(), copy.from, copy.from_ld);
    const loratune_matrix to =
        matrix(copy.part ? behind.get() : buffer.get(), copy.part ? 0 : copy.to, copy.to_ld);
    Text detail;
    EXPECT_EQ(loratune_matrix_copy(queue.get(), &from, &to, detail.out()), copy.status)
        << copy.from << ' ' << copy.to << ": " << detail.str();
    std::vector<float> wanted = stored;
    const std::int64_t to_ld = copy.to_ld == 0 ? to.in : copy.to_ld;
    for (std::int64_t i = 0; copy.status == LORATUNE_SUCCESS && i < to.out * to.in; ++i) {
      wanted[static_cast<std::size_t>(copy.to + i / to.in * to_ld + i % to.in)] =
          stored[static_cast<std::size_t>(copy.from + i / to.in * copy.from_ld + i % to.in)];
    }
    if (copy.status != LORATUNE_SUCCESS) {
      EXPECT_NE(detail.str().find("overlap"), std::string::npos) << detail.str();
    }
    std::vector<float> got(stored.size());
    read_buffer(queue.get(), buffer.get(), 0, 4 * got.size(), got.data());
    EXPECT_EQ(got, wanted) << copy.from << ' ' << copy.to;
  }
}

// What a driver would take for a while, and end the process over, or write over.
TEST(CMerge, TakesNoBufferOfAnotherContextAndNoneThatKernelsMayNotWrite) {
  const EngineHandle made = engine();
  const Adapter adapter;
  const loratune_weights_source source = adapter.source();
  const Layer layer(Dtype::f32);
  const std::size_t bytes = layer.stored.size();
  const Handle<cl_context> foreign = make_context(test_device().handle);
  const Handle<cl_mem> elsewhere = make_buffer(foreign.get(), bytes, layer.stored.data());
  const Handle<cl_mem> read_only =
      make_buffer(test_context(), bytes, layer.stored.data(), CL_MEM_READ_ONLY);
  for (const auto& [buffer, word] :
       {std::pair(elsewhere.get(), "another context"), {read_only.get(), "read and write"}}) {
    loratune_matrix matrix = layer.matrix;
    matrix.buffer = buffer;
    Text detail;
    EXPECT_EQ(loratune_merge(made.get(), layer.queue.get(), &source, &matrix, detail.out()),
              LORATUNE_INVALID_OPERANDS);
    EXPECT_NE(detail.str().find(word), std::string::npos) << detail.str();
  }
  loratune_matrix other = layer.matrix;
  other.buffer = elsewhere.get();
  Text detail;
  EXPECT_EQ(loratune_matrix_copy(layer.queue.get(), &layer.matrix, &other, detail.out()),
            LORATUNE_INVALID_OPERANDS);
  EXPECT_NE(detail.str().find("another context"), std::string::npos) << detail.str();
  // A copy is no kernel.
  other.buffer = read_only.get();
  EXPECT_EQ(loratune_matrix_copy(layer.queue.get(), &layer.matrix, &other, detail.out()),
            LORATUNE_SUCCESS)
      << detail.str();
  cl_image_format format{CL_R, CL_FLOAT};
  cl_image_desc image{};
  image.image_type = CL_MEM_OBJECT_IMAGE2D;
  image.image_width = image.image_height = 256;
  cl_int code = CL_SUCCESS;
  const Handle<cl_mem> picture(
      clCreateImage(test_context(), CL_MEM_READ_WRITE, &format, &image, nullptr, &code));
  if (code != CL_SUCCESS) return;  // the device has none
  other.buffer = picture.get();
  EXPECT_EQ(loratune_merge(made.get(), layer.queue.get(), &source, &other, detail.out()),
            LORATUNE_INVALID_OPERANDS);
  EXPECT_NE(detail.str().find("no buffer"), std::string::npos) << detail.str();
}

// Between two buffers and within one, at a pitch whose bytes are beyond 64 bits.
TEST(CMerge, ACopyOfOneRowTakesAnyPitch) {
  const Handle<cl_command_queue> queue = make_queue(test_context(), test_device().handle);
  const std::vector<float> stored = numbers(64, 3);
  const Handle<cl_mem> buffer = buffer_of(stored);
  const Handle<cl_mem> other = buffer_of(std::vector<float>(64));
  const auto row = [](cl_mem of, std::int64_t off) {
    auto made = zeroed<loratune_matrix>();
    made.dtype = LORATUNE_DTYPE_F32;
    made.buffer = of;
    made.out = 1;
    made.in = 4;
    made.off = off;
    made.ld = std::int64_t{1} << 62;
    return made;
  };
  const loratune_matrix from = row(buffer.get(), 1);
  for (const loratune_matrix& to :
       {row(other.get(), 0), row(other.get(), 9), row(buffer.get(), 5), row(buffer.get(), 30)}) {
    Text detail;
    ASSERT_EQ(loratune_matrix_copy(queue.get(), &from, &to, detail.out()), LORATUNE_SUCCESS)
        << detail.str();
    std::vector<float> got(4);
    read_buffer(queue.get(), to.buffer, static_cast<std::size_t>(4 * to.off), 16, got.data());
    EXPECT_EQ(got, std::vector<float>(stored.begin() + 1, stored.begin() + 5)) << to.off;
  }
  const loratune_matrix over = row(buffer.get(), 4);
  EXPECT_EQ(loratune_matrix_copy(queue.get(), &from, &over, nullptr), LORATUNE_INVALID_OPERANDS);
}

// By a kernel whose two launches hand B over in scratch, which an engine of the caller's scratch
// does not have.
TEST(CMerge, BringsItsOwnScratchWhereTheEngineHasNone) {
  const DispatcherHandle split = dispatcher_of(device_text(test_device().info), file_of_split());
  auto options = zeroed<loratune_engine_options>();
  options.caller_scratch = 1;
  options.dispatcher = split.get();
  const EngineHandle made = engine(options);
  const Adapter adapter;
  const loratune_weights_source source = adapter.source();
  const Layer layer(Dtype::f32);
  Text detail;
  ASSERT_EQ(loratune_merge(made.get(), layer.queue.get(), &source, &layer.matrix, detail.out()),
            LORATUNE_SUCCESS)
      << detail.str();
  layer.expect_merged(adapter, 1, 0x1p-22);
}

// The factors' own type is not that of W.
TEST(CMerge, TakesFactorsOfAnotherType) {
  const EngineHandle made = engine();
  Adapter adapter;
  const std::vector<std::byte> a = from_floats(Element::bf16, adapter.a);
  const std::vector<std::byte> b = from_floats(Element::bf16, adapter.b);
  loratune_weights_source source = adapter.source();
  source.dtype = LORATUNE_DTYPE_BF16;
  source.a = a.data();
  source.a_bytes = a.size();
  source.b = b.data();
  source.b_bytes = b.size();
  const Layer layer(Dtype::f32);
  ASSERT_EQ(loratune_merge(made.get(), layer.queue.get(), &source, &layer.matrix, nullptr),
            LORATUNE_SUCCESS);
  adapter.a = to_floats(Element::bf16, a);
  adapter.b = to_floats(Element::bf16, b);
  layer.expect_merged(adapter, 1, 0x1p-22);
}

TEST(CMerge, ThreadsMayMergeAtATime) {
  const EngineHandle made = engine();
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed < 5; ++seed) {
    threads.emplace_back([&made, seed] {
      const Adapter adapter(kRank, seed);
      const Layer layer(Dtype::f32, seed);
      const loratune_weights_source source = adapter.source();
      EXPECT_EQ(loratune_merge(made.get(), layer.queue.get(), &source, &layer.matrix, nullptr),
                LORATUNE_SUCCESS);
      layer.expect_merged(adapter, 1, 0x1p-22);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(CMerge, RefusesWhatDoesNotFitAndLeavesTheWeights) {
  const EngineHandle made = engine();
  const Adapter adapter;
  const Layer layer(Dtype::f16);
  using Change = std::function<void(loratune_weights_source&, loratune_matrix&)>;
  const std::vector<std::pair<std::int32_t, Change>> faults = {
      {LORATUNE_INVALID_OPERANDS, [](auto&, auto& w) { w.out -= 1; }},
      {LORATUNE_INVALID_OPERANDS, [](auto&, auto& w) { w.in = INT64_MAX; }},
      {LORATUNE_INVALID_OPERANDS, [](auto&, auto& w) { w.off += 6; }},
      {LORATUNE_INVALID_OPERANDS, [](auto&, auto& w) { w.off = -1; }},
      {LORATUNE_INVALID_OPERANDS, [](auto&, auto& w) { w.off = INT64_MAX; }},
      {LORATUNE_INVALID_OPERANDS, [](auto&, auto& w) { w.ld = kK - 1; }},
      {LORATUNE_INVALID_OPERANDS, [](auto&, auto& w) { w.ld = INT64_MIN; }},
      {LORATUNE_INVALID_OPERANDS, [](auto& source, auto&) { source.b_bytes -= 1; }},
      {LORATUNE_INVALID_VALUE, [](auto&, auto& w) { w.dtype = 9; }},
      {LORATUNE_INVALID_VALUE, [](auto& source, auto&) { source.rank = 0; }},
      {LORATUNE_INVALID_VALUE,
       [](auto& source, auto&) { source.factor = std::numeric_limits<float>::infinity(); }},
      {LORATUNE_NULL_POINTER, [](auto&, auto& w) { w.buffer = nullptr; }},
      {LORATUNE_NULL_POINTER, [](auto& source, auto&) { source.a = nullptr; }},
      {LORATUNE_INVALID_STRUCT, [](auto&, auto& w) { w.size = 0; }},
      {LORATUNE_INVALID_STRUCT, [](auto& source, auto&) { source.size = 1U << 31U; }}};
  Text detail;
  for (std::size_t i = 0; i < faults.size(); ++i) {
    loratune_weights_source source = adapter.source();
    loratune_matrix matrix = layer.matrix;
    faults[i].second(source, matrix);
    EXPECT_EQ(loratune_merge(made.get(), layer.queue.get(), &source, &matrix, detail.out()),
              faults[i].first)
        << i << ": " << detail.str();
    EXPECT_NE(detail.str(), "") << i;
  }
  const loratune_weights_source source = adapter.source();
  EXPECT_EQ(loratune_merge(nullptr, layer.queue.get(), &source, &layer.matrix, nullptr),
            LORATUNE_NULL_POINTER);
  EXPECT_EQ(loratune_merge(made.get(), nullptr, &source, &layer.matrix, nullptr),
            LORATUNE_NULL_POINTER);
  loratune_matrix other = layer.matrix;
  other.dtype = LORATUNE_DTYPE_BF16;
  EXPECT_EQ(loratune_matrix_copy(layer.queue.get(), &layer.matrix, &other, nullptr),
            LORATUNE_INVALID_OPERANDS);
  EXPECT_EQ(loratune_matrix_copy(layer.queue.get(), nullptr, &other, nullptr),
            LORATUNE_NULL_POINTER);
  EXPECT_EQ(layer.bytes(), layer.stored);
}

}  // namespace
}  // namespace loratune
