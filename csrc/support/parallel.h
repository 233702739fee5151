// The one place where threads are started.
#pragma once
#include <exception>

namespace rndr {

// Calls body(i) for every i in [0, count). The split into items is the caller's and never depends on `threads`, so
// results do not either. Serial, without touching OpenMP, when threads is 1: forked workers must not start a pool.
template <class Body>
void parallel_items(int count, int threads, const Body& body) {
  if (threads <= 1 || count <= 1) {
    for (int i = 0; i < count; ++i) body(i);
    return;
  }
  std::exception_ptr error = nullptr;
#if defined(_OPENMP)
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
#endif
  for (int i = 0; i < count; ++i) {
    try {
      body(i);
    } catch (...) {  // an exception must not leave an OpenMP region
#if defined(_OPENMP)
#pragma omp critical(rndr_error)
#endif
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

// Calls body(begin, end) for consecutive ranges of at most `chunk` items.
template <class Body>
void parallel_chunks(long count, long chunk, int threads, const Body& body) {
  parallel_items(static_cast<int>((count + chunk - 1) / chunk), threads, [&](int i) {
    const long begin = i * chunk, end = begin + chunk < count ? begin + chunk : count;
    body(begin, end);
  });
}

}  // namespace rndr
