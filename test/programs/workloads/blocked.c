/* blocked CALL [MILLISECONDS=8000]: waits in one system call until it is woken from outside, and says what the call returned. Nobody may see an EINTR
   or a wake-up that was not meant. CALL is
     read, poll, epoll_wait   on stdin, woken by the byte "x"
     nanosleep                woken by its time, which is checked on CLOCK_MONOTONIC
     futex                    woken by a second thread when the file named by KRG_GO exists
     wait4                    woken by the end of a child, status 33, when that file exists
     sigsuspend               woken by SIGUSR1 with every other signal blocked */
#include "../workload.h"
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>

static _Atomic uint32_t word;
static _Atomic int handled;

static void on_signal(int number) { (void)number, handled++; }

static void *wake(void *unused) {
  wait_go();
  until_blocked(getpid(), SYS_futex);
  word = 1;
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  return unused;
}

static void read_woken(void) {
  char byte = 0;
  equal("bytes read", read(0, &byte, 1), 1);
  equal("the byte", byte, 'x');
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  long milliseconds = number_argument(argc, argv, 2, 8000);
  if (strcmp(name, "read") == 0) {
    say_ready();
    read_woken();
  } else if (strcmp(name, "poll") == 0) {
    struct pollfd entry = {.fd = 0, .events = POLLIN};
    say_ready();
    equal("poll", must(poll(&entry, 1, -1)), 1);
    equal("events", entry.revents & POLLIN, POLLIN);
    read_woken();
  } else if (strcmp(name, "epoll_wait") == 0) {
    int poller = must(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef0};
    must(epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event));
    say_ready();
    equal("epoll_wait", must(epoll_wait(poller, &event, 1, -1)), 1);
    equal("events", event.events & EPOLLIN, EPOLLIN);
    equal("data", event.data.u64, 0x123456789abcdef0);
    read_woken();
  } else if (strcmp(name, "nanosleep") == 0) {
    struct timespec time = timespec_of(milliseconds * MILLISECOND);
    say_ready();
    long long began = now(CLOCK_MONOTONIC);
    must(nanosleep(&time, NULL));
    within("nanoseconds slept", now(CLOCK_MONOTONIC) - began, milliseconds * MILLISECOND, milliseconds * MILLISECOND + 2 * SECOND);
  } else if (strcmp(name, "futex") == 0) {
    struct worker *waker = start(wake, NULL);
    say_ready();
    equal("futex", must(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0)), 0);
    equal("the word", word, 1);
    finish(waker);
  } else if (strcmp(name, "wait4") == 0) {
    int status = 0;
    pid_t child = must(fork());
    if (child == 0) {
      wait_go();
      _exit(33);
    }
    say_ready();
    equal("wait4", must(wait4(child, &status, 0, NULL)), child);
    equal("status", status, 33 << 8);
  } else if (strcmp(name, "sigsuspend") == 0) {
    sigset_t all, but_one;
    signal(SIGUSR1, on_signal);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigfillset(&but_one);
    sigdelset(&but_one, SIGUSR1);
    say_ready();
    refused(sigsuspend(&but_one), EINTR);
    equal("runs of the handler", handled, 1);
  } else {
    fail("the name of a call, seen \"%s\"", name);
  }
  pass();
}
