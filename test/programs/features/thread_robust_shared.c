/* what: a robust mutex in memory shared with a child that dies holding it after the move */
/* needs: tree */
/* spoil: kill(child, SIGSTOP) */
#include "../feature.h"

static pthread_mutex_t *mutex;

static void own(void *unused) {
  (void)unused;
  pthread_mutex_lock(mutex);
  settled();
  wait_go();
  usleep(50000);
  _exit(0);
}

int main(void) {
  mutex = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(mutex, &attributes);
  pid_t child = spawn(own, NULL);
  ready();
  struct timespec until = timespec_of(now(CLOCK_REALTIME) + 20 * SECOND);
  equal("lock after the child's death", pthread_mutex_timedlock(mutex, &until), EOWNERDEAD);
  join(child);
  pass();
}
