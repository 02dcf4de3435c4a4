/* what: ignored signals stay ignored, the others at their default */
/* spoil: signal(SIGTERM, SIG_DFL) */
#include "../feature.h"

int main(void) {
  static const int ignored[] = {SIGTERM, SIGINT, SIGPIPE, SIGUSR2, SIGXFSZ, 40, 64};
  for (int number = 1; number <= 64; number++) signal(number, SIG_DFL);
  for (int i = 0; i < 7; i++) signal(ignored[i], SIG_IGN);
  ready();
  for (int i = 0; i < 7; i++) must(raise(ignored[i]));
  for (int number = 1; number <= 64; number++) {
    struct sigaction action;
    bool expected = false;
    if (number == 32 || number == 33) continue;
    for (int i = 0; i < 7; i++) expected |= ignored[i] == number;
    must(sigaction(number, NULL, &action));
    check((action.sa_handler == SIG_IGN) == expected, "signal %d %s, seen handler %p", number, expected ? "ignored" : "at its default", action.sa_handler);
  }
  pass();
}
