// Errors that only a kernel can see. It leaves them in page-locked memory of the host, which Python reads without waiting for the device
// (renderer/ops/cuda.py has the sentences); what it computes then is meaningless, but within bounds.
#pragma once
#include "support/cuda.h"

RNDR_NAMESPACE_BEGIN

enum class Error : int64_t {
  kNone,
  kFaceVertex,      // face, vertex, vertices
  kVertex,          // vertex, view
  kFragment,        // face, faces
  kAttribute,       // face, attribute, attributes
  kUv,              // bits of the coordinate as double
  kScale,           // bits of the scale as double
  kShape,           // ..., of the shape
  kShift,           // ..., of the shift
  kGamma,           // bits of gamma as double
  kLogicIndex,      // index, features of the layer before, layer
  kUvRow,           // face, row, rows
  kFaceTexture,     // face, texture, last texture
};

using Status = int64_t*;  // error, up to three numbers, and whether a thread has begun to write them

__device__ inline void report(Status status, Error error, int64_t a, int64_t b = 0, int64_t c = 0) {
  volatile int64_t* s = status;
  if (s[0] != 0) return;
  // One thread writes, so that the numbers belong to one error.
  if (atomicCAS(reinterpret_cast<unsigned long long*>(status + 4), 0ull, 1ull) != 0ull) return;
  s[1] = a, s[2] = b, s[3] = c;
  __threadfence_system();
  s[0] = static_cast<int64_t>(error);
}

__device__ inline void report_number(Status status, Error error, double value) {
  int64_t bits;
  memcpy(&bits, &value, sizeof bits);
  report(status, error, bits);
}

RNDR_NAMESPACE_END
