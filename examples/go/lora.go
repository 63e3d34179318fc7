// From a device to y in Go: a tuned file, the engine, an adapter's weights, one product, and the same
// computed in Go.
//
//	go build lora.go && ./lora [TUNED_FILE]
package main

/*
#cgo pkg-config: loratune-cl
#cgo CFLAGS: -DCL_TARGET_OPENCL_VERSION=120
#include <CL/cl.h>
#include <loratune/loratune_cl.h>
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"unsafe"
)

const rows, k, n, rank = 3, 256, 192, 8

// A text in memory of C, where the library may write for as long as a struct points to it.
func newText(capacity int) *C.loratune_text {
	text := (*C.loratune_text)(C.calloc(1, C.sizeof_loratune_text))
	text.data = (*C.char)(C.calloc(1, C.size_t(capacity)))
	text.capacity = C.size_t(capacity)
	return text
}

var detail = newText(1024)

func check(status C.int32_t, what string) {
	if status != C.LORATUNE_SUCCESS {
		name := C.GoString(C.loratune_status_name(status))
		fmt.Fprintln(os.Stderr, what+":", name, C.GoString(detail.data))
		os.Exit(1)
	}
}

func checkCL(code C.cl_int, what string) { check(C.int32_t(code), what) }

func numbers(count int, seed uint32) []float32 {
	values := make([]float32, count)
	for i := range values {
		seed = seed*1664525 + 1013904223
		values[i] = float32(seed>>20)/2048 - 1
	}
	return values
}

func firstDevice() C.cl_device_id {
	var platforms [16]C.cl_platform_id
	var count C.cl_uint
	if C.clGetPlatformIDs(16, &platforms[0], &count) != C.CL_SUCCESS {
		return nil
	}
	for i := 0; i < int(count) && i < 16; i++ {
		var device C.cl_device_id
		if C.clGetDeviceIDs(platforms[i], C.CL_DEVICE_TYPE_ALL, 1, &device, nil) == C.CL_SUCCESS {
			return device
		}
	}
	return nil
}

func buffer(context C.cl_context, values []float32) C.cl_mem {
	var code C.cl_int
	made := C.clCreateBuffer(context, C.CL_MEM_READ_WRITE|C.CL_MEM_COPY_HOST_PTR,
		C.size_t(4*len(values)), unsafe.Pointer(&values[0]), &code)
	checkCL(code, "clCreateBuffer")
	return made
}

func wanted(x, a, b []float32, i, j int) float64 {
	sum := 0.0
	for r := 0; r < rank; r++ {
		h := 0.0
		for l := 0; l < k; l++ {
			h += float64(x[i*k+l]) * float64(a[r*k+l])
		}
		sum += h * float64(b[j*rank+r])
	}
	return sum
}

func main() {
	device := firstDevice()
	if device == nil {
		os.Exit(77)
	}
	var code C.cl_int
	context := C.clCreateContext(nil, 1, &device, nil, nil, &code)
	checkCL(code, "clCreateContext")
	queue := C.clCreateCommandQueue(context, device, 0, &code)
	checkCL(code, "clCreateCommandQueue")
	x, a := numbers(rows*k, 1), numbers(rank*k, 2)
	b, base := numbers(n*rank, 3), numbers(rows*n, 4)

	json := newText(1 << 16)
	check(C.loratune_device_json(device, json, detail), "device")
	var dispatcher *C.loratune_dispatcher
	from := C.loratune_dispatcher_options{size: C.sizeof_loratune_dispatcher_options, device: json.data}
	if len(os.Args) > 1 {
		from.path = C.CString(os.Args[1])
	}
	check(C.loratune_dispatcher_create(&from, &dispatcher, detail), "dispatcher")

	var engine *C.loratune_engine
	on := C.loratune_engine_options{size: C.sizeof_loratune_engine_options, context: context,
		device: device, dispatcher: dispatcher}
	check(C.loratune_engine_create(&on, &engine, detail), "engine")

	// Go's pointers may not stand in a struct that C is given, so the factors go through C's memory.
	var weights *C.loratune_weights
	source := C.loratune_weights_source{size: C.sizeof_loratune_weights_source,
		dtype: C.LORATUNE_DTYPE_F32, k: k, n: n, rank: rank,
		a: C.CBytes(bytesOf(a)), a_bytes: C.size_t(4 * len(a)),
		b: C.CBytes(bytesOf(b)), b_bytes: C.size_t(4 * len(b))}
	check(C.loratune_weights_create(engine, &source, &weights, detail), "weights")
	C.free(unsafe.Pointer(source.a))
	C.free(unsafe.Pointer(source.b))

	var op *C.loratune_op
	problem := C.loratune_problem{size: C.sizeof_loratune_problem, m: rows, k: k, n: n, rank: rank}
	check(C.loratune_op_create(engine, &problem, &op, detail), "op")

	xBuffer, yBuffer := buffer(context, x), buffer(context, base)
	done := (*C.cl_event)(C.calloc(1, C.size_t(unsafe.Sizeof(C.cl_event(nil)))))
	call := C.loratune_call{size: C.sizeof_loratune_call, scale: 0.5, m: rows, weights: weights,
		queue: queue, x: xBuffer, y: yBuffer, done: done, detail: detail}
	check(C.loratune_forward(op, &call), "forward")
	got := make([]float32, rows*n)
	checkCL(C.clEnqueueReadBuffer(queue, yBuffer, C.CL_TRUE, 0, C.size_t(4*len(got)),
		unsafe.Pointer(&got[0]), 1, done, nil), "read")

	worst := 0.0
	for i := 0; i < rows; i++ {
		for j := 0; j < n; j++ {
			sum := float64(base[i*n+j]) + 0.5*wanted(x, a, b, i, j)
			worst = math.Max(worst, math.Abs(float64(got[i*n+j])-sum)/(1+math.Abs(sum)))
		}
	}
	C.loratune_op_destroy(op)
	C.loratune_weights_destroy(weights)
	C.loratune_engine_destroy(engine)
	C.loratune_dispatcher_destroy(dispatcher)
	C.clReleaseEvent(*done)
	C.clReleaseMemObject(xBuffer)
	C.clReleaseMemObject(yBuffer)
	C.clReleaseCommandQueue(queue)
	C.clReleaseContext(context)
	runtime.KeepAlive(x)
	fmt.Printf("largest error %.1e\n", worst)
	if !(worst < 1e-5) {
		os.Exit(1)
	}
}

func bytesOf(values []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), 4*len(values))
}
