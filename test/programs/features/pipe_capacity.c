/* what: the capacity of a pipe (F_SETPIPE_SZ), and a pipe filled to the brim */
/* spoil: read(ends[0], data, 4096) */
#include "../feature.h"

int main(void) {
  int ends[2], small[2];
  must(pipe2(ends, O_NONBLOCK));
  must(pipe2(small, O_NONBLOCK));
  int capacity = must(fcntl(ends[0], F_SETPIPE_SZ, 256 * KIB));
  must(fcntl(small[0], F_SETPIPE_SZ, PAGE));
  char *data = malloc(capacity);
  fill(data, capacity, 51);
  equal("bytes written", write(ends[1], data, capacity), capacity);
  ready();
  equal("capacity", fcntl(ends[1], F_GETPIPE_SZ), capacity);
  equal("capacity of the small one", fcntl(small[1], F_GETPIPE_SZ), PAGE);
  refused(write(ends[1], "x", 1), EAGAIN);
  memset(data, 0, capacity);
  equal("bytes read", read(ends[0], data, capacity), capacity);
  verify("data of the pipe", data, capacity, 51);
  pass();
}
