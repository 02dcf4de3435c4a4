/* what: SA_RESTART: a read interrupted by a handler after the move goes on by itself, without SA_RESTART it ends in EINTR */
/* spoil: restart.sa_flags = 0, sigaction(SIGUSR1, &restart, NULL) */
#include "../feature.h"

static int ends[2];
static _Atomic int handled;
static void on_signal(int number) { (void)number, handled++; }

static void *read_twice(void *unused) {
  (void)unused;
  char byte = 0;
  ssize_t first = read(ends[0], &byte, 1);
  check(first == 1 && byte == 'a', "the restarted read to return a, seen %zd %s", first, first < 0 ? strerror(errno) : "");
  refused(read(ends[0], &byte, 1), EINTR);
  return NULL;
}

int main(void) {
  struct sigaction restart = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, interrupting = {.sa_handler = on_signal};
  must(sigaction(SIGUSR1, &restart, NULL));
  must(sigaction(SIGUSR2, &interrupting, NULL));
  must(pipe(ends));
  struct worker *worker = start(read_twice, NULL);
  until_blocked(worker->tid, SYS_read);
  ready();
  until_blocked(worker->tid, SYS_read);
  pthread_kill(worker->thread, SIGUSR1);
  for (int nap = 0; nap < 5000 && handled < 1; nap++) usleep(1000);
  until_blocked(worker->tid, SYS_read);
  must(write(ends[1], "a", 1));
  usleep(20000);
  until_blocked(worker->tid, SYS_read);
  pthread_kill(worker->thread, SIGUSR2);
  finish(worker);
  equal("handler runs", handled, 2);
  pass();
}
