/** A program for 32-bit x86, made by hand: it waits for signals for ever. A compiler for it is not part of a usual installation. */

const ADDRESS = 0x08048000;
const [FILE_HEADER, PROGRAM_HEADER] = [52, 32];
/** mov eax, 29 (pause); int 0x80; jmp to the beginning */
const CODE = Uint8Array.of(0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7);

/** The bytes of the executable file: elf(5), with one segment that holds all of it. */
export function elf32(): Uint8Array {
  const start = FILE_HEADER + PROGRAM_HEADER;
  const bytes = new Uint8Array(start + CODE.length);
  const view = new DataView(bytes.buffer);
  const put32 = (at: number, ...values: number[]): void => values.forEach((value, n) => view.setUint32(at + 4 * n, value, true));
  const put16 = (at: number, ...values: number[]): void => values.forEach((value, n) => view.setUint16(at + 2 * n, value, true));
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]); // "\x7fELF", 32 bits, little endian, version 1
  put16(16, 2, 3); // executable, for x86
  put32(20, 1, ADDRESS + start, FILE_HEADER); // version, entry, offset of the program headers
  put16(40, FILE_HEADER, PROGRAM_HEADER, 1); // sizes of the headers, one program header
  put32(FILE_HEADER, 1, 0, ADDRESS, ADDRESS, bytes.length, bytes.length, 5, 4096); // loaded, readable and executable
  bytes.set(CODE, start);
  return bytes;
}
