/* what: the handler, flags and mask of every signal */
/* spoil: signal(SIGUSR1, no_action) */
#include "../feature.h"

static void first(int number) { (void)number; }
static void second(int number, siginfo_t *info, void *context) { (void)number, (void)info, (void)context; }

/* What the kernel holds, without the changes that the C library makes. */
struct kernel_action {
  void *handler;
  unsigned long flags;
  void *restorer;
  unsigned long mask;
};

int main(void) {
  static const int flags[] = {SA_RESTART, SA_NODEFER, SA_RESETHAND, SA_ONSTACK, SA_SIGINFO, SA_NOCLDSTOP, SA_NOCLDWAIT, SA_SIGINFO | SA_RESTART | SA_NODEFER};
  struct kernel_action before[65], after;
  for (int number = 1; number <= 64; number++) {
    if (number == SIGKILL || number == SIGSTOP || number == 32 || number == 33) continue;
    struct sigaction action = {.sa_flags = flags[number % 8]};
    if (action.sa_flags & SA_SIGINFO) action.sa_sigaction = second; else action.sa_handler = first;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, 1 + (number * 7) % 31);
    sigaddset(&action.sa_mask, 34 + number % 30);
    must(sigaction(number, &action, NULL));
  }
  for (int number = 1; number <= 64; number++) must(syscall(SYS_rt_sigaction, number, NULL, &before[number], 8));
  ready();
  for (int number = 1; number <= 64; number++) {
    must(syscall(SYS_rt_sigaction, number, NULL, &after, 8));
    check(after.handler == before[number].handler, "handler %p of signal %d, seen %p", before[number].handler, number, after.handler);
    check(after.flags == before[number].flags, "flags 0x%lx of signal %d, seen 0x%lx", before[number].flags, number, after.flags);
    check(after.restorer == before[number].restorer, "restorer %p of signal %d, seen %p", before[number].restorer, number, after.restorer);
    check(after.mask == before[number].mask, "mask 0x%lx of signal %d, seen 0x%lx", before[number].mask, number, after.mask);
  }
  pass();
}
