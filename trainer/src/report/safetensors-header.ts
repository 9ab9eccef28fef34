// Parses the JSON header of a safetensors file strictly and within bounds. JSON.parse will not do: it takes the last of
// duplicate keys in silence, and can build objects many times larger than the text.

/** Bytes of one value, by the format's type names. */
export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;
export type DType = keyof typeof DTYPE_BYTES;

/** One tensor of the header; `begin` and `end` are offsets in the data behind the header. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly entries: readonly HeaderEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Makes the error for a reason such as 'its header ends early'. */
export type Refuse = (what: string) => Error;

/** Together these keep what a header can make us allocate below 16 MiB, whatever its size. */
const MAX_ENTRIES = 8_192;
const MAX_TEXT_BYTES = 2 << 20;
const MAX_RANK = 8;

const CHAR = { quote: 0x22, comma: 0x2c, colon: 0x3a, open: 0x7b, close: 0x7d, openList: 0x5b, closeList: 0x5d, escape: 0x5c };

/** Throws what `refuse` makes when the bytes are not exactly a header. Offsets are not yet checked against each other. */
export function parseHeader(bytes: Uint8Array, refuse: Refuse): Header {
  const reader = new HeaderReader(bytes, refuse);
  const entries: HeaderEntry[] = [];
  let metadata: Record<string, string> = {};
  if (bytes[0] !== CHAR.open) throw refuse('its header does not start with "{"');
  reader.object('the header', (name) => {
    if (name === '__metadata__') metadata = readMetadata(reader);
    else entries.push(readEntry(reader, name, refuse));
  });
  reader.end();
  return { entries, metadata };
}

function readMetadata(reader: HeaderReader): Record<string, string> {
  const pairs: [string, string][] = [];
  reader.object('__metadata__', (key) => pairs.push([key, reader.string()]));
  return Object.fromEntries(pairs);
}

function readEntry(reader: HeaderReader, name: string, refuse: Refuse): HeaderEntry {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  const what = `tensor ${JSON.stringify(name.slice(0, 80))}`;
  reader.object(what, (key) => {
    if (key === 'dtype') dtype = reader.string();
    else if (key === 'shape') shape = reader.numbers(MAX_RANK);
    else if (key === 'data_offsets') offsets = reader.numbers(2);
    else throw refuse(`${what} has the unknown field ${JSON.stringify(key.slice(0, 80))}`);
  });
  if (dtype === undefined || shape === undefined || offsets === undefined)
    throw refuse(`${what} lacks its dtype, shape or data_offsets`);
  if (!isDType(dtype)) throw refuse(`${what} has the unknown dtype ${JSON.stringify(dtype.slice(0, 80))}`);
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || begin > end) throw refuse(`${what} has bad data_offsets`);
  // A product beyond exact integers cannot equal a length that is one, so rounding does no harm here.
  const size = shape.reduce((product, length) => product * length, DTYPE_BYTES[dtype]);
  if (size !== end - begin) throw refuse(`${what} has shape [${shape}] of ${dtype}, which is not ${end - begin} bytes`);
  return { name, dtype, shape, begin, end };
}

const isDType = (name: string): name is DType => Object.hasOwn(DTYPE_BYTES, name);

/** A cursor over the grammar that headers use: objects, strings, lists of non-negative integers. */
class HeaderReader {
  private at = 0;
  private entries = 0;
  private textBytes = 0;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  constructor(
    private readonly bytes: Uint8Array,
    private readonly refuse: Refuse,
  ) {}

  /** Calls `onKey` with the cursor at each value. Keys must differ. */
  object(what: string, onKey: (key: string) => void): void {
    this.expect(CHAR.open, what);
    const seen = new Set<string>();
    if (this.take(CHAR.close)) return;
    do {
      if (++this.entries > MAX_ENTRIES * 4) throw this.refuse(`its header has more than ${MAX_ENTRIES} tensors`);
      const key = this.string();
      if (seen.has(key)) throw this.refuse(`${what} has the key ${JSON.stringify(key.slice(0, 80))} twice`);
      seen.add(key);
      this.expect(CHAR.colon, what);
      onKey(key);
    } while (this.take(CHAR.comma));
    this.expect(CHAR.close, what);
  }

  string(): string {
    this.expect(CHAR.quote, 'a string');
    const start = this.at - 1;
    while (this.bytes[this.at] !== CHAR.quote) {
      if (this.at >= this.bytes.length) throw this.refuse('its header ends within a string');
      this.at += this.bytes[this.at] === CHAR.escape ? 2 : 1;
    }
    this.at++;
    this.textBytes += this.at - start;
    if (this.textBytes > MAX_TEXT_BYTES) throw this.refuse('its header holds more than 2 MiB of names and metadata');
    try {
      return String(JSON.parse(this.decoder.decode(this.bytes.subarray(start, this.at))));
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof TypeError) throw this.refuse('its header holds a malformed string');
      throw error;
    }
  }

  /** A list of at most `most` exact integers from 0 on. */
  numbers(most: number): number[] {
    this.expect(CHAR.openList, 'a list');
    const values: number[] = [];
    if (this.take(CHAR.closeList)) return values;
    do {
      if (values.length === most) throw this.refuse(`its header has a list of more than ${most} numbers`);
      values.push(this.integer());
    } while (this.take(CHAR.comma));
    this.expect(CHAR.closeList, 'a list');
    return values;
  }

  /** Only padding may follow. */
  end(): void {
    this.skipSpace();
    if (this.at < this.bytes.length) throw this.refuse('its header goes on behind the closing "}"');
  }

  private integer(): number {
    this.skipSpace();
    const start = this.at;
    let value = 0;
    for (let digit = this.digit(); digit >= 0; digit = this.digit()) {
      value = value * 10 + digit;
      if (!Number.isSafeInteger(value)) throw this.refuse('its header holds a number beyond 2^53');
      this.at++;
    }
    const digits = this.at - start;
    if (digits === 0 || (digits > 1 && this.bytes[start] === 0x30))
      throw this.refuse('its header holds something else where an integer from 0 on belongs');
    return value;
  }

  /** The digit under the cursor, or -1. */
  private digit(): number {
    const code = this.bytes[this.at] ?? 0;
    return code >= 0x30 && code <= 0x39 ? code - 0x30 : -1;
  }

  private expect(char: number, where: string): void {
    if (!this.take(char)) throw this.refuse(`its header lacks "${String.fromCharCode(char)}" in ${where} at byte ${this.at}`);
  }

  private take(char: number): boolean {
    this.skipSpace();
    if (this.bytes[this.at] !== char) return false;
    this.at++;
    return true;
  }

  private skipSpace(): void {
    for (;;) {
      const code = this.bytes[this.at];
      if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return;
      this.at++;
    }
  }
}
