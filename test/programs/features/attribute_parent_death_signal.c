/* what: the signal at the parent's death */
/* spoil: prctl(PR_SET_PDEATHSIG, 0) */
#include "../feature.h"
#include <sys/prctl.h>

int main(void) {
  int number = 0;
  must(prctl(PR_SET_PDEATHSIG, SIGUSR2, 0, 0, 0));
  signal(SIGUSR2, SIG_IGN);
  ready();
  must(prctl(PR_GET_PDEATHSIG, &number, 0, 0, 0));
  equal("signal", number, SIGUSR2);
  pass();
}
