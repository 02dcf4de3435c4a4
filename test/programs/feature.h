/*
 * Shared by the feature programs. Each of them brings itself into one kind of state, says "ready", is moved (or not), is told to go, and
 * then checks itself. It exits 0 after "pass", 1 after "FAIL: expected ..., seen ...", 77 after "skip: ..." (this machine lacks something).
 *
 * A program begins with comments of one line each, read by test/features.ts:
 *   what:   the state that must survive; its row in docs/what-moves.md
 *   needs:  words that tell the harness how to move it (see FeatureNeed there); left out when there are none
 *   spoil:  a C expression that stands for the loss of this state; compiled in as SPOIL right after ready(), it must make the program fail
 *
 * Environment: KRG_GO names the file whose appearance means "go" (without it the program goes on by itself after 20 ms);
 * KRG_SCRATCH is the directory for the program's files, writable by every user, the same on all nodes (default /tmp).
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SPOIL
#define SPOIL (void)0
#endif

#define PAGE 4096UL
#define KIB 1024UL
#define MIB (1024UL * 1024UL)
#define MILLISECOND 1000000LL
#define SECOND 1000000000LL

/* ---- verdicts ---- */

static char scratch_paths[32][256];
static int scratch_count;
static pid_t scratch_owner;
static pid_t spawned[64];
static int spawned_count;

/* Leaves nothing behind: children that still live are killed, the program's files removed. */
static inline void leave(int status) {
  for (int i = 0; i < spawned_count; i++)
    if (spawned[i] > 0) {
      kill(spawned[i], SIGKILL);
      kill(spawned[i], SIGCONT);
    }
  if (scratch_owner == getpid())
    for (int i = scratch_count - 1; i >= 0; i--) remove(scratch_paths[i]);
  _exit(status);
}

/* One write per verdict, so that lines of parent and child cannot mix. */
static inline void say(const char *prefix, const char *format, va_list values) {
  char line[1024];
  int length = snprintf(line, sizeof line, "%s", prefix);
  length += vsnprintf(line + length, sizeof line - length - 1, format, values);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  if (write(1, line, length) != length) _exit(2);
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  say("FAIL: expected ", format, values);
  leave(1);
  __builtin_unreachable();
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void skip(const char *format, ...) {
  va_list values;
  va_start(values, format);
  say("skip: ", format, values);
  leave(77);
  __builtin_unreachable();
}

__attribute__((noreturn)) static inline void pass(void) {
  if (write(1, "pass\n", 5) != 5) _exit(2);
  leave(0);
  __builtin_unreachable();
}

/* The message continues "expected ...": what should be, then what was seen. */
#define check(condition, ...)             \
  do {                                    \
    if (!(condition)) fail(__VA_ARGS__);  \
  } while (0)

/* A call that has to work: its result, or the end of the program. */
#define must(call)                                                                                        \
  ({                                                                                                      \
    __typeof__(call) must_result = (call);                                                                \
    if ((intptr_t)must_result == -1) fail("%s to work, seen %s (line %d)", #call, strerror(errno), __LINE__); \
    must_result;                                                                                          \
  })

#define equal(what, seen, expected)                                                        \
  do {                                                                                     \
    long long equal_seen = (long long)(seen), equal_expected = (long long)(expected);      \
    if (equal_seen != equal_expected)                                                      \
      fail("%s = %lld (0x%llx), seen %lld (0x%llx) (line %d)", what, equal_expected, equal_expected, equal_seen, equal_seen, __LINE__); \
  } while (0)

#define within(what, seen, low, high)                                                                  \
  do {                                                                                                 \
    long long within_seen = (long long)(seen), within_low = (long long)(low), within_high = (long long)(high); \
    if (within_seen < within_low || within_seen > within_high)                                         \
      fail("%s between %lld and %lld, seen %lld (line %d)", what, within_low, within_high, within_seen, __LINE__); \
  } while (0)

/* The call fails, with exactly this error. */
#define refused(call, number)                                                                                    \
  do {                                                                                                           \
    errno = 0;                                                                                                   \
    long long refused_result = (long long)(intptr_t)(call);                                                      \
    if (refused_result != -1) fail("%s to fail with %s, seen result %lld (line %d)", #call, strerror(number), refused_result, __LINE__); \
    if (errno != (number)) fail("%s to fail with %s, seen %s (line %d)", #call, strerror(number), strerror(errno), __LINE__); \
  } while (0)

/* ---- ready and go ---- */

static inline bool gone(void) {
  const char *go = getenv("KRG_GO");
  struct stat status;
  return go == NULL || stat(go, &status) == 0;
}

/* At most 60 s, counted in naps and not by a clock: the clocks are among the things under test. */
static inline void wait_go(void) {
  if (getenv("KRG_GO") == NULL) usleep(20000);
  for (int nap = 0; nap < 60000; nap++) {
    if (gone()) return;
    usleep(1000);
  }
  fail("the go file within 60 s, seen none");
}

/* The same without ever sleeping or blocking. */
static inline void wait_go_busy(void) {
  for (long turn = 0; turn < 20000000; turn++) {
    for (volatile int spin = 0; spin < 5000; spin++) {}
    if (gone()) return;
  }
  fail("the go file, seen none");
}

static inline void say_ready(void) {
  if (write(1, "ready\n", 6) != 6) _exit(2);
}

#define announce()  \
  do {              \
    say_ready();    \
    SPOIL;          \
  } while (0)

#define ready()     \
  do {              \
    say_ready();    \
    wait_go();      \
    SPOIL;          \
  } while (0)

#define ready_busy()  \
  do {                \
    say_ready();      \
    wait_go_busy();   \
    SPOIL;            \
  } while (0)

/* ---- small helpers ---- */

/* Nanoseconds. */
static inline long long now(clockid_t clock) {
  struct timespec time;
  if (clock_gettime(clock, &time) != 0) fail("clock_gettime(%d) to work, seen %s", (int)clock, strerror(errno));
  return time.tv_sec * SECOND + time.tv_nsec;
}

static inline struct timespec timespec_of(long long nanoseconds) {
  return (struct timespec){.tv_sec = nanoseconds / SECOND, .tv_nsec = nanoseconds % SECOND};
}

static inline long long nanoseconds_of(struct timespec time) { return time.tv_sec * SECOND + time.tv_nsec; }

/* A nap that does not end before its time when signals arrive. */
static inline void nap_milliseconds(long milliseconds) {
  struct timespec left = timespec_of(milliseconds * MILLISECOND);
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

/* A path of this program's own; the file is removed at its end. */
static inline char *scratch(const char *name) {
  const char *directory = getenv("KRG_SCRATCH");
  char *path = scratch_paths[scratch_count++];
  scratch_owner = getpid();
  snprintf(path, sizeof scratch_paths[0], "%s/feature.%d.%s", directory ? directory : "/tmp", getpid(), name);
  remove(path);
  return path;
}

static inline void *map_anonymous(size_t size, int protection) {
  void *address = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) fail("mmap of %zu bytes, seen %s", size, strerror(errno));
  return address;
}

static inline uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

/* Contents that no other seed has; size is a multiple of 8. */
static inline void fill(void *memory, size_t size, uint64_t seed) {
  uint64_t *words = memory, state = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (size_t i = 0; i < size / 8; i++) words[i] = next_random(&state);
}

static inline void verify(const char *what, const void *memory, size_t size, uint64_t seed) {
  const uint64_t *words = memory;
  uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (size_t i = 0; i < size / 8; i++) {
    uint64_t expected = next_random(&state);
    check(words[i] == expected, "%s: word %zu = %016lx, seen %016lx", what, i, expected, words[i]);
  }
}

/* Whole (small) file as text. */
static inline char *read_text(const char *path) {
  size_t room = 1 << 20, used = 0;
  char *text = malloc(room);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("%s to open, seen %s", path, strerror(errno));
  ssize_t got;
  while ((got = read(fd, text + used, room - used - 1)) > 0) used += got;
  text[used] = 0;
  close(fd);
  return text;
}

static inline void write_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) fail("%s to open for writing, seen %s", path, strerror(errno));
  if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) fail("a write to %s, seen %s", path, strerror(errno));
  close(fd);
}

/* Writes all of it, in as many calls as it takes: a stop in the middle may end a call early, as SIGSTOP may on any machine. */
static inline void write_fully(int fd, const void *data, size_t size) {
  for (size_t done = 0; done < size;) done += must(write(fd, (const char *)data + done, size - done));
}

/* Reads until that much is there, or the end. */
static inline size_t read_fully(int fd, void *data, size_t size) {
  size_t done = 0;
  for (ssize_t got; done < size && (got = must(read(fd, (char *)data + done, size - done))) > 0;) done += got;
  return done;
}

/* ---- threads ---- */

struct worker {
  pthread_t thread;
  _Atomic pid_t tid;
  void *(*body)(void *);
  void *argument;
};

static inline void *worker_main(void *pointer) {
  struct worker *worker = pointer;
  worker->tid = gettid();
  return worker->body(worker->argument);
}

static inline struct worker *start(void *(*body)(void *), void *argument) {
  struct worker *worker = calloc(1, sizeof *worker);
  worker->body = body;
  worker->argument = argument;
  int error = pthread_create(&worker->thread, NULL, worker_main, worker);
  check(error == 0, "pthread_create to work, seen %s", strerror(error));
  while (worker->tid == 0) usleep(100);
  return worker;
}

/* The worker's result; a worker that does not end within 20 s is a failure. */
static inline void *finish(struct worker *worker) {
  void *result;
  struct timespec until = timespec_of(now(CLOCK_REALTIME) + 20 * SECOND);
  int error = pthread_timedjoin_np(worker->thread, &result, &until);
  check(error == 0, "thread %d to end, seen %s", worker->tid, strerror(error));
  return result;
}

/* Returns when the task (a thread id or a process id) sleeps in system call `number`. */
static inline void until_blocked(pid_t task, long number) {
  char path[64], text[128] = "";
  snprintf(path, sizeof path, "/proc/%d/syscall", task);
  for (int nap = 0; nap < 10000; nap++) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("%s to open, seen %s", path, strerror(errno));
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    char *end;
    if (strtol(text, &end, 10) == number && end != text) return;
    usleep(1000);
  }
  fail("task %d in system call %ld, seen %s", task, number, text);
}

/* Returns when the process is in the state of this letter (/proc/PID/stat). */
static inline void until_state(pid_t process, char letter) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", process);
  for (int nap = 0; nap < 10000; nap++) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("%s to open, seen %s", path, strerror(errno));
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    char *bracket = strrchr(text, ')');
    if (bracket && bracket[2] == letter) return;
    usleep(1000);
  }
  fail("process %d in state %c, seen %s", process, letter, text);
}

static inline void no_action(int number) { (void)number; }

/* For SPOIL: makes an uninterrupted system call of that thread see EINTR. */
static inline void interrupt(pid_t tid) {
  struct sigaction action = {.sa_handler = no_action};
  sigaction(SIGURG, &action, NULL);
  syscall(SYS_tgkill, getpid(), tid, SIGURG);
  usleep(20000);
}

/* ---- children ---- */

static int settle_pipe = -1;

/* Said by a child when its state is up; spawn() in the parent returns then. */
static inline void settled(void) {
  if (write(settle_pipe, "s", 1) != 1) _exit(3);
  close(settle_pipe);
  settle_pipe = -1;
}

/* A child that runs body(argument), then exits 0. No descriptor is left over. */
static inline pid_t spawn(void (*body)(void *), void *argument) {
  int ends[2];
  char byte;
  must(pipe2(ends, O_CLOEXEC));
  pid_t child = must(fork());
  if (child == 0) {
    spawned_count = 0;
    close(ends[0]);
    settle_pipe = ends[1];
    body(argument);
    _exit(0);
  }
  spawned[spawned_count++] = child;
  close(ends[1]);
  check(read(ends[0], &byte, 1) == 1, "child %d to come up, seen it fail", child);
  close(ends[0]);
  return child;
}

/* The wait status of that child, which is then forgotten. */
static inline int wait_status(pid_t child) {
  int status;
  pid_t got;
  while ((got = waitpid(child, &status, 0)) == -1 && errno == EINTR) {}
  check(got == child, "waitpid(%d) = %d, seen %d %s", child, child, got, got < 0 ? strerror(errno) : "");
  for (int i = 0; i < spawned_count; i++)
    if (spawned[i] == child) spawned[i] = 0;
  return status;
}

/* The child has checked itself: it must end with 0. */
static inline void join(pid_t child) {
  int status = wait_status(child);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d to exit with 0, seen status 0x%x", child, status);
}
