/* what: a FIFO between parent and child */
/* needs: tree */
/* spoil: read(fd, text, 3) */
#include "../feature.h"

static char *path;

static void writer(void *unused) {
  (void)unused;
  int fd = must(open(path, O_WRONLY));
  must(write(fd, "before ", 7));
  settled();
  wait_go();
  must(write(fd, "after", 5));
}

int main(void) {
  char text[32] = {0};
  path = scratch("fifo");
  must(mkfifo(path, 0600));
  int fd = must(open(path, O_RDONLY | O_NONBLOCK));
  pid_t child = spawn(writer, NULL);
  must(fcntl(fd, F_SETFL, 0));
  ready();
  size_t got = 0;
  for (ssize_t result; (result = read(fd, text + got, 31 - got)) > 0;) got += result;
  check(strcmp(text, "before after") == 0, "before after, then the end, seen %s", text);
  join(child);
  pass();
}
