/* what: a stream socketpair with data waiting in both directions */
/* spoil: read(ends[0], data, 1) */
#include "../feature.h"
#include <sys/socket.h>

int main(void) {
  int ends[2];
  char *data = malloc(10000);
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  fill(data, 8000, 60);
  must(write(ends[0], data, 8000));
  fill(data, 4000, 61);
  must(write(ends[1], data, 4000));
  ready();
  equal("bytes one way", recv(ends[1], data, 10000, MSG_WAITALL | MSG_DONTWAIT), 8000);
  verify("data one way", data, 8000, 60);
  equal("bytes the other way", recv(ends[0], data, 10000, MSG_WAITALL | MSG_DONTWAIT), 4000);
  verify("data the other way", data, 4000, 61);
  must(write(ends[0], "new", 3));
  equal("bytes written after the move", read(ends[1], data, 100), 3);
  pass();
}
