/* what: threads waiting on a condition variable */
/* spoil: turn = 1 */
#include "../feature.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn, order[4], finished;

static void *wait_turn(void *index) {
  pthread_mutex_lock(&mutex);
  while (turn != (long)index + 1) pthread_cond_wait(&changed, &mutex);
  order[finished++] = (long)index;
  turn++;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

int main(void) {
  struct worker *workers[4];
  for (long i = 0; i < 4; i++) workers[i] = start(wait_turn, (void *)i);
  for (int i = 0; i < 4; i++) until_blocked(workers[i]->tid, SYS_futex);
  ready();
  pthread_mutex_lock(&mutex);
  equal("turn", turn, 0);
  turn = 1;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 4; i++) finish(workers[i]);
  for (int i = 0; i < 4; i++) equal("thread that went at this place", order[i], i);
  pass();
}
