//! From a device to y in Rust: a tuned file, the engine, an adapter's weights, one product, and the
//! same computed in Rust. The declarations are what bindgen makes of loratune.h and loratune_cl.h, as
//! far as they are used.
//!
//!     cargo run --release --target-dir build/rust --manifest-path examples/rust/Cargo.toml -- [TUNED_FILE]
use std::ffi::{c_void, CStr, CString};
use std::os::raw::c_char;
use std::{env, mem::size_of, process::exit, ptr::null, ptr::null_mut};

const ROWS: usize = 3;
const K: usize = 256;
const N: usize = 192;
const RANK: usize = 8;

#[repr(C)]
struct Text {
    data: *mut c_char,
    capacity: usize,
    length: usize,
}

#[repr(C)]
struct DispatcherOptions {
    size: u32,
    reserved: u32,
    device: *const c_char,
    path: *const c_char,
    bytes: *const c_void,
    byte_count: usize,
}

#[repr(C)]
struct EngineOptions {
    size: u32,
    caller_scratch: i32,
    context: *mut c_void,
    device: *mut c_void,
    dispatcher: *const c_void,
    cache_folder: *const c_char,
    cache_bytes: u64,
}

#[repr(C)]
struct WeightsSource {
    size: u32,
    dtype: i32,
    k: i64,
    n: i64,
    rank: i32,
    reserved: i32,
    a: *const c_void,
    a_bytes: usize,
    b: *const c_void,
    b_bytes: usize,
    factor: f32,
    reserved_too: i32,
}

/// The first fields: what a smaller size leaves out is 0.
#[repr(C)]
struct Problem {
    size: u32,
    op: i32,
    mode: i32,
    dtype: i32,
    weights_dtype: i32,
    overwrite: i32,
    m: i64,
    k: i64,
    n: i64,
    rank: i32,
    align: i32,
}

#[repr(C)]
struct Call {
    size: u32,
    scale: f32,
    m: i64,
    weights: *const c_void,
    queue: *mut c_void,
    x: *mut c_void,
    y: *mut c_void,
    off_x: i64,
    ld_x: i64,
    off_y: i64,
    ld_y: i64,
    scratch: *mut c_void,
    scratch_offset: i64,
    waits: *const *mut c_void,
    wait_count: u32,
    reserved: u32,
    done: *mut *mut c_void,
    detail: *mut Text,
}

extern "C" {
    fn loratune_status_name(status: i32) -> *const c_char;
    fn loratune_device_json(device: *mut c_void, json: *mut Text, detail: *mut Text) -> i32;
    fn loratune_dispatcher_create(
        options: *const DispatcherOptions,
        dispatcher: *mut *mut c_void,
        detail: *mut Text,
    ) -> i32;
    fn loratune_dispatcher_destroy(dispatcher: *mut c_void);
    fn loratune_engine_create(
        options: *const EngineOptions,
        engine: *mut *mut c_void,
        detail: *mut Text,
    ) -> i32;
    fn loratune_engine_destroy(engine: *mut c_void);
    fn loratune_weights_create(
        engine: *mut c_void,
        source: *const WeightsSource,
        weights: *mut *mut c_void,
        detail: *mut Text,
    ) -> i32;
    fn loratune_weights_destroy(weights: *mut c_void);
    fn loratune_op_create(
        engine: *mut c_void,
        problem: *const Problem,
        op: *mut *mut c_void,
        detail: *mut Text,
    ) -> i32;
    fn loratune_op_destroy(op: *mut c_void);
    fn loratune_forward(op: *mut c_void, call: *const Call) -> i32;

    fn clGetPlatformIDs(most: u32, platforms: *mut *mut c_void, count: *mut u32) -> i32;
    fn clGetDeviceIDs(
        platform: *mut c_void,
        kind: u64,
        most: u32,
        devices: *mut *mut c_void,
        count: *mut u32,
    ) -> i32;
    fn clCreateContext(
        properties: *const isize,
        count: u32,
        devices: *const *mut c_void,
        notify: *const c_void,
        data: *mut c_void,
        code: *mut i32,
    ) -> *mut c_void;
    fn clCreateCommandQueue(
        context: *mut c_void,
        device: *mut c_void,
        properties: u64,
        code: *mut i32,
    ) -> *mut c_void;
    fn clCreateBuffer(
        context: *mut c_void,
        flags: u64,
        bytes: usize,
        data: *const c_void,
        code: *mut i32,
    ) -> *mut c_void;
    fn clEnqueueReadBuffer(
        queue: *mut c_void,
        buffer: *mut c_void,
        blocking: u32,
        offset: usize,
        bytes: usize,
        data: *mut c_void,
        wait_count: u32,
        waits: *const *mut c_void,
        done: *mut *mut c_void,
    ) -> i32;
    fn clReleaseEvent(event: *mut c_void) -> i32;
    fn clReleaseMemObject(buffer: *mut c_void) -> i32;
    fn clReleaseCommandQueue(queue: *mut c_void) -> i32;
    fn clReleaseContext(context: *mut c_void) -> i32;
}

const ALL_DEVICES: u64 = 0xffff_ffff;
const READ_WRITE_COPIED: u64 = 1 | 1 << 5;

fn numbers(count: usize, mut seed: u32) -> Vec<f32> {
    (0..count)
        .map(|_| {
            seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
            (seed >> 20) as f32 / 2048.0 - 1.0
        })
        .collect()
}

/// The library's words for what went wrong, in memory that stays where it is.
struct Detail {
    bytes: Vec<u8>,
    text: Text,
}

impl Detail {
    fn new(capacity: usize) -> Box<Detail> {
        let mut detail = Box::new(Detail {
            bytes: vec![0; capacity],
            text: Text { data: null_mut(), capacity, length: 0 },
        });
        detail.text.data = detail.bytes.as_mut_ptr().cast();
        detail
    }
    fn as_str(&self) -> &CStr {
        let end = self.bytes.iter().position(|&byte| byte == 0);
        let text = &self.bytes[..=end.expect("a text ends with a zero")];
        CStr::from_bytes_with_nul(text).expect("no zero but the last")
    }
}

fn check(status: i32, what: &str, detail: &Detail) {
    if status != 0 {
        let name = unsafe { CStr::from_ptr(loratune_status_name(status)) };
        eprintln!("{what}: {} {}", name.to_string_lossy(), detail.as_str().to_string_lossy());
        exit(1);
    }
}

unsafe fn first_device() -> *mut c_void {
    let mut platforms = [null_mut(); 16];
    let mut count = 0;
    if clGetPlatformIDs(16, platforms.as_mut_ptr(), &mut count) != 0 {
        return null_mut();
    }
    for platform in platforms.iter().take(count.min(16) as usize) {
        let mut device = null_mut();
        if clGetDeviceIDs(*platform, ALL_DEVICES, 1, &mut device, null_mut()) == 0 {
            return device;
        }
    }
    null_mut()
}

fn wanted(x: &[f32], a: &[f32], b: &[f32], i: usize, j: usize) -> f64 {
    (0..RANK)
        .map(|r| {
            let h: f64 = (0..K).map(|l| f64::from(x[i * K + l]) * f64::from(a[r * K + l])).sum();
            h * f64::from(b[j * RANK + r])
        })
        .sum()
}

fn main() {
    let (x, a) = (numbers(ROWS * K, 1), numbers(RANK * K, 2));
    let (b, base) = (numbers(N * RANK, 3), numbers(ROWS * N, 4));
    let mut got = vec![0f32; ROWS * N];
    let mut detail = Detail::new(1024);
    unsafe {
        let device = first_device();
        if device.is_null() {
            exit(77);
        }
        let mut code = 0;
        let context = clCreateContext(null(), 1, &device, null(), null_mut(), &mut code);
        check(code, "clCreateContext", &detail);
        let queue = clCreateCommandQueue(context, device, 0, &mut code);
        check(code, "clCreateCommandQueue", &detail);
        let buffer = |values: &[f32]| {
            let mut code = 0;
            let data = values.as_ptr().cast();
            let bytes = 4 * values.len();
            let made = clCreateBuffer(context, READ_WRITE_COPIED, bytes, data, &mut code);
            check(code, "clCreateBuffer", &detail);
            made
        };
        let (x_buffer, y_buffer) = (buffer(&x), buffer(&base));

        let mut json = Detail::new(1 << 16);
        check(loratune_device_json(device, &mut json.text, &mut detail.text), "device", &detail);
        let path = env::args().nth(1).map(|path| CString::new(path).expect("a path has no zero"));
        let mut dispatcher = null_mut();
        let from = DispatcherOptions {
            size: size_of::<DispatcherOptions>() as u32,
            reserved: 0,
            device: json.text.data,
            path: path.as_ref().map_or(null(), |path| path.as_ptr()),
            bytes: null(),
            byte_count: 0,
        };
        let status = loratune_dispatcher_create(&from, &mut dispatcher, &mut detail.text);
        check(status, "dispatcher", &detail);

        let mut engine = null_mut();
        let on = EngineOptions {
            size: size_of::<EngineOptions>() as u32,
            caller_scratch: 0,
            context,
            device,
            dispatcher,
            cache_folder: null(),
            cache_bytes: 0,
        };
        check(loratune_engine_create(&on, &mut engine, &mut detail.text), "engine", &detail);

        let mut weights = null_mut();
        let source = WeightsSource {
            size: size_of::<WeightsSource>() as u32,
            dtype: 1,
            k: K as i64,
            n: N as i64,
            rank: RANK as i32,
            reserved: 0,
            a: a.as_ptr().cast(),
            a_bytes: 4 * a.len(),
            b: b.as_ptr().cast(),
            b_bytes: 4 * b.len(),
            factor: 1.0,
            reserved_too: 0,
        };
        let status = loratune_weights_create(engine, &source, &mut weights, &mut detail.text);
        check(status, "weights", &detail);

        let mut op = null_mut();
        let problem = Problem {
            size: size_of::<Problem>() as u32,
            op: 0,
            mode: 0,
            dtype: 1,
            weights_dtype: 0,
            overwrite: 0,
            m: ROWS as i64,
            k: K as i64,
            n: N as i64,
            rank: RANK as i32,
            align: 0,
        };
        check(loratune_op_create(engine, &problem, &mut op, &mut detail.text), "op", &detail);

        let mut done = null_mut();
        let call = Call {
            size: size_of::<Call>() as u32,
            scale: 0.5,
            m: ROWS as i64,
            weights,
            queue,
            x: x_buffer,
            y: y_buffer,
            off_x: 0,
            ld_x: 0,
            off_y: 0,
            ld_y: 0,
            scratch: null_mut(),
            scratch_offset: 0,
            waits: null(),
            wait_count: 0,
            reserved: 0,
            done: &mut done,
            detail: &mut detail.text,
        };
        let status = loratune_forward(op, &call);
        check(status, "forward", &detail);
        let into = got.as_mut_ptr().cast();
        let code =
            clEnqueueReadBuffer(queue, y_buffer, 1, 0, 4 * base.len(), into, 1, &done, null_mut());
        check(code, "read", &detail);

        loratune_op_destroy(op);
        loratune_weights_destroy(weights);
        loratune_engine_destroy(engine);
        loratune_dispatcher_destroy(dispatcher);
        clReleaseEvent(done);
        clReleaseMemObject(x_buffer);
        clReleaseMemObject(y_buffer);
        clReleaseCommandQueue(queue);
        clReleaseContext(context);
    }
    let mut worst = 0f64;
    for i in 0..ROWS {
        for j in 0..N {
            let sum = f64::from(base[i * N + j]) + 0.5 * wanted(&x, &a, &b, i, j);
            worst = worst.max((f64::from(got[i * N + j]) - sum).abs() / (1.0 + sum.abs()));
        }
    }
    println!("largest error {worst:.1e}");
    exit(if worst < 1e-5 { 0 } else { 1 });
}
