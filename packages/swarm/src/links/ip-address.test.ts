import { describe, expect, it } from 'vitest';
import { isOnesAddress, isOwnAddress, readAddress } from './ip-address.ts';

const whatIs = (text: string) => {
  const address = readAddress(text);
  if (address === undefined) return 'no address';
  if (isOwnAddress(address)) return 'own';
  return isOnesAddress(address) ? 'ones' : 'nobodys';
};

describe('an address', () => {
  it.each([
    '127.0.0.1',
    '127.255.0.9',
    '::1',
    '0::1',
    '::0:1',
    '::0001',
    '0:0:0:0:0:0:0:1',
    '0000:0000:0000:0000:0000:0000:0000:0001',
    '0:0::0:1',
    '::0.0.0.1',
    '::ffff:127.0.0.1',
    '::FFFF:127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:7f00:1',
    '0::ffff:127.8.8.8',
    '::127.0.0.1',
    '::7f00:1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::127.0.0.1',
    '2002:7f00:1::',
  ])('%s is this machine’s own', (text) => expect(whatIs(text)).toBe('own'));

  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '224.0.0.1',
    '239.255.255.250',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '0::0',
    '::0',
    '0:0:0:0:0:0:0:0',
    '::0.0.0.0',
    '::ffff:0.0.0.0',
    '::ffff:224.0.0.1',
    '::ffff:e000:1',
    '::ffff:255.255.255.255',
    '64:ff9b::224.0.0.1',
    '2002:e000:1::1',
    'ff02::fb',
    'FF02::fb',
    'ff0e:0:0:0:0:0:0:1',
  ])('%s is nobody’s', (text) => expect(whatIs(text)).toBe('nobodys'));

  it.each([
    '1.2.3.4',
    '10.0.0.1',
    '126.255.255.255',
    '128.0.0.1',
    '169.254.1.1',
    '192.168.1.7',
    '223.255.255.255',
    '::2:0:0:1',
    '1::',
    '2001:db8::7',
    '2001:db8:1:2:3:4:5:6',
    '2001:db8::127.0.0.1',
    'fe80::1',
    'fd00::1',
    '::ffff:192.0.2.7',
    '64:ff9b::192.0.2.7',
    'f00::1',
  ])('%s is one machine’s', (text) => expect(whatIs(text)).toBe('ones'));

  it.each([
    '',
    '1',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.0.0.01',
    '1.2.3.256',
    '1.2.3.4.5',
    '1.2.3.',
    ':',
    ':1',
    '1:',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '12345::',
    '::1%lo',
    '::g',
    '127.0.0.1::',
    '::127.0.0.1:1',
    '::ffff:127.1',
    '[::1]',
    'localhost',
  ])('%j is none', (text) => expect(whatIs(text)).toBe('no address'));
});
