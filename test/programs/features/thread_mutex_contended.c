/* what: a held mutex with four threads waiting for it */
/* spoil: counter++ */
#include "../feature.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *add(void *unused) {
  (void)unused;
  for (int i = 0; i < 1000; i++) {
    pthread_mutex_lock(&mutex);
    counter++;
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

int main(void) {
  struct worker *workers[4];
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < 4; i++) workers[i] = start(add, NULL);
  for (int i = 0; i < 4; i++) until_blocked(workers[i]->tid, SYS_futex);
  ready();
  equal("trylock of the held mutex", pthread_mutex_trylock(&mutex), EBUSY);
  equal("counter while the mutex is held", counter, 0);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 4; i++) finish(workers[i]);
  equal("counter", counter, 4000);
  pass();
}
