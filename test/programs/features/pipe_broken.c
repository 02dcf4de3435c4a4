/* what: a pipe whose reader is gone: SIGPIPE and EPIPE for the writer */
/* spoil: signal(SIGPIPE, SIG_IGN) */
#include "../feature.h"

static volatile int count;
static void on_signal(int number) { (void)number, count++; }

int main(void) {
  int ends[2];
  signal(SIGPIPE, on_signal);
  must(pipe(ends));
  must(write(ends[1], "unread", 6));
  must(close(ends[0]));
  ready();
  refused(write(ends[1], "x", 1), EPIPE);
  equal("SIGPIPEs", count, 1);
  pass();
}
