/* what: a handler that is running on its alternate stack */
/* spoil: memset(alternate, 0, sizeof alternate) */
#include "../feature.h"

static char alternate[64 * 1024];
static volatile long from_handler;

static void on_signal(int number) {
  uint64_t values[512];
  stack_t seen;
  fill(values, sizeof values, number);
  ready();
  verify("values on the alternate stack", values, sizeof values, number);
  check((char *)values > alternate && (char *)values < alternate + sizeof alternate, "values on the alternate stack, seen %p", values);
  must(sigaltstack(NULL, &seen));
  equal("ss_flags inside the handler", seen.ss_flags, SS_ONSTACK);
  refused(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL), EPERM);
  from_handler = 99;
}

int main(void) {
  volatile long local = 1234567;
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
  must(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, NULL));
  must(sigaction(SIGUSR1, &action, NULL));
  raise(SIGUSR1);
  equal("local variable after the handler", local, 1234567);
  equal("value left by the handler", from_handler, 99);
  stack_t seen;
  must(sigaltstack(NULL, &seen));
  equal("ss_flags after the handler", seen.ss_flags, 0);
  pass();
}
