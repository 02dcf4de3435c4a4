/* what: the whole siginfo of pending signals: from kill, tgkill, sigqueue, and made up by the sender */
/* spoil: sigtimedwait(&mask, NULL, &(struct timespec){0}) */
#include "../feature.h"

int main(void) {
  sigset_t mask;
  siginfo_t info, made_up = {.si_signo = SIGRTMIN + 1, .si_code = -77, .si_errno = 12};
  sigfillset(&mask);
  must(sigprocmask(SIG_SETMASK, &mask, NULL));
  must(kill(getpid(), SIGHUP));
  must(syscall(SYS_tgkill, getpid(), gettid(), SIGINT));
  must(sigqueue(getpid(), SIGQUIT, (union sigval){.sival_ptr = (void *)0x123456789abcdefL}));
  memset((char *)&made_up + 16, 0x5a, 32);
  must(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN + 1, &made_up));
  ready();
  static const struct {
    int number, code;
  } expected[] = {{SIGINT, SI_TKILL}, {SIGHUP, SI_USER}, {SIGQUIT, SI_QUEUE}};
  for (int i = 0; i < 3; i++) {
    must(syscall(SYS_rt_sigtimedwait, &mask, &info, NULL, 8)); /* the C library turns SI_TKILL into SI_USER */
    equal("signal number", info.si_signo, expected[i].number);
    equal("si_code", info.si_code, expected[i].code);
    equal("si_pid", info.si_pid, getpid());
    equal("si_uid", info.si_uid, getuid());
    if (i == 2) equal("value", (long)info.si_value.sival_ptr, 0x123456789abcdefL);
  }
  memset(&info, 0, sizeof info);
  must(syscall(SYS_rt_sigtimedwait, &mask, &info, NULL, 8));
  equal("si_code of the made-up signal", info.si_code, -77);
  equal("si_errno of the made-up signal", info.si_errno, 12);
  /* Of a code it does not know, the kernel carries 48 bytes. */
  check(memcmp((char *)&info + 16, (char *)&made_up + 16, 32) == 0, "the bytes that the sender made up, seen others");
  pass();
}
