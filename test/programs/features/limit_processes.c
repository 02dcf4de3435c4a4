/* what: RLIMIT_NPROC of an ordinary user: it keeps its processes and may not make another */
/* needs: root, family */
/* spoil: setrlimit(RLIMIT_NPROC, &(struct rlimit){50, 50}) */
#include "../feature.h"

enum { USER = 54321 };

static void hold(void *unused) {
  (void)unused;
  settled();
  for (;;) pause();
}

int main(void) {
  if (geteuid() != 0) skip("changing the user is for root");
  must(setresgid(USER, USER, USER));
  must(setresuid(USER, USER, USER));
  pid_t child = spawn(hold, NULL);
  must(setrlimit(RLIMIT_NPROC, &(struct rlimit){2, 50}));
  ready();
  pid_t another = fork();
  if (another == 0) _exit(0);
  check(another == -1 && errno == EAGAIN, "fork to fail with EAGAIN, seen %d %s", another, strerror(errno));
  must(kill(child, SIGKILL));
  equal("status of the child", wait_status(child), SIGKILL);
  pass();
}
