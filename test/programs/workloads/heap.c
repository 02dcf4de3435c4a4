/* heap [MIB=64] [PAUSE_MS=0]: memory with xorshift contents, checked in full and rewritten with the next seed, round after round;
   prints "round N" after each. */
#include "../workload.h"

int main(int argc, char **argv) {
  size_t size = number_argument(argc, argv, 1, 64) * MIB, part = 64 * KIB;
  long pause_milliseconds = number_argument(argc, argv, 2, 0), round = 0;
  prepare_stop();
  char *memory = map_anonymous(size, PROT_READ | PROT_WRITE);
  for (size_t at = 0; at < size; at += part) fill(memory + at, part, at + round);
  dprintf(1, "ready\n");
  while (!stopped()) {
    for (size_t at = 0; at < size; at += part) {
      verify("heap", memory + at, part, at + round);
      fill(memory + at, part, at + round + 1);
    }
    round++;
    dprintf(1, "round %ld\n", round);
    if (pause_milliseconds > 0) nap_milliseconds(pause_milliseconds);
  }
  for (size_t at = 0; at < size; at += part) verify("heap at the end", memory + at, part, at + round);
  pass_with("%ld rounds", round);
}
