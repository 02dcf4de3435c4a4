/* what: destructors of pthread keys run when a thread ends after the move */
/* spoil: pthread_key_delete(key) */
#include "../feature.h"

static pthread_key_t key;
static _Atomic long destroyed;
static _Atomic int waiting, go;

static void destroy(void *value) { destroyed += (long)value; }

static void *hold(void *value) {
  pthread_setspecific(key, value);
  waiting++;
  while (!go) usleep(1000);
  return NULL;
}

int main(void) {
  struct worker *workers[4];
  pthread_key_create(&key, destroy);
  for (long i = 0; i < 4; i++) workers[i] = start(hold, (void *)(1L << (8 * i)));
  while (waiting < 4) usleep(1000);
  ready();
  go = 1;
  for (int i = 0; i < 4; i++) finish(workers[i]);
  equal("sum of destroyed values", destroyed, 0x01010101);
  pass();
}
