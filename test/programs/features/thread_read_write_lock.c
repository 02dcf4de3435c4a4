/* what: a lock held for reading, with a writer and a reader waiting */
/* spoil: pthread_rwlock_unlock(&lock) */
#include "../feature.h"

static pthread_rwlock_t lock;
static _Atomic int written, seen = -1;

static void *writer(void *unused) {
  (void)unused;
  pthread_rwlock_wrlock(&lock);
  written = 1;
  pthread_rwlock_unlock(&lock);
  return NULL;
}

static void *reader(void *unused) {
  (void)unused;
  pthread_rwlock_rdlock(&lock);
  seen = written;
  pthread_rwlock_unlock(&lock);
  return NULL;
}

int main(void) {
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&lock, &attributes);
  pthread_rwlock_rdlock(&lock);
  struct worker *first = start(writer, NULL);
  until_blocked(first->tid, SYS_futex);
  struct worker *second = start(reader, NULL);
  until_blocked(second->tid, SYS_futex);
  ready();
  usleep(50000);
  equal("written while a reader holds the lock", written, 0);
  pthread_rwlock_unlock(&lock);
  finish(first);
  finish(second);
  equal("what the waiting reader saw, after the writer", seen, 1);
  pass();
}
