// The one place where threads are started.
#pragma once
#include <functional>

namespace rndr {

// Calls body(i) for every i in [0, count), on at most `threads` threads, the caller's among them. The split into items is
// the caller's and never depends on `threads`, so results do not either. Rethrows the first exception.
//
// Threads take items one by one, and the caller waits for items, not for threads: one that the system has not scheduled
// yet delays nobody. (An OpenMP region ends only when every thread has come, which on a busy machine costs a time slice.)
// Serial when threads is 1, and safe after fork: a child without workers does the work itself.
void parallel_items(int count, int threads, const std::function<void(int)>& body);

// Calls body(begin, end) for consecutive ranges of at most `chunk` items.
template <class Body>
void parallel_chunks(long count, long chunk, int threads, const Body& body) {
  parallel_items(static_cast<int>((count + chunk - 1) / chunk), threads, [&](int i) {
    const long begin = i * chunk, end = begin + chunk < count ? begin + chunk : count;
    body(begin, end);
  });
}

}  // namespace rndr
