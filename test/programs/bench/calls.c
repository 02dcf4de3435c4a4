/*
 * What calls cost, in nanoseconds of which the median is printed:
 *   calls time CALL PID     one of kill (with signal 0), getpriority, getppid, on a process
 *   calls floor             getppid answered by a thread of another process that listens to seccomp (SECCOMP_IOCTL_NOTIF_RECV, _SEND): the floor of a trapped call
 *   calls pong              answers each SIGRTMIN to who has sent it, until SIGTERM
 *   calls ping PID          there and back with such a process
 *   calls spawn COUNT       forks, executes /bin/true and waits, one after the other: nanoseconds of one, on average
 */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 200, ROUNDS = 4000 };

static long samples[ROUNDS];

static int compare(const void *one, const void *other) {
  long a = *(const long *)one, b = *(const long *)other;
  return (a > b) - (a < b);
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static int measure(int (*call)(pid_t), pid_t pid) {
  for (int round = -WARM_UP; round < ROUNDS; round++) {
    long started = now();
    if (call(pid) < 0) return perror("the call"), 1;
    if (round >= 0) samples[round] = now() - started;
  }
  qsort(samples, ROUNDS, sizeof samples[0], compare);
  printf("%ld\n", samples[ROUNDS / 2]);
  return 0;
}

static int do_kill(pid_t pid) { return kill(pid, 0); }
static int do_getpriority(pid_t pid) { return getpriority(PRIO_PROCESS, (id_t)pid) < -20 ? -1 : 0; }
static int do_getppid(pid_t pid) { return (void)pid, (int)syscall(SYS_getppid) < 0 ? -1 : 0; }

static int do_ping(pid_t pid) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN);
  if (sigqueue(pid, SIGRTMIN, (union sigval){0}) < 0) return -1;
  return sigwaitinfo(&mask, NULL);
}

static void pong(void) {
  sigset_t mask;
  siginfo_t information;
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN);
  sigaddset(&mask, SIGTERM);
  puts("ready");
  fflush(stdout);
  while (sigwaitinfo(&mask, &information) != SIGTERM) sigqueue(information.si_pid, SIGRTMIN, (union sigval){0});
}

/* The child traps its own getppid; the parent answers each. */
static int measure_floor(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
  pid_t parent = getpid();
  int numbers[2];
  if (pipe(numbers)) return 1;
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (write(numbers[1], &listener, sizeof listener) < 0 || listener < 0) _exit(1);
    exit(measure(do_getppid, parent));
  }
  int number;
  if (read(numbers[0], &number, sizeof number) != sizeof number || number < 0) return 1;
  int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
  int listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
  if (listener < 0) return 1;
  for (;;) {
    struct seccomp_notif call;
    memset(&call, 0, sizeof call);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) break;
    struct seccomp_notif_resp answer = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
  int status;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int spawn(long count) {
  long started = now();
  for (long n = 0; n < count; n++) {
    pid_t child = fork();
    if (child == 0) {
      execl("/bin/true", "true", (char *)NULL);
      _exit(1);
    }
    waitpid(child, NULL, 0);
  }
  printf("%ld\n", (now() - started) / count);
  return 0;
}

int main(int count, char **words) {
  const char *what = count > 1 ? words[1] : "";
  sigset_t mask;
  sigfillset(&mask);
  if (strcmp(what, "ping") == 0 || strcmp(what, "pong") == 0) sigprocmask(SIG_BLOCK, &mask, NULL);
  if (strcmp(what, "pong") == 0) return pong(), 0;
  if (strcmp(what, "floor") == 0) return measure_floor();
  if (strcmp(what, "spawn") == 0) return spawn(atol(words[2]));
  if (strcmp(what, "ping") == 0) return measure(do_ping, atoi(words[2]));
  if (strcmp(what, "time") != 0 || count < 4) return 2;
  pid_t pid = strcmp(words[3], "self") == 0 ? getpid() : atoi(words[3]);
  if (strcmp(words[2], "kill") == 0) return measure(do_kill, pid);
  if (strcmp(words[2], "getpriority") == 0) return measure(do_getpriority, pid);
  return measure(do_getppid, pid);
}
