/* what: a priority-inheriting mutex, held, with a waiter in the kernel */
/* spoil: __atomic_store_n((int *)&mutex, 0, __ATOMIC_SEQ_CST) */
#include "../feature.h"

static pthread_mutex_t mutex;
static _Atomic long entered;

static void *enter(void *unused) {
  (void)unused;
  int error = pthread_mutex_lock(&mutex);
  check(error == 0, "the lock after its release, seen %s", strerror(error));
  entered++;
  pthread_mutex_unlock(&mutex);
  return NULL;
}

int main(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&mutex, &attributes);
  pthread_mutex_lock(&mutex);
  struct worker *worker = start(enter, NULL);
  until_blocked(worker->tid, SYS_futex);
  ready();
  equal("threads that entered", entered, 0);
  equal("unlock", pthread_mutex_unlock(&mutex), 0);
  finish(worker);
  equal("threads that entered after the unlock", entered, 1);
  equal("lock again", pthread_mutex_lock(&mutex), 0);
  pass();
}
