// y (+)= scale * (x A^T) B^T by the host itself: a native kernel, which the device's queue calls as a
// function of the process, in its order, with the addresses of the buffers. There is no OpenCL C.
//
// runs host/kernels.cpp
// runs host/internal/elements-inl.h
// runs host/forward_host.cpp
