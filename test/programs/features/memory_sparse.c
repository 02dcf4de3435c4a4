/* what: a sparse 64 GiB mapping: pages here and there, nothing between them, nothing made resident */
/* spoil: memory[12345 * 4099 * PAGE % size] ^= 1 */
#include "../feature.h"

int main(void) {
  size_t size = 64UL << 30;
  unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) skip("no 64 GiB of address space: %s", strerror(errno));
  for (size_t i = 0; i < 200; i++) memory[(i * 12345 * 4099 * PAGE) % size] = i + 1;
  ready();
  for (size_t i = 0; i < 200; i++) equal("byte in the sparse mapping", memory[(i * 12345 * 4099 * PAGE) % size], i + 1);
  unsigned char *resident = malloc(1 << 20);
  size_t pages = 0;
  for (size_t at = 0; at < size; at += (size_t)PAGE << 20) {
    must(mincore(memory + at, (size_t)PAGE << 20, resident));
    for (size_t i = 0; i < 1 << 20; i++) pages += resident[i] & 1;
  }
  within("resident pages", pages, 0, 200 * 512);
  pass();
}
