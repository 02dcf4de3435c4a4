/* what: two children writing lines into one pipe: no line is torn */
/* needs: tree */
/* spoil: read(ends[0], &(char){0}, 1) */
#include "../feature.h"

static int ends[2];

static void writer(void *letter) {
  char line[100];
  close(ends[0]);
  memset(line, (int)(long)letter, 99);
  line[99] = '\n';
  settled();
  for (int after = 0; after < 50; after += gone()) {
    equal("bytes of a line", write(ends[1], line, 100), 100);
    usleep(100);
  }
}

int main(void) {
  must(pipe(ends));
  pid_t first = spawn(writer, (void *)(long)'a'), second = spawn(writer, (void *)(long)'b');
  close(ends[1]);
  announce();
  FILE *in = fdopen(ends[0], "r");
  char line[200];
  int counts[2] = {0};
  while (fgets(line, sizeof line, in)) {
    equal("length of a line", strlen(line), 100);
    for (int i = 1; i < 99; i++) equal("letter of a line", line[i], line[0]);
    counts[line[0] == 'b']++;
  }
  check(counts[0] >= 50 && counts[1] >= 50, "50 lines of each, seen %d and %d", counts[0], counts[1]);
  join(first);
  join(second);
  pass();
}
