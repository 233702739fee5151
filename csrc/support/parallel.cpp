#include "support/parallel.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

namespace rndr {
namespace {

struct Job {
  const std::function<void(int)>& body;  // used only while items are left, that is before the caller returns
  const int count;
  int places;  // workers that may still join; guarded by the pool's mutex
  std::atomic<int> next{0}, done{0};
  std::mutex mutex;
  std::condition_variable finished;
  std::exception_ptr error;

  Job(const std::function<void(int)>& b, int n, int p) : body(b), count(n), places(p) {}

  void work() {
    for (int i; (i = next.fetch_add(1)) < count;) {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!error) error = std::current_exception();
      }
      if (done.fetch_add(1) + 1 == count) {
        const std::lock_guard<std::mutex> lock(mutex);
        finished.notify_all();
      }
    }
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    finished.wait(lock, [&] { return done.load() == count; });
  }
};

class Pool {
 public:
  void run(const std::shared_ptr<Job>& job, int workers) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (; size_ < workers; ++size_) std::thread([this] { serve(); }).detach();
      jobs_.push_back(job);
    }
    workers == 1 ? wake_.notify_one() : wake_.notify_all();
    job->work();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      jobs_.erase(std::remove(jobs_.begin(), jobs_.end(), job), jobs_.end());
    }
    job->wait();
  }

 private:
  void serve() {
    for (;;) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return !jobs_.empty(); });
        job = jobs_.front();
        if (--job->places == 0) jobs_.pop_front();
      }
      job->work();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  int size_ = 0;
};

// Never destroyed: workers may still wait on it when the process ends. A forked child gets one of its own.
Pool& pool() {
  static std::mutex mutex;
  static Pool* current = nullptr;
  static pid_t owner = 0;
  const std::lock_guard<std::mutex> lock(mutex);
  if (owner != getpid()) current = new Pool, owner = getpid();
  return *current;
}

}  // namespace

void parallel_items(int count, int threads, const std::function<void(int)>& body) {
  const int workers = std::min(threads, count) - 1;
  if (workers < 1) {
    for (int i = 0; i < count; ++i) body(i);
    return;
  }
  const auto job = std::make_shared<Job>(body, count, workers);
  pool().run(job, workers);
  if (job->error) std::rethrow_exception(job->error);
}

}  // namespace rndr
