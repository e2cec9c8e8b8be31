// Preloaded into a worker (`--import`): its Date is off by KEYTURN_TEST_CLOCK_MS. The kernel's clock, TLS and Temporal's core keep the true time.
import process from 'node:process';

const shiftMs = Number(process.env['KEYTURN_TEST_CLOCK_MS'] ?? '0');
const TrueDate = Date;

class ShiftedDate extends TrueDate {
  constructor(...given: readonly unknown[]) {
    if (given.length === 0) super(TrueDate.now() + shiftMs);
    else super(...(given as [number]));
  }

  static override now(): number {
    return TrueDate.now() + shiftMs;
  }
}

globalThis.Date = ShiftedDate as DateConstructor;
