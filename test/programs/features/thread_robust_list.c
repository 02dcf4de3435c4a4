/* what: a robust mutex whose owner dies after the move: the next one gets EOWNERDEAD */
/* spoil: go = 2 */
#include "../feature.h"
#include <linux/futex.h>

static pthread_mutex_t mutex;
static _Atomic int go, held;

static void *own(void *unused) {
  (void)unused;
  pthread_mutex_lock(&mutex);
  held = 1;
  while (!go) usleep(1000);
  if (go & 2) syscall(SYS_set_robust_list, NULL, sizeof(struct robust_list_head));
  syscall(SYS_exit, 0);
  return NULL;
}

int main(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&mutex, &attributes);
  struct worker *owner = start(own, NULL);
  while (!held) usleep(1000);
  struct robust_list_head *before, *head;
  size_t length;
  must(syscall(SYS_get_robust_list, owner->tid, &before, &length));
  ready();
  must(syscall(SYS_get_robust_list, owner->tid, &head, &length));
  equal("robust list head", head, before);
  equal("length of the head", length, sizeof *head);
  equal("trylock while the owner lives", pthread_mutex_trylock(&mutex), EBUSY);
  go |= 1;
  struct timespec until = timespec_of(now(CLOCK_REALTIME) + 20 * SECOND);
  equal("lock after the owner's death", pthread_mutex_timedlock(&mutex, &until), EOWNERDEAD);
  equal("making it consistent", pthread_mutex_consistent(&mutex), 0);
  pthread_mutex_unlock(&mutex);
  pass();
}
