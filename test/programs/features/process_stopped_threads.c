/* what: a stopped child with several threads, signals pending for it while it is stopped */
/* needs: family */
/* spoil: kill(child, SIGKILL), usleep(20000) */
#include "../feature.h"

static _Atomic long turns[3];
static _Atomic int got;
static void on_signal(int number) { (void)number, got++; }

static void *turn(void *index) {
  for (;;) {
    turns[(long)index]++;
    usleep(1000);
  }
  return NULL;
}

static void work(void *unused) {
  (void)unused;
  signal(SIGUSR1, on_signal);
  for (long i = 0; i < 3; i++) start(turn, (void *)i);
  settled();
  while (!got) usleep(1000);
  long before[3];
  for (int i = 0; i < 3; i++) before[i] = turns[i];
  usleep(100000);
  for (int i = 0; i < 3; i++) check(turns[i] > before[i], "thread %d to go on, seen it stand still", i);
  _exit(got);
}

int main(void) {
  int status;
  pid_t child = spawn(work, NULL);
  must(kill(child, SIGSTOP));
  must(waitpid(child, &status, WUNTRACED));
  must(kill(child, SIGUSR1));
  ready();
  usleep(20000);
  equal("nothing to report", waitpid(child, &status, WNOHANG | WUNTRACED), 0);
  must(kill(child, SIGCONT));
  equal("signals that the child took, in its exit status", wait_status(child), 1 << 8);
  pass();
}
