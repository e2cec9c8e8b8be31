// What stands in a list twice.

/** The first that has stood there before; undefined where all differ. */
export function findRepeated(values: readonly string[]): string | undefined {
  return values.find((value, index) => values.indexOf(value) !== index);
}
