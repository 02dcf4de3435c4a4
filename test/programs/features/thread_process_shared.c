/* what: a mutex and a condition variable in memory shared by parent and child */
/* needs: tree */
/* spoil: shared->value = 9 */
#include "../feature.h"

static struct shared {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int value;
} *shared;

static void answer(void *unused) {
  (void)unused;
  pthread_mutex_lock(&shared->mutex);
  settled();
  while (shared->value != 1) pthread_cond_wait(&shared->changed, &shared->mutex);
  shared->value = 2;
  pthread_cond_broadcast(&shared->changed);
  pthread_mutex_unlock(&shared->mutex);
}

int main(void) {
  shared = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pthread_mutexattr_t mutex_attributes;
  pthread_condattr_t condition_attributes;
  pthread_mutexattr_init(&mutex_attributes);
  pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->mutex, &mutex_attributes);
  pthread_condattr_init(&condition_attributes);
  pthread_condattr_setpshared(&condition_attributes, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&shared->changed, &condition_attributes);
  pid_t child = spawn(answer, NULL);
  until_blocked(child, SYS_futex);
  ready();
  pthread_mutex_lock(&shared->mutex);
  equal("value while the child waits", shared->value, 0);
  shared->value = 1;
  pthread_cond_broadcast(&shared->changed);
  struct timespec until = timespec_of(now(CLOCK_REALTIME) + 20 * SECOND);
  while (shared->value != 2)
    equal("waiting for the child's answer", pthread_cond_timedwait(&shared->changed, &shared->mutex, &until), 0);
  pthread_mutex_unlock(&shared->mutex);
  join(child);
  pass();
}
