/* what: a stopped child with threads, whose own children are stopped by another signal, not reported, and continued, not reported */
/* needs: tree */
/* spoil: kill(child, SIGKILL) */
#include "../feature.h"

static struct shared {
  _Atomic int step;
  pid_t stopped, continued;
} *shared;

static _Atomic long turns;

static void *turn(void *unused) {
  (void)unused;
  for (;;) {
    turns++;
    usleep(1000);
  }
  return NULL;
}

static void hold(void *unused) {
  (void)unused;
  settled();
  for (;;) pause();
}

static void hold_in_group(void *unused) {
  must(setpgid(0, 0));
  start(turn, NULL);
  hold(unused);
}

static void parent(void *unused) {
  (void)unused;
  int status;
  start(turn, NULL);
  pid_t stopped = shared->stopped = spawn(hold_in_group, NULL);
  pid_t continued = shared->continued = spawn(hold, NULL);
  must(kill(continued, SIGSTOP));
  must(waitpid(continued, &status, WUNTRACED));
  must(kill(continued, SIGCONT));
  must(kill(stopped, SIGTSTP));
  until_state(stopped, 'T');
  shared->step = 1;
  settled();
  while (shared->step < 2) usleep(1000);
  long before = turns;
  usleep(50000);
  check(turns > before, "the thread to go on, seen it stand still");
  equal("pid", waitpid(stopped, &status, WNOHANG | WUNTRACED), stopped);
  equal("status", status, (SIGTSTP << 8) | 0x7f);
  equal("nothing more to report", waitpid(stopped, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
  equal("pid", waitpid(continued, &status, WNOHANG | WCONTINUED), continued);
  equal("nothing more to report", waitpid(continued, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
  must(kill(stopped, SIGCONT));
  equal("pid", waitpid(stopped, &status, WCONTINUED), stopped);
  must(kill(stopped, SIGKILL));
  equal("wait status", wait_status(stopped), SIGKILL);
  must(kill(continued, SIGKILL));
  equal("wait status", wait_status(continued), SIGKILL);
  _exit(5);
}

int main(void) {
  int status;
  shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child = spawn(parent, NULL);
  while (shared->step < 1) usleep(1000);
  must(kill(child, SIGSTOP));
  must(waitpid(child, &status, WUNTRACED));
  ready();
  equal("nothing to report", waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
  until_state(child, 'T');
  until_state(shared->stopped, 'T');
  until_state(shared->continued, 'S');
  must(kill(child, SIGCONT));
  equal("pid", waitpid(child, &status, WCONTINUED), child);
  shared->step = 2;
  equal("wait status", wait_status(child), 5 << 8);
  pass();
}
