// Working memory that a thread keeps from one call to the next.
//
// Megabytes that are allocated and freed in every call come fresh from the system every time, and touching their pages
// costs more than the kernels' work.
#pragma once
#include <cstddef>
#include <memory>

namespace rndr {

// Uninitialised room for n numbers, on a cache line, valid until this thread's next scratch<Tag>() call. One Tag, an empty
// struct, for each buffer that is in use at the same time.
template <class Tag, class T>
T* scratch(size_t n) {
  constexpr size_t line = 64, kept = size_t(256) << 20;  // larger ones are not kept for long: the next smaller call frees them
  thread_local std::unique_ptr<unsigned char[]> memory;
  thread_local size_t size = 0;
  const size_t needed = n * sizeof(T) + line;
  if (needed > size || (size > kept && needed <= kept)) {
    memory.reset();
    memory.reset(new unsigned char[needed]);
    size = needed;
  }
  void* start = memory.get();
  size_t space = size;
  return static_cast<T*>(std::align(line, n * sizeof(T), start, space));
}

}  // namespace rndr
