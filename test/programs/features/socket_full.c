/* what: a socket filled until it would block, and a writer blocked on another */
/* spoil: recv(ends[1], data, 64 * 1024, MSG_DONTWAIT) */
#include "../feature.h"
#include <sys/socket.h>

static int blocked[2];
enum { SIZE = 2 * 1024 * 1024 };

static void *writer(void *data) {
  fill(data, SIZE, 62);
  write_fully(blocked[0], data, SIZE);
  return NULL;
}

int main(void) {
  int ends[2];
  char *data = malloc(SIZE), *other = malloc(SIZE);
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, blocked));
  fill(data, SIZE, 63);
  size_t sent = 0;
  for (ssize_t result; (result = send(ends[0], data + sent, 8192, MSG_DONTWAIT)) > 0;) sent += result;
  struct worker *worker = start(writer, other);
  until_blocked(worker->tid, SYS_write);
  ready();
  memset(data, 0, SIZE);
  equal("bytes waiting", recv(ends[1], data, SIZE, MSG_WAITALL | MSG_DONTWAIT), sent);
  verify("waiting data", data, sent, 63);
  equal("bytes from the blocked writer", read_fully(blocked[1], data, SIZE), SIZE);
  verify("data from the blocked writer", data, SIZE, 62);
  finish(worker);
  pass();
}
