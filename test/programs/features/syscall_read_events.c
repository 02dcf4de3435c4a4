/* what: blocked in read of an eventfd, a timerfd, a signalfd and an inotify descriptor; each ends by its event after the move */
/* spoil: interrupt(workers[0]->tid) */
#include "../feature.h"
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static int fds[4];

static void *read_one(void *index) {
  char room[4096];
  ssize_t got = read(fds[(long)index], room, sizeof room);
  check(got > 0, "an event of descriptor %ld, seen %s", (long)index, strerror(errno));
  return NULL;
}

int main(void) {
  struct worker *workers[4];
  char *path = scratch("file");
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  must(sigprocmask(SIG_BLOCK, &mask, NULL));
  write_text(path, "");
  fds[0] = must(eventfd(0, 0));
  fds[1] = must(timerfd_create(CLOCK_MONOTONIC, 0));
  fds[2] = must(signalfd(-1, &mask, 0));
  fds[3] = must(inotify_init1(0));
  must(inotify_add_watch(fds[3], path, IN_MODIFY));
  must(timerfd_settime(fds[1], 0, &(struct itimerspec){.it_value = {500, 0}}, NULL));
  for (long i = 0; i < 4; i++) workers[i] = start(read_one, (void *)i);
  for (int i = 0; i < 4; i++) until_blocked(workers[i]->tid, SYS_read);
  ready();
  for (int i = 0; i < 4; i++) until_blocked(workers[i]->tid, SYS_read);
  must(write(fds[0], &(uint64_t){1}, 8));
  must(timerfd_settime(fds[1], 0, &(struct itimerspec){.it_value = {0, 1}}, NULL));
  must(kill(getpid(), SIGUSR1));
  write_text(path, "changed");
  for (int i = 0; i < 4; i++) finish(workers[i]);
  pass();
}
