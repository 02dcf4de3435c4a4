/* what: the first thread has ended, others go on */
/* needs: refusable */
/* spoil: token = 1 */
#include "../feature.h"

static pthread_t leader;
static long token = 7;

static void *carry_on(void *unused) {
  (void)unused;
  check(pthread_join(leader, NULL) == 0, "the leader to be joined, seen an error");
  until_state(getpid(), 'Z');
  ready();
  until_state(getpid(), 'Z');
  check(gettid() != getpid(), "a thread id other than the process id, seen %d", gettid());
  equal("value", token, 7);
  pass();
}

int main(void) {
  leader = pthread_self();
  start(carry_on, NULL);
  pthread_exit(NULL);
}
