/* what: thread-local variables and pthread keys of each thread */
/* spoil: value = 1 */
#include "../feature.h"

static __thread long value;
static __thread char text[64];
static pthread_key_t key;
static _Atomic int waiting, go;

static void *hold(void *number) {
  value = (long)number * 1000003;
  snprintf(text, sizeof text, "thread %ld", (long)number);
  pthread_setspecific(key, text);
  waiting++;
  while (!go) usleep(1000);
  char expected[64];
  snprintf(expected, sizeof expected, "thread %ld", (long)number);
  equal("thread-local variable", value, (long)number * 1000003);
  check(strcmp(pthread_getspecific(key), expected) == 0, "%s, seen %s", expected, (char *)pthread_getspecific(key));
  return NULL;
}

int main(void) {
  struct worker *workers[8];
  pthread_key_create(&key, NULL);
  value = 77;
  for (long i = 0; i < 8; i++) workers[i] = start(hold, (void *)(i + 1));
  while (waiting < 8) usleep(1000);
  ready();
  equal("thread-local variable of the main thread", value, 77);
  go = 1;
  for (int i = 0; i < 8; i++) finish(workers[i]);
  pass();
}
