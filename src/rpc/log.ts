/** The part of pino's logger that the RPC uses. */
export interface RpcLog {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export const SILENT_LOG: RpcLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
