/* what: a child blocked in write on a full pipe, its parent about to read */
/* needs: tree */
/* spoil: read(ends[0], data, 8) */
#include "../feature.h"

static int ends[2];
enum { SIZE = 300 * 1024 };

static void writer(void *unused) {
  (void)unused;
  char *data = malloc(SIZE);
  close(ends[0]);
  fill(data, SIZE, 53);
  settled();
  write_fully(ends[1], data, SIZE);
}

int main(void) {
  char *data = malloc(SIZE);
  must(pipe(ends));
  pid_t child = spawn(writer, NULL);
  close(ends[1]);
  until_blocked(child, SYS_write);
  ready();
  equal("bytes read", read_fully(ends[0], data, SIZE), SIZE);
  verify("data of the pipe", data, SIZE, 53);
  equal("end of file", read(ends[0], data, 1), 0);
  join(child);
  pass();
}
