/* what: the alternate signal stack of each thread, and handlers that run on it */
/* spoil: sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL) */
#include "../feature.h"

static char stacks[2][64 * 1024];
static _Atomic int waiting, go;
static __thread void *volatile handler_frame;

static void on_signal(int number) {
  (void)number;
  handler_frame = __builtin_frame_address(0);
}

static void check_stack(char *stack) {
  stack_t seen;
  must(sigaltstack(NULL, &seen));
  equal("ss_sp", seen.ss_sp, stack);
  equal("ss_size", seen.ss_size, sizeof stacks[0]);
  equal("ss_flags", seen.ss_flags, 0);
  raise(SIGUSR1);
  check((char *)handler_frame > stack && (char *)handler_frame < stack + sizeof stacks[0], "the handler on the stack at %p, seen it at %p", stack, handler_frame);
}

static void *hold(void *unused) {
  (void)unused;
  must(sigaltstack(&(stack_t){.ss_sp = stacks[1], .ss_size = sizeof stacks[1]}, NULL));
  waiting = 1;
  while (!go) usleep(1000);
  check_stack(stacks[1]);
  return NULL;
}

int main(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
  must(sigaction(SIGUSR1, &action, NULL));
  must(sigaltstack(&(stack_t){.ss_sp = stacks[0], .ss_size = sizeof stacks[0]}, NULL));
  struct worker *worker = start(hold, NULL);
  while (!waiting) usleep(1000);
  ready();
  check_stack(stacks[0]);
  go = 1;
  finish(worker);
  pass();
}
