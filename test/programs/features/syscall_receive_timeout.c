/* what: blocked in recv on a socket with SO_RCVTIMEO: it ends at its time, without EINTR */
/* needs: deadline */
/* spoil: interrupt(worker->tid) */
#include "../feature.h"
#include <sys/socket.h>
#include <sys/time.h>

static void *wait_time(void *pair) {
  char byte;
  long long began = now(CLOCK_MONOTONIC);
  errno = 0;
  long result = recv(((int *)pair)[0], &byte, 1, 0);
  long long passed = now(CLOCK_MONOTONIC) - began;
  check(result == -1 && errno == EAGAIN, "the call to end in EAGAIN, seen %ld %s", result, strerror(errno));
  within("nanoseconds waited", passed, 3000 * MILLISECOND - 20 * MILLISECOND, 4900 * MILLISECOND);
  return NULL;
}

int main(void) {
  int pair[2];
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  must(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){3, 0}, sizeof(struct timeval)));
  struct worker *worker = start(wait_time, pair);
  until_blocked(worker->tid, SYS_recvfrom);
  /* A wait that began anew would end too late. */
  nap_milliseconds(2000);
  announce();
  finish(worker);
  pass();
}
