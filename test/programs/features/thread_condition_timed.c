/* what: a timed wait on a condition variable keeps its monotonic deadline */
/* spoil: pthread_cond_signal(&never) */
#include "../feature.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never;
static long long deadline;

static void *wait_deadline(void *unused) {
  (void)unused;
  struct timespec until = timespec_of(deadline);
  pthread_mutex_lock(&mutex);
  int error = pthread_cond_timedwait(&never, &mutex, &until);
  pthread_mutex_unlock(&mutex);
  equal("result of the timed wait", error, ETIMEDOUT);
  return (void *)(now(CLOCK_MONOTONIC) - deadline);
}

int main(void) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&never, &attributes);
  deadline = now(CLOCK_MONOTONIC) + 1500 * MILLISECOND;
  struct worker *worker = start(wait_deadline, NULL);
  until_blocked(worker->tid, SYS_futex);
  ready();
  within("lateness of the wake-up in ns", (long)finish(worker), 0, 1500 * MILLISECOND);
  pass();
}
