/* The floor of a call between two processes: 64 bytes there and back over TCP on loopback. Prints the median round trip in nanoseconds. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, WARM_UP = 1000, ROUNDS = 20000 };

static void whole(ssize_t (*transfer)(int, char *, size_t), int fd, char *bytes) {
  for (size_t done = 0; done < SIZE;) {
    ssize_t part = transfer(fd, bytes + done, SIZE - done);
    if (part <= 0) exit(1);
    done += (size_t)part;
  }
}

static ssize_t get(int fd, char *bytes, size_t size) { return read(fd, bytes, size); }
static ssize_t put(int fd, char *bytes, size_t size) { return write(fd, bytes, size); }

static int compare(const void *one, const void *other) {
  long a = *(const long *)one, b = *(const long *)other;
  return (a > b) - (a < b);
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1)) return 1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  char bytes[SIZE] = {0};
  pid_t child = fork();
  if (child == 0) {
    int fd = accept(listener, 0, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (;;) {
      whole(get, fd, bytes);
      whole(put, fd, bytes);
    }
  }
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, length)) return 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  static long samples[ROUNDS];
  for (int n = -WARM_UP; n < ROUNDS; n++) {
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    whole(put, fd, bytes);
    whole(get, fd, bytes);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (n >= 0) samples[n] = (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec;
  }
  close(fd);
  waitpid(child, 0, 0);
  qsort(samples, ROUNDS, sizeof *samples, compare);
  printf("%ld\n", samples[ROUNDS / 2]);
  return 0;
}
