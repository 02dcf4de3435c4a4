/* what: the name (comm) of each thread */
/* spoil: pthread_setname_np(workers[2]->thread, "other") */
#include "../feature.h"

static _Atomic int go;

static void *hold(void *unused) {
  (void)unused;
  while (!go) usleep(1000);
  return NULL;
}

int main(void) {
  struct worker *workers[4];
  char name[16], expected[16];
  pthread_setname_np(pthread_self(), "the-main-thread");
  for (int i = 0; i < 4; i++) {
    workers[i] = start(hold, NULL);
    snprintf(name, sizeof name, "worker (%d) x", i);
    pthread_setname_np(workers[i]->thread, name);
  }
  ready();
  pthread_getname_np(pthread_self(), name, sizeof name);
  check(strcmp(name, "the-main-thread") == 0, "the-main-thread, seen %s", name);
  for (int i = 0; i < 4; i++) {
    snprintf(expected, sizeof expected, "worker (%d) x", i);
    pthread_getname_np(workers[i]->thread, name, sizeof name);
    check(strcmp(name, expected) == 0, "%s, seen %s", expected, name);
  }
  go = 1;
  for (int i = 0; i < 4; i++) finish(workers[i]);
  pass();
}
