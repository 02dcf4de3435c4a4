/* what: parent and child talking through a socketpair while both move */
/* needs: tree */
/* spoil: write(ends[0], "x", 1) */
#include "../feature.h"
#include <sys/socket.h>

static int ends[2];

static void echo(void *unused) {
  (void)unused;
  char data[1000];
  close(ends[0]);
  settled();
  for (ssize_t length; (length = read(ends[1], data, sizeof data)) > 0;)
    for (ssize_t done = 0; done < length;) done += must(write(ends[1], data + done, length - done));
}

int main(void) {
  char data[800], back[800];
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
  pid_t child = spawn(echo, NULL);
  close(ends[1]);
  announce();
  uint64_t sizes = 5;
  bool last = false;
  for (int round = 0; !last; round++) {
    last = gone();
    size_t size = 8 * (next_random(&sizes) % 100 + 1);
    fill(data, size, round);
    write_fully(ends[0], data, size);
    equal("bytes that came back", read_fully(ends[0], back, size), size);
    verify("echo", back, size, round);
    usleep(300);
  }
  close(ends[0]);
  join(child);
  pass();
}
