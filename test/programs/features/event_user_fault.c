/* what: a userfaultfd with a registered range */
/* needs: refusable */
/* spoil: close(fd) */
#include "../feature.h"
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

static char *memory;

static void *touch(void *unused) {
  (void)unused;
  return (void *)(long)memory[0];
}

int main(void) {
  int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
  if (fd < 0) skip("no userfaultfd: %s", strerror(errno));
  memory = map_anonymous(4 * PAGE, PROT_READ | PROT_WRITE);
  static char page[4096] __attribute__((aligned(4096))) = {42};
  struct uffdio_api api = {.api = UFFD_API};
  struct uffdio_register range = {.range = {(uintptr_t)memory, 4 * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  must(ioctl(fd, UFFDIO_API, &api));
  must(ioctl(fd, UFFDIO_REGISTER, &range));
  ready();
  struct worker *worker = start(touch, NULL);
  struct uffd_msg message;
  equal("bytes of the event", read(fd, &message, sizeof message), sizeof message);
  equal("address of the fault", message.arg.pagefault.address, memory);
  struct uffdio_copy copy = {.dst = (uintptr_t)memory, .src = (uintptr_t)page, .len = PAGE};
  must(ioctl(fd, UFFDIO_COPY, &copy));
  equal("byte given to the faulting thread", (long)finish(worker), 42);
  pass();
}
