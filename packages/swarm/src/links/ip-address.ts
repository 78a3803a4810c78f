/** The bytes of an IP address, most significant first: four, or sixteen. */
export type IpAddress = readonly number[];

/**
 * Reads an address as RFC 4291, section 2.2, and dotted decimals have it. An IPv4 address within an IPv6 one (mapped,
 * compatible, NAT64, 6to4) is read as that, for packets go there. `undefined` for what is no address: names, spellings
 * of IPv4 that only some resolvers take (`127.1`), zones.
 */
export function readAddress(text: string): IpAddress | undefined {
  if (!text.includes(':')) return readV4(text);
  const groups = readV6(text);
  if (groups === undefined) return undefined;
  const bytes = groups.flatMap((group) => [group >> 8, group & 0xff]);
  return v4Within(groups, bytes) ?? bytes;
}

/** Whether it is this machine's own. */
export function isOwnAddress(address: IpAddress): boolean {
  if (address.length === 4) return address[0] === 127;
  return address.every((byte, at) => byte === (at === 15 ? 1 : 0));
}

/** Whether one machine can be there: no unspecified, multicast, reserved or broadcast address. */
export function isOnesAddress(address: IpAddress): boolean {
  const [first = 0] = address;
  if (address.length === 4) return first > 0 && first < 224;
  return first !== 0xff && address.some((byte) => byte !== 0);
}

function readV4(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

/** Eight groups of sixteen bits. */
function readV6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, at) => readGroups(half, at === halves.length - 1));
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  if (tail === undefined || head.length + tail.length > 7) return undefined;
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

/** Groups between colons; dotted decimals may end the last of them. */
function readGroups(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [at, part] of parts.entries()) {
    if (/^[\da-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const dotted = isLast && at === parts.length - 1 ? readV4(part) : undefined;
    if (dotted === undefined) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = dotted;
    groups.push(a * 256 + b, c * 256 + d);
  }
  return groups;
}

/** The IPv4 address that an IPv6 one stands for. */
function v4Within(groups: readonly number[], bytes: readonly number[]): IpAddress | undefined {
  const zeros = groups.findIndex((group) => group !== 0);
  // ::ffff:a.b.c.d, and ::a.b.c.d but for :: and ::1.
  if (zeros === 5 && groups[5] === 0xffff) return bytes.slice(12);
  if (zeros === 6 || (zeros === 7 && (groups[7] ?? 0) > 1)) return bytes.slice(12);
  // RFC 6052, and RFC 2765's ::ffff:0:a.b.c.d.
  if (groups[0] === 0x64 && groups[1] === 0xff9b && groups.slice(2, 6).every((group) => group === 0))
    return bytes.slice(12);
  if (zeros === 4 && groups[4] === 0xffff && groups[5] === 0) return bytes.slice(12);
  // RFC 3056.
  return groups[0] === 0x2002 ? bytes.slice(2, 6) : undefined;
}
