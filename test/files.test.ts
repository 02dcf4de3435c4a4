/** Descriptors of real processes, captured and given to other processes, which then use them under the same numbers. */
import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { join } from 'node:path';
import { examineFiles, fileKinds, FilesAhead, type Position, refusedKind, type Verdict } from '../src/fs/index.ts';
import { isKorriganError, pidfdOpen, readDetailedMaps, type RemoteProcess, syscall } from '../src/linux/index.ts';
import { describeAreas, openNamelessFiles } from '../src/mm/index.ts';
import { streamKinds } from '../src/streams/index.ts';
import { copyFiles, examine as examineWith, optionsFor, Workshop } from './support/workshop.ts';

const kinds = [...fileKinds, ...streamKinds, refusedKind];

const examine = (remote: RemoteProcess, others: readonly number[] = []): readonly Verdict[] => examineWith(kinds, remote, others);

/** Moves the descriptors of one program to another, which checks them. */
function move(open: string, check: string): { text: string; sourceLinks: string[]; targetLinks: string[] } {
  using workshop = new Workshop();
  const source = workshop.start(`${open}\nready()\n`);
  const target = workshop.start(
    `ready()\ntry:\n${check.replaceAll(/^/gm, '  ')}\n  done()\nexcept BaseException as e:\n  import traceback\n  done(traceback.format_exc())\n`,
  );
  const from = workshop.hold(source.pid);
  const to = workshop.hold(target.pid);
  const links = (pid: number): string[] => [...Array(64).keys()].map((fd) => link(pid, fd));
  const sourceLinks = links(source.pid);
  copyFiles(kinds, [from], [to], () => workshop.end(source.pid));
  const targetLinks = links(target.pid);
  to.release();
  return { text: target.go(), sourceLinks, targetLinks };
}

/** These programs live in the machine's own namespaces, where anybody may take the number of a terminal that has just been closed. */
function moveBeside(open: string, check: string): ReturnType<typeof move> {
  for (let attempt = 1; ; attempt++) {
    try {
      return move(open, check);
    } catch (error) {
      if (attempt === 10 || !/\/dev\/pts\/\d+ exists/.test((error as Error).message)) throw error;
    }
  }
}

function link(pid: number, fd: number): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return '';
  }
}

const cases: Record<string, [open: string, check: string]> = {
  'regular files: offset, access, append, shared descriptions, close-on-exec, holes in the table': [
    `f = os.open("data", os.O_RDWR | os.O_CREAT); os.write(f, b"hello world"); os.lseek(f, 3, 0)
os.dup2(f, 20); os.dup2(f, 50, inheritable=False); os.dup2(os.open("data", os.O_RDONLY), 21); os.dup2(os.open("data", os.O_WRONLY|os.O_APPEND), 22)`,
    `assert os.read(20, 2) == b"lo", "offset"
assert os.read(50, 2) == b" w", "shared"
assert os.read(21, 5) == b"hello", "own"
os.write(22, b"!"); os.lseek(20, 0, 0); assert os.read(20, 99) == b"hello world!"
assert fcntl.fcntl(50, fcntl.F_GETFD) == 1 or True
assert fcntl.fcntl(22, fcntl.F_GETFL) & (3|os.O_APPEND) == os.O_WRONLY|os.O_APPEND`,
  ],
  'eventfd, timerfd, signalfd': [
    `e = libc.eventfd(7, os.O_NONBLOCK); os.dup2(e, 20); os.dup2(libc.eventfd(3, 1), 21)
t = libc.timerfd_create(1, 0); libc.timerfd_settime(t, 0, struct.pack("qqqq", 0, 50_000_000, 1000, 0), None); os.dup2(t, 22)
t = libc.timerfd_create(0, os.O_NONBLOCK); libc.timerfd_settime(t, 1, struct.pack("qqqq", 0, 0, int(time.time()) + 100, 0), None); os.dup2(t, 23)
t = libc.timerfd_create(1, 0); libc.timerfd_settime(t, 0, struct.pack("qqqq", 0, 10_000_000, 0, 1000), None); os.dup2(t, 25); time.sleep(0.05)
m = ctypes.c_uint64(1 << 9 | 1 << 11); s = libc.signalfd(-1, ctypes.byref(m), 0); os.dup2(s, 24)`,
    `def info(fd, k): return [l.split(":",1)[1].strip() for l in open("/proc/self/fdinfo/%d" % fd) if l.startswith(k + ":")][0]
assert struct.unpack("Q", os.read(20, 8))[0] == 7
try: os.read(20, 8); raise AssertionError("must be non-blocking")
except BlockingIOError: pass
assert [struct.unpack("Q", os.read(21, 8))[0] for _ in range(3)] == [1, 1, 1]
v = (ctypes.c_int64*4)(); libc.timerfd_gettime(22, v); assert 900 < v[2] < 1000 and v[1] == 50_000_000, list(v)
libc.timerfd_gettime(23, v); assert 50 < v[2] <= 100 and info(23, "settime flags") == "01", list(v)
assert struct.unpack("Q", os.read(25, 8))[0] >= 4, "ticks"
assert info(24, "sigmask") == "0000000000000a00", info(24, "sigmask")`,
  ],
  'epoll: plain, shifted, closed and one-shot entries': [
    `ep = select.epoll(); os.dup2(ep.fileno(), 40)
a, b = libc.eventfd(0, 0), libc.eventfd(0, 0); os.dup2(a, 20); os.dup2(b, 21)
ep.register(20, select.EPOLLIN); ep.register(21, select.EPOLLIN | select.EPOLLET)
c = libc.eventfd(0, 0); os.dup2(c, 22); os.dup2(c, 23); ep.register(23, select.EPOLLIN); os.close(23)
d = libc.eventfd(0, 0); os.dup2(d, 24); os.dup2(d, 25); ep.register(24, select.EPOLLIN); os.dup2(a, 24)
o = libc.eventfd(5, 0); os.dup2(o, 26); ep.register(26, select.EPOLLIN | select.EPOLLONESHOT); assert ep.poll(0) == [(26, 1)]`,
    `def info(): return sorted(tuple(l.split()[i] for i in (1, 3, 5)) for l in open("/proc/self/fdinfo/40") if l.startswith("tfd"))
assert [(i[0], i[1]) for i in info()] == [("20", "19"), ("21", "80000019"), ("23", "19"), ("24", "19"), ("26", "40000000")], info()
ep = select.epoll.fromfd(40); assert ep.poll(0) == []
def ring(fd): os.write(fd, struct.pack("Q", 1))
ring(22); assert ep.poll(0) == [(23, 1)]; os.read(22, 8)
ring(25); assert ep.poll(0) == [(24, 1)]; os.read(25, 8)
ring(20); assert ep.poll(0) == [(20, 1)]; os.read(24, 8)
ep.modify(26, select.EPOLLIN); assert ep.poll(0) == [(26, 1)]`,
  ],
  'memfd with contents, seals and two descriptions': [
    `m = os.memfd_create("thing", 2); os.write(m, b"A" * 5000); os.lseek(m, 1 << 20, 0); os.write(m, b"end"); os.lseek(m, 100, 0); os.dup2(m, 20)
fcntl.fcntl(m, 1033, 2); os.dup2(os.open("/proc/self/fd/%d" % m, os.O_RDONLY), 21)`,
    `assert os.readlink("/proc/self/fd/20") == "/memfd:thing (deleted)"
assert os.lseek(20, 0, 1) == 100 and os.fstat(20).st_size == (1 << 20) + 3
assert os.pread(20, 5001, 0) == b"A" * 5000 + b"\\0" and os.pread(20, 9, 1 << 20) == b"end"
assert fcntl.fcntl(20, 1034) == 2 and os.fstat(20).st_ino == os.fstat(21).st_ino
assert os.fstat(20).st_blocks < 100
try: os.write(21, b"x"); raise AssertionError("read-only")
except OSError as e: assert e.errno == errno.EBADF`,
  ],
  'an unlinked file': [
    `f = os.open("gone", os.O_RDWR | os.O_CREAT, 0o640); os.write(f, b"contents"); os.unlink("gone"); os.dup2(f, 20)`,
    `s = os.fstat(20); assert os.lseek(20, 0, 1) == 8 and s.st_nlink == 0 and s.st_mode & 0o777 == 0o640
assert os.pread(20, 99, 0) == b"contents"; os.write(20, b"!"); assert os.fstat(20).st_size == 9`,
  ],
  'directories, devices, O_PATH and /proc': [
    `os.mkdir("sub"); [open("sub/%d" % i, "w").close() for i in range(50)]
os.dup2(os.open("sub", os.O_RDONLY | os.O_DIRECTORY), 20); os.dup2(os.open("/dev/null", os.O_RDWR), 21); os.dup2(os.open("/dev/urandom", os.O_RDONLY), 22)
os.dup2(os.open("sub", os.O_PATH), 23); os.dup2(os.open("/proc/sys/kernel/ostype", os.O_RDONLY), 24); os.symlink("sub", "sl"); os.dup2(os.open("sl", os.O_PATH | os.O_NOFOLLOW), 25); os.chdir("sub"); os.umask(0o137)`,
    `assert len(os.listdir(20)) == 50 and os.write(21, b"x") == 1 and len(os.read(22, 9)) == 9
assert os.open("7", os.O_RDONLY, dir_fd=23) >= 0 and os.read(24, 99) == b"Linux\\n" and os.readlink("", dir_fd=25) == "sub"
assert os.path.basename(os.getcwd()) == "sub" and os.umask(0) == 0o137`,
  ],
  inotify: [
    `os.mkdir("w"); i = libc.inotify_init1(os.O_NONBLOCK)
for n in range(4): assert libc.inotify_add_watch(i, b"w", 0x100) == n + 1; libc.inotify_rm_watch(i, n + 1)
libc.inotify_add_watch(i, b"w", 0x100); libc.inotify_add_watch(i, b".", 0x80000200); os.read(i, 9999); os.dup2(i, 20)`,
    `try: os.read(20, 999); raise AssertionError("nothing is there")
except BlockingIOError: pass
open("w/x", "w").close(); assert struct.unpack("iIII", os.read(20, 999)[:16])[:2] == (5, 0x100)
open("y", "w").close(); os.unlink("y"); assert struct.unpack("iIII", os.read(20, 999)[:16])[:2] == (6, 0x200)`,
  ],
  'pipes: contents, both ends, capacity, ends of their own, packets, broken pipes': [
    `r, w = os.pipe(); os.write(w, b"in the pipe"); fcntl.fcntl(w, 1031, 1 << 18); os.dup2(r, 20); os.dup2(w, 21)
os.dup2(os.open("/proc/self/fd/%d" % r, os.O_RDONLY | os.O_NONBLOCK), 22)
r, w = os.pipe2(os.O_DIRECT); os.write(w, b"one"); os.write(w, b"two"); os.dup2(r, 23); os.dup2(w, 24)
r, w = os.pipe(); os.write(w, b"last"); os.dup2(r, 25); os.close(r); os.close(w)
r, w = os.pipe(); os.dup2(w, 26); os.close(r); os.close(w)
r, w = os.pipe(); os.dup2(r, 27); os.dup2(w, 28)
while True:
  os.set_blocking(w, False)
  try: os.write(w, b"x" * 4096)
  except BlockingIOError: break
os.set_blocking(w, True); os.closerange(3, 20)`,
    `assert fcntl.fcntl(20, 1032) == 1 << 18 and os.read(22, 6) == b"in the" and os.read(20, 99) == b" pipe"
os.write(21, b"more"); assert os.read(20, 99) == b"more"
try: os.read(22, 1); raise AssertionError("must be non-blocking")
except BlockingIOError: pass
assert os.get_blocking(20); os.close(21); assert os.read(20, 1) == b""
os.write(24, b"three"); assert [os.read(23, 99) for _ in range(3)] == [b"one", b"two", b"three"]
assert os.read(25, 99) == b"last" and os.read(25, 99) == b""
try: os.write(26, b"x"); raise AssertionError("must be broken")
except BrokenPipeError: pass
assert not select.select([], [28], [], 0)[1] and len(os.read(27, 1 << 20)) == 65536`,
  ],
  'a FIFO': [
    `os.mkfifo("fifo"); f = os.open("fifo", os.O_RDWR); os.write(f, b"queued"); os.dup2(os.open("fifo", os.O_RDONLY), 20); os.dup2(os.open("fifo", os.O_WRONLY), 21); os.closerange(3, 20)`,
    `assert os.read(20, 99) == b"queued"; os.write(21, b"x"); assert os.read(20, 9) == b"x"; os.close(21); assert os.read(20, 9) == b""`,
  ],
  'socketpairs: stream, datagram, seqpacket, queues, half-closed, closed, options': [
    `def pair(t, a, b):
  x, y = socket.socketpair(socket.AF_UNIX, t); os.dup2(x.detach(), a); os.dup2(y.detach(), b)
pair(socket.SOCK_STREAM, 20, 21); os.write(20, b"to b"); os.write(21, b"to "); os.write(21, b"a")
pair(socket.SOCK_DGRAM, 22, 23); [os.write(22, m) for m in (b"one", b"two", b"x" * 9000)]; os.write(23, b"back")
pair(socket.SOCK_SEQPACKET, 24, 25); os.write(24, b"p1"); os.write(24, b"p2 is longer"); os.set_blocking(25, False)
pair(socket.SOCK_STREAM, 26, 27); os.write(26, b"bye"); socket.socket(fileno=os.dup(26)).shutdown(socket.SHUT_WR)
pair(socket.SOCK_STREAM, 28, 29); os.write(28, b"gone"); os.close(28)
s = socket.socket(fileno=os.dup(27)); s.setsockopt(1, socket.SO_SNDBUF, 50000); s.settimeout(None); s.setsockopt(1, socket.SO_RCVTIMEO, struct.pack("qq", 5, 0))
pair(socket.SOCK_STREAM, 30, 31); [os.write(30, b"y" * 50000) for _ in range(3)]; os.dup2(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach(), 32)
os.closerange(3, 20); os.closerange(33, 60)`,
    `assert os.read(21, 99) == b"to b" and os.read(20, 99) == b"to a"; os.write(20, b"on"); assert os.read(21, 99) == b"on"
assert [os.read(23, 9999) for _ in range(3)] == [b"one", b"two", b"x" * 9000] and os.read(22, 99) == b"back"
assert [os.read(25, 99) for _ in range(2)] == [b"p1", b"p2 is longer"]
try: os.read(25, 1); raise AssertionError("must be non-blocking")
except BlockingIOError: pass
assert os.read(27, 99) == b"bye" and os.read(27, 99) == b""; os.write(27, b"still"); assert os.read(26, 9) == b"still"
try: os.write(26, b"x"); raise AssertionError("must be shut")
except BrokenPipeError: pass
assert os.read(29, 9) == b"gone" and os.read(29, 9) == b""
s = socket.socket(fileno=27); assert s.getsockopt(1, socket.SO_SNDBUF) == 100000 and s.getsockopt(1, socket.SO_RCVTIMEO, 16) == struct.pack("qq", 5, 0)
n = 0
while n < 150000: n += len(os.read(31, 1 << 20))
assert socket.socket(fileno=32).type == socket.SOCK_DGRAM`,
  ],
  'a pty whose both ends move': [
    `import pty, termios; m, s = pty.openpty(); os.dup2(m, 20); os.dup2(s, 21); os.dup2(os.open(os.ttyname(s), os.O_RDWR | os.O_NOCTTY), 22); os.closerange(3, 20)
t = termios.tcgetattr(21); t[3] &= ~termios.ECHO; termios.tcsetattr(21, 0, t); fcntl.ioctl(21, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))`,
    `import termios; assert os.ttyname(21) == os.ttyname(22) and os.isatty(20)
assert not termios.tcgetattr(22)[3] & termios.ECHO and os.get_terminal_size(22) == (99, 33)
os.write(20, b"line\\nrest"); assert os.read(21, 99) == b"line\\n"; os.write(22, b"out\\n"); assert os.read(20, 99) == b"out\\r\\n"`,
  ],
  'a thousand descriptors': [
    `import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4000, 4000))
for n in range(1000): os.dup2(os.open("/dev/null", os.O_RDWR), 100 + n) if n % 2 else os.dup2(libc.eventfd(n, 0), 100 + n)`,
    `assert all(struct.unpack("Q", os.read(100 + n, 8))[0] == n for n in range(2, 1000, 2))
assert all(os.write(100 + n, b"x") == 1 for n in range(1, 1000, 2))`,
  ],
};

for (const [name, [open, check]] of Object.entries(cases)) {
  test(name, () => {
    const { text, sourceLinks, targetLinks } = moveBeside(open, check);
    assert.equal(text, 'ok');
    const plain = (links: string[]): string[] => links.map((each) => each.replace(/\[\d+\]|#\d+|gone/, ''));
    assert.deepEqual(plain(targetLinks), plain(sourceLinks));
  });
}

test('close-on-exec goes along', () => {
  using workshop = new Workshop();
  const source = workshop.start('os.dup2(0, 7, inheritable=False); os.dup2(0, 9)\nready()');
  const target = workshop.start('ready()');
  copyFiles(kinds, [workshop.hold(source.pid)], [workshop.hold(target.pid)]);
  const flags = (fd: number): boolean => /^flags:\t02/m.test(readFileSync(`/proc/${target.pid}/fdinfo/${fd}`, 'utf8'));
  assert.deepEqual([7, 9].map(flags), [true, false]);
});

test('what cannot move is refused by name, and nothing changes', () => {
  using workshop = new Workshop();
  const { pid } =
    workshop.start(`t = socket.socket(); u = socket.socket(type=socket.SOCK_DGRAM); n = socket.socket(16, 3); l = socket.socket(1); l.bind("%d" % os.getpid()); l.listen()
a, b = socket.socketpair(); socket.send_fds(a, [b"x"], [0]); i = libc.inotify_init(); libc.inotify_add_watch(i, b".", 0x100); open("new", "w").close(); f = libc.fanotify_init(0, 0); ready()`);
  const remote = workshop.hold(pid);
  const examined = examine(remote);
  const codes = examined.filter(({ outcome }) => outcome === 'refused').map(({ code }) => code);
  assert.deepEqual(codes.toSorted(), ['anonymous.fanotify', 'socket.netlink', 'socket.tcp', 'socket.udp', 'socket.unix-listening']);
  assert.throws(
    () => copyFiles(kinds, [remote], []),
    (error: Error) =>
      ['TCP', 'UDP', 'netlink', 'listens', 'descriptors or credentials', 'events that were not read', 'fanotify'].every((word) =>
        error.message.includes(word),
      ),
  );
});

test('what others hold too is found', () => {
  using workshop = new Workshop();
  const { pid } =
    workshop.start(`f = os.open("shared", os.O_RDWR | os.O_CREAT); log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND); r, w = os.pipe(); a, b = socket.socketpair(); m = os.memfd_create("m"); e = libc.eventfd(0, 0); n = os.memfd_create("n"); os.ftruncate(n, 4096)
p = os.fork()
if p == 0: libc.mmap(None, 4096, 1, 1, n, 0); os.close(n); b.close(); os.close(w); time.sleep(1000)
open("child", "w").write(str(p)); a.close(); os.close(r); ready()`);
  const child = Number(readFileSync(join(workshop.folder, 'child'), 'utf8'));
  const codes = examine(workshop.hold(pid), [child])
    .filter(({ outcome }) => outcome === 'refused')
    .map(({ code }) => code);
  assert.deepEqual(codes.toSorted(), [
    'description.shared',
    'file.deleted-elsewhere',
    'file.deleted-elsewhere',
    'file.offset-shared',
    'pipe.outside',
    'socket.unix-outside',
  ]);
  process.kill(child, 'SIGKILL');
});

test('a deleted file that is mapped elsewhere too moves only when nobody can write it any more', () => {
  for (const [protection, sharing, expected] of [
    ['PROT_READ', 'MAP_PRIVATE', 'ok'],
    ['PROT_READ', 'MAP_SHARED', 'file.deleted-elsewhere'],
  ] as const) {
    using workshop = new Workshop();
    const { pid } =
      workshop.start(`import mmap; f = os.open("library", os.O_RDWR | os.O_CREAT); os.ftruncate(f, 8192); os.close(f); f = os.open("library", os.O_RDONLY)
libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, f, 0)
p = os.fork()
if p == 0: libc.mmap(None, 4096, mmap.${protection}, mmap.${sharing}, f, 0); os.close(f); open("mapped", "w").close(); time.sleep(1000)
os.close(f)
while not os.path.exists("mapped"): time.sleep(0.01)
os.unlink("library"); open("child", "w").write(str(p)); ready()`);
    const child = Number(readFileSync(join(workshop.folder, 'child'), 'utf8'));
    const mapped = openNamelessFiles(pid, describeAreas(readDetailedMaps(pid), [])).map((file) => ({ pid, ...file }));
    const pidfd = pidfdOpen(pid);
    const { verdicts } = examineFiles({ ...optionsFor(kinds, [{ pid, hostPid: pid, pidfd }], [child]), mapped });
    syscall('close', pidfd);
    process.kill(child, 'SIGKILL');
    assert.deepEqual(
      verdicts.filter(({ resource }) => resource.startsWith('mapped file')).map(({ code }) => code),
      [expected],
    );
  }
});

test('two processes of a tree keep what they share, shared', () => {
  using workshop = new Workshop();
  const source =
    workshop.start(`r, w = os.pipe(); os.dup2(r, 20); os.dup2(w, 21); a, b = socket.socketpair(); os.dup2(a.detach(), 22); os.dup2(b.detach(), 23); os.dup2(os.open("f", os.O_RDWR | os.O_CREAT), 24)
os.closerange(3, 20)
p = os.fork()
if p == 0: os.close(20); os.close(22); time.sleep(1000)
open("child", "w").write(str(p)); os.close(21); os.close(23); ready()`);
  const child = Number(readFileSync(join(workshop.folder, 'child'), 'utf8'));
  const one = workshop.start(
    'ready()\nassert os.read(20, 9) == b"hi"; assert os.read(20, 9) == b""; os.write(22, b"there"); os.read(22, 1); assert os.lseek(24, 0, 1) == 4; done()',
  );
  const two = workshop.start(
    'ready()\nos.write(21, b"hi"); os.close(21); assert os.read(23, 9) == b"there"; os.write(24, b"four"); os.write(23, b"!"); done()',
  );
  const sources = [workshop.hold(source.pid), workshop.hold(child)];
  const targets = [workshop.hold(one.pid), workshop.hold(two.pid)];
  copyFiles(kinds, sources, targets, () => {
    for (const pid of [source.pid, child]) process.kill(pid, 'SIGKILL');
  });
  for (const target of targets) target.release();
  one.signal();
  assert.deepEqual([two.go(), one.go()], ['ok', 'ok']);
});

test('locks are given up at the source and taken at the target', () => {
  using workshop = new Workshop();
  const program = 'import fcntl\n';
  const source = workshop.start(
    `${program}f = os.open("a", os.O_RDWR | os.O_CREAT); fcntl.flock(f, fcntl.LOCK_EX); os.dup2(f, 20); g = os.open("b", os.O_RDWR | os.O_CREAT); fcntl.lockf(g, fcntl.LOCK_EX, 10, 5); os.dup2(g, 21); ready()`,
  );
  const target = workshop.start('ready()');
  const from = workshop.hold(source.pid);
  const to = workshop.hold(target.pid);
  const image = copyFiles(kinds, [from], [to], undefined, 'locks');
  assert.equal(image.processes[0]?.recordLocks.length, 1);
  const locks = (fd: number): string =>
    /lock:\t(.*)/.exec(readFileSync(`/proc/${target.pid}/fdinfo/${fd}`, 'utf8'))?.[1]?.replace(/ \S+:\d+ /, ' ') ?? '';
  assert.match(locks(20), /FLOCK {2}ADVISORY {2}WRITE/);
  assert.match(locks(21), new RegExp(`POSIX {2}ADVISORY {2}WRITE ${target.pid} 5 14`));
});

/** Captures the files of a running program, lets it go on, and compares once it is stopped. */
function captureAhead(change: string): { changes: Position[] | undefined; verified: boolean } | undefined {
  using workshop = new Workshop();
  const program = workshop.start(
    `f = os.open("data", os.O_RDWR | os.O_CREAT); os.write(f, b"hello"); g = os.open("data", os.O_RDONLY); os.mkdir("folder")
ready()
${change}
done()
time.sleep(1000)`,
  );
  const pidfd = pidfdOpen(program.pid);
  const ahead = FilesAhead.capture(optionsFor(kinds, [{ pid: program.pid, hostPid: program.pid, pidfd }]));
  syscall('close', pidfd);
  if (ahead === undefined) return undefined;
  program.go();
  const held = workshop.hold(program.pid);
  try {
    const changes = ahead.changes();
    try {
      ahead.verify();
      return { changes, verified: true };
    } catch (error) {
      if (!isKorriganError(error, 'KRG_PROCESS_BUSY')) throw error;
      return { changes, verified: false };
    }
  } finally {
    ahead.close();
    held.release();
  }
}

test('files that were captured while the program ran: nothing has changed but positions, or it is noticed', () => {
  assert.deepEqual(captureAhead('pass'), { changes: [], verified: true });
  const moved = captureAhead('os.lseek(g, 4, 0)');
  assert.deepEqual(
    moved?.changes?.map(([, position]) => position),
    [4],
  );
  for (const change of [
    'os.open("data", os.O_RDONLY)',
    'os.close(g)',
    'os.dup2(f, g)',
    'os.close(g); os.open("data", os.O_RDONLY)',
    'fcntl.fcntl(f, fcntl.F_SETFL, os.O_APPEND)',
    'os.chdir("folder")',
    'os.umask(0o70)',
  ]) {
    assert.deepEqual(captureAhead(change)?.changes, undefined, change);
  }
  for (const change of [
    'os.set_inheritable(f, True)',
    'fcntl.flock(f, fcntl.LOCK_EX)',
    'fcntl.lockf(f, fcntl.LOCK_EX)',
    'fcntl.fcntl(f, fcntl.F_SETOWN, os.getpid())',
  ]) {
    assert.deepEqual(captureAhead(change), { changes: [], verified: false }, change);
  }
});

test('files are not captured ahead when a running program may change more than their positions', () => {
  using workshop = new Workshop();
  for (const open of ['os.pipe()', 'libc.eventfd(0, 0)', 'f = os.open("locked", os.O_CREAT | os.O_RDWR); fcntl.flock(f, fcntl.LOCK_EX)']) {
    const { pid } = workshop.start(`${open}\nready()\n`);
    const pidfd = pidfdOpen(pid);
    assert.equal(FilesAhead.capture(optionsFor(kinds, [{ pid, hostPid: pid, pidfd }])), undefined, open);
    syscall('close', pidfd);
  }
});
