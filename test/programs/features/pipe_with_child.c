/* what: a pipe from parent to child with data waiting in it, and one back */
/* needs: tree */
/* spoil: write(to[1], "x", 1) */
#include "../feature.h"

static int to[2], from[2];

static void answer(void *unused) {
  (void)unused;
  char data[8000];
  close(to[1]);
  close(from[0]);
  settled();
  wait_go();
  size_t got = 0;
  for (ssize_t result; (result = read(to[0], data + got, sizeof data - got)) > 0;) got += result;
  equal("bytes read by the child", got, 6000);
  verify("data of the pipe", data, 6000, 52);
  must(write(from[1], "thanks", 6));
}

int main(void) {
  char data[8000] = {0};
  must(pipe(to));
  must(pipe(from));
  pid_t child = spawn(answer, NULL);
  close(to[0]);
  close(from[1]);
  fill(data, 6000, 52);
  must(write(to[1], data, 4000));
  ready();
  must(write(to[1], data + 4000, 2000));
  close(to[1]);
  equal("bytes of the answer", read(from[0], data, sizeof data), 6);
  equal("end of file", read(from[0], data, sizeof data), 0);
  join(child);
  pass();
}
