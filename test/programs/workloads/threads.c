/* threads [THREADS=8]: a ring of threads passing a token under one mutex with condition variables and timed waits. Each round each thread
   checks its thread-local data, its id, the token's order and the monotonic clock; the first prints "round N" about once a second. */
#include "../workload.h"

enum { MOST = 64 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed[MOST];
static long threads, token, last_time;
static __thread long rounds_here;
static __thread pid_t tid_here;
static __thread char name_here[16];

static void *member(void *argument) {
  long index = (long)argument;
  tid_here = gettid();
  snprintf(name_here, sizeof name_here, "member %ld", index);
  pthread_setname_np(pthread_self(), name_here);
  pthread_mutex_lock(&mutex);
  for (;;) {
    while (token % threads != index && !stop_requested) {
      struct timespec until = timespec_of(now(CLOCK_MONOTONIC) + 50 * MILLISECOND);
      int error = pthread_cond_timedwait(&turn_changed[index], &mutex, &until);
      if (error != 0 && error != ETIMEDOUT) fail("a wait to end by signal or time, seen %s", strerror(error));
      if (error == ETIMEDOUT && now(CLOCK_MONOTONIC) < nanoseconds_of(until)) fail("a time-out not before its time, seen one early");
    }
    if (stop_requested) break;
    char name[16], expected[16];
    long time = now(CLOCK_MONOTONIC);
    equal("token", token, rounds_here * threads + index);
    equal("thread id", gettid(), tid_here);
    if (time < last_time) fail("a monotonic clock, seen %ld after %ld", time, last_time);
    last_time = time;
    snprintf(expected, sizeof expected, "member %ld", index);
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (strcmp(name, expected) != 0 || strcmp(name_here, expected) != 0) fail("name %s, seen %s and %s", expected, name, name_here);
    rounds_here++;
    token++;
    if (index == 0 && rounds_here % 2000 == 0) dprintf(1, "round %ld\n", rounds_here);
    pthread_cond_signal(&turn_changed[token % threads]);
    if (index == 0 && stopped()) {
      for (long i = 0; i < threads; i++) pthread_cond_signal(&turn_changed[i]);
      break;
    }
  }
  pthread_mutex_unlock(&mutex);
  return (void *)rounds_here;
}

int main(int argc, char **argv) {
  struct worker *workers[MOST];
  pthread_condattr_t monotonic;
  threads = number_argument(argc, argv, 1, 8);
  within("threads", threads, 1, MOST);
  prepare_stop();
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  for (long i = 0; i < threads; i++) pthread_cond_init(&turn_changed[i], &monotonic);
  for (long i = 0; i < threads; i++) workers[i] = start(member, (void *)i);
  long rounds = 0;
  for (long i = 0; i < threads; i++) {
    void *result;
    pthread_join(workers[i]->thread, &result);
    rounds += (long)result;
  }
  equal("sum of all threads' rounds", rounds, token);
  pass_with("%ld steps", rounds);
}
