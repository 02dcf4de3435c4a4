/* what: an alternate stack with SS_AUTODISARM, disarmed while its handler runs */
/* spoil: sigaltstack(&(stack_t){.ss_sp = malloc(65536), .ss_size = 65536}, NULL) */
#include "../feature.h"
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char alternate[64 * 1024];

static void on_signal(int number) {
  (void)number;
  stack_t seen;
  ready();
  must(sigaltstack(NULL, &seen));
  equal("ss_flags inside the handler", (unsigned)seen.ss_flags, SS_DISABLE);
}

int main(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
  must(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate, .ss_flags = SS_AUTODISARM}, NULL));
  must(sigaction(SIGUSR1, &action, NULL));
  raise(SIGUSR1);
  stack_t seen;
  must(sigaltstack(NULL, &seen));
  equal("ss_flags after the handler", (unsigned)seen.ss_flags, SS_AUTODISARM);
  equal("ss_sp after the handler", seen.ss_sp, alternate);
  pass();
}
