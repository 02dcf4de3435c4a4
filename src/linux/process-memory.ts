/**
 * Reading and writing another process's memory: process_vm_readv(2) and process_vm_writev(2).
 */
import { NativeMemory, syscall } from './native.ts';

const vectors = NativeMemory.allocate(64);

function transfer(name: 'process_vm_readv' | 'process_vm_writev', pid: number, address: number, local: number, length: number): number {
  const view = vectors.view;
  view.setBigUint64(0, BigInt(local), true);
  view.setBigUint64(8, BigInt(length), true);
  view.setBigUint64(16, BigInt(address), true);
  view.setBigUint64(24, BigInt(length), true);
  return syscall(name, pid, vectors.address, 1, vectors.address + 16, 1, 0);
}

/** Copies `length` bytes at `address` of process `pid` to native memory at `local`. @returns bytes copied; fewer at a hole. */
export function readMemoryInto(pid: number, address: number, local: number, length: number): number {
  return transfer('process_vm_readv', pid, address, local, length);
}

/** Copies from native memory at `local` into the process; only into writable mappings. @returns bytes copied. */
export function writeMemoryFrom(pid: number, address: number, local: number, length: number): number {
  return transfer('process_vm_writev', pid, address, local, length);
}

let bounce: NativeMemory | undefined;

function bounceBuffer(length: number): NativeMemory {
  if (bounce === undefined || bounce.length < length) {
    bounce?.free();
    bounce = NativeMemory.allocate(Math.max(1 << 20, length));
  }
  return bounce;
}

/** Reads exactly `length` bytes. @throws SyscallError EFAULT when part of the range is not readable. */
export function readMemory(pid: number, address: number, length: number): Uint8Array {
  const buffer = bounceBuffer(length);
  const copied = readMemoryInto(pid, address, buffer.address, length);
  if (copied !== length) throw new RangeError(`process ${pid}: only ${copied} of ${length} bytes at ${address.toString(16)} can be read`);
  return buffer.bytes.slice(0, length);
}

/** Writes all bytes, in one call. */
export function writeMemory(pid: number, address: number, bytes: Uint8Array): void {
  const buffer = bounceBuffer(bytes.length);
  buffer.bytes.set(bytes);
  const copied = writeMemoryFrom(pid, address, buffer.address, bytes.length);
  if (copied !== bytes.length)
    throw new RangeError(`process ${pid}: only ${copied} of ${bytes.length} bytes at ${address.toString(16)} could be written`);
}
