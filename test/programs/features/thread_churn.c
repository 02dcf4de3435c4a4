/* what: threads being created and ending all the time while the process moves */
/* needs: busy */
/* spoil: ended++ */
#include "../feature.h"

static _Atomic int stop;
static _Atomic long ended;

static void *brief(void *unused) {
  (void)unused;
  ended++;
  return NULL;
}

static void *churn(void *unused) {
  (void)unused;
  long created = 0;
  for (; !stop; created++) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, brief, NULL);
    check(error == 0, "pthread_create to work, seen %s", strerror(error));
    check(pthread_join(thread, NULL) == 0, "pthread_join to work, seen an error");
  }
  return (void *)created;
}

int main(void) {
  struct worker *first = start(churn, NULL), *second = start(churn, NULL);
  ready();
  stop = 1;
  long created = (long)finish(first) + (long)finish(second);
  equal("threads that ended", ended, created);
  pass();
}
