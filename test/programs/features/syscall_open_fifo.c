/* what: blocked in open of a FIFO until the other side comes */
/* spoil: interrupt(workers[1]->tid) */
#include "../feature.h"

static char *paths[2];

static void *open_side(void *index) {
  int fd = open(paths[(long)index], (long)index ? O_WRONLY : O_RDONLY);
  check(fd >= 0, "the FIFO to open, seen %s", strerror(errno));
  return (void *)(long)fd;
}

int main(void) {
  struct worker *workers[2];
  char byte = 0;
  paths[0] = scratch("first");
  paths[1] = scratch("second");
  for (long i = 0; i < 2; i++) {
    must(mkfifo(paths[i], 0600));
    workers[i] = start(open_side, (void *)i);
  }
  for (int i = 0; i < 2; i++) until_blocked(workers[i]->tid, SYS_openat);
  ready();
  for (int i = 0; i < 2; i++) until_blocked(workers[i]->tid, SYS_openat);
  int writer = must(open(paths[0], O_WRONLY)), reader = must(open(paths[1], O_RDONLY));
  int its_reader = (long)finish(workers[0]), its_writer = (long)finish(workers[1]);
  must(write(writer, "a", 1));
  must(read(its_reader, &byte, 1));
  equal("byte through the first FIFO", byte, 'a');
  must(write(its_writer, "b", 1));
  must(read(reader, &byte, 1));
  equal("byte through the second FIFO", byte, 'b');
  pass();
}
