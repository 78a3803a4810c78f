import type { RtcIceServer } from './rtc-types.ts';

/**
 * The servers that a connection can be made with. A TURN server without credentials makes every implementation refuse
 * all of them (WebRTC 1.0, section 4.4.1.1), and wrtc keep the process alive besides: it is left out.
 */
export function usableServers(servers: readonly RtcIceServer[]): RtcIceServer[] {
  return servers.flatMap((server) => {
    const hasCredentials = server.username !== undefined && server.credential !== undefined;
    const urls = (typeof server.urls === 'string' ? [server.urls] : server.urls).filter(
      (url) => hasCredentials || !/^turns?:/i.test(url),
    );
    return urls.length === 0 ? [] : [{ ...server, urls }];
  });
}
