import { parseArgs } from 'node:util';
import { measureRawChannel } from './raw-channel.ts';

// node bench/dist/raw-channel-main.js --rtc werift --frame 16395 --window 65536 --megabytes 64 --runs 3 [--keep]
const { values } = parseArgs({
  options: {
    rtc: { type: 'string', default: 'wrtc' },
    frame: { type: 'string', default: '16395' },
    window: { type: 'string', default: '1048576' },
    megabytes: { type: 'string', default: '64' },
    runs: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
});
for (let run = 0; run < Number(values.runs); run++) {
  const rate = await measureRawChannel({
    rtc: values.rtc === 'werift' ? 'werift' : 'wrtc',
    frameBytes: Number(values.frame),
    windowBytes: Number(values.window),
    megabytes: Number(values.megabytes),
    keeps: values.keep,
  });
  console.log(JSON.stringify({ ...values, ...rate }));
}
