/* what: 100 pipes with different amounts of data */
/* spoil: read(pipes[50][0], data, 1) */
#include "../feature.h"

int main(void) {
  static int pipes[100][2];
  char data[8000];
  for (int i = 0; i < 100; i++) {
    must(pipe(pipes[i]));
    fill(data, 80 * i, i);
    if (i > 0) equal("bytes written", write(pipes[i][1], data, 80 * i), 80 * i);
  }
  ready();
  for (int i = 1; i < 100; i++) {
    equal("bytes read", read(pipes[i][0], data, sizeof data), 80 * i);
    verify("data of a pipe", data, 80 * i, i);
  }
  pass();
}
