/* what: SA_RESETHAND: the handler runs once, then the default applies */
/* spoil: signal(SIGURG, no_action) */
#include "../feature.h"

static volatile int count;
static void on_signal(int number) { (void)number, count++; }

int main(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND}, seen;
  must(sigaction(SIGURG, &action, NULL));
  ready();
  raise(SIGURG);
  raise(SIGURG);
  equal("handler runs", count, 1);
  must(sigaction(SIGURG, NULL, &seen));
  check(seen.sa_handler == SIG_DFL, "the default action after the first signal, seen %p", seen.sa_handler);
  must(sigaction(SIGURG, &action, NULL));
  raise(SIGURG);
  equal("handler runs after arming again", count - 1, 1);
  pass();
}
