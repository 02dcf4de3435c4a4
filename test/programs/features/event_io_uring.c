/* what: an io_uring with an operation under way */
/* needs: refusable */
/* spoil: close(ring) */
#include "../feature.h"
#include <linux/io_uring.h>

int main(void) {
  struct io_uring_params parameters = {0};
  int ring = syscall(SYS_io_uring_setup, 4, &parameters);
  if (ring < 0) skip("no io_uring: %s", strerror(errno));
  char *completions = must(mmap(NULL, parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE,
                                MAP_SHARED, ring, IORING_OFF_SQ_RING));
  struct io_uring_sqe *entries = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES));
  struct __kernel_timespec never = {.tv_sec = 1000};
  entries[0] = (struct io_uring_sqe){.opcode = IORING_OP_TIMEOUT, .addr = (uintptr_t)&never, .len = 1, .user_data = 0x77};
  entries[1] = (struct io_uring_sqe){.opcode = IORING_OP_TIMEOUT_REMOVE, .addr = 0x77, .user_data = 0x78};
  unsigned *tail = (unsigned *)(completions + parameters.sq_off.tail), *array = (unsigned *)(completions + parameters.sq_off.array);
  array[0] = 0;
  array[1] = 1;
  *tail = 1;
  equal("entries taken", must(syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0)), 1);
  ready();
  *tail = 2;
  equal("entries taken", must(syscall(SYS_io_uring_enter, ring, 1, 2, IORING_ENTER_GETEVENTS, NULL, 0)), 1);
  equal("completions", *(unsigned *)(completions + parameters.cq_off.tail), 2);
  pass();
}
