/* what: a pipeline of four processes with bytes running through it while it moves */
/* needs: tree */
/* spoil: read(pipes[3][0], &byte, 1) */
#include "../feature.h"

static int pipes[4][2];

/* Copies from pipe `index` - 1 to pipe `index`, adding one to every byte; the first makes the bytes until "go". */
static void stage(void *pointer) {
  long index = (long)pointer;
  unsigned char data[777];
  uint64_t sizes = index + 1;
  unsigned next = 0;
  for (int i = 0; i < 4; i++) {
    if (i != index - 1) close(pipes[i][0]);
    if (i != index) close(pipes[i][1]);
  }
  settled();
  for (bool last = false; !last;) {
    ssize_t length;
    if (index == 0) {
      last = gone();
      length = next_random(&sizes) % sizeof data + 1;
      for (ssize_t i = 0; i < length; i++) data[i] = next++;
    } else {
      length = read(pipes[index - 1][0], data, next_random(&sizes) % sizeof data + 1);
      check(length >= 0, "a read to work in the pipeline, seen %s", strerror(errno));
      if (length == 0) break;
      for (ssize_t i = 0; i < length; i++) data[i]++;
    }
    write_fully(pipes[index][1], data, length);
    if (index == 0) usleep(200);
  }
}

int main(void) {
  pid_t children[4];
  unsigned char data[1000], byte = 3;
  for (int i = 0; i < 4; i++) must(pipe(pipes[i]));
  for (long i = 0; i < 4; i++) children[i] = spawn(stage, (void *)i);
  for (int i = 0; i < 4; i++) {
    close(pipes[i][1]);
    if (i < 3) close(pipes[i][0]);
  }
  announce();
  ssize_t length;
  while ((length = read(pipes[3][0], data, sizeof data)) > 0)
    for (ssize_t i = 0; i < length; i++, byte++) equal("byte at the end of the pipeline", data[i], byte);
  equal("result of the last read", length, 0);
  for (int i = 0; i < 4; i++) join(children[i]);
  pass();
}
