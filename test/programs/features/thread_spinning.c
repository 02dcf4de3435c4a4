/* what: threads that never enter the kernel, exchanging a value through memory */
/* needs: busy */
/* spoil: ball += 3 */
#include "../feature.h"

static _Atomic long ball;
static _Atomic int stop;

/* Adds one whenever the ball's remainder says it is this thread's turn. */
static void *play(void *index) {
  long hits = 0;
  while (!stop)
    if (ball % 2 == (long)index) {
      long seen = ball;
      if (seen % 2 == (long)index && atomic_compare_exchange_strong(&ball, &seen, seen + 1)) hits++;
    }
  return (void *)hits;
}

int main(void) {
  struct worker *first = start(play, (void *)0L), *second = start(play, (void *)1L);
  while (ball < 100) usleep(1000);
  ready();
  long before = ball;
  for (int nap = 0; nap < 5000 && ball < before + 2; nap++) usleep(1000);
  check(ball >= before + 2, "the threads to play on from %ld, seen %ld", before, ball);
  stop = 1;
  long hits = (long)finish(first) + (long)finish(second);
  equal("sum of both threads' hits", hits, ball);
  pass();
}
