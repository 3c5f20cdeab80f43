import {
  ConnectionError,
  DEFAULT_FRAME_SIZE,
  DEFAULT_WINDOW,
  ErrorCode,
  MAX_FRAME_SIZE,
  MAX_WINDOW,
  protocolError,
  read32,
  Setting,
} from "./frame.ts";

/** What the peer has announced (RFC 9113 section 6.5.2). */
export class PeerSettings {
  /** Whether its first SETTINGS frame has come. */
  seen = false;
  headerTable = 4096;
  /** Whether it says that push is allowed; null when it says nothing. */
  push: boolean | null = null;
  maxStreams = Infinity;
  initialWindow = DEFAULT_WINDOW;
  /** Whether extended CONNECT may be used (RFC 8441 section 3). */
  connectProtocol = false;

  /**
   * Takes the payload of a SETTINGS frame.
   * @throws {ConnectionError} for a value that is not allowed
   */
  apply(payload: Uint8Array): void {
    for (let at = 0; at < payload.length; at += 6) {
      this.#set((payload[at] << 8) | payload[at + 1], read32(payload, at + 2));
    }
    this.seen = true;
  }

  #set(setting: number, value: number): void {
    switch (setting) {
      case Setting.HeaderTableSize:
        this.headerTable = value;
        break;
      case Setting.EnablePush:
        if (value > 1) throw protocolError("SETTINGS_ENABLE_PUSH");
        this.push = value === 1;
        break;
      case Setting.MaxConcurrentStreams:
        this.maxStreams = value;
        break;
      case Setting.InitialWindowSize:
        if (value > MAX_WINDOW) {
          throw new ConnectionError(ErrorCode.FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE");
        }
        this.initialWindow = value;
        break;
      case Setting.MaxFrameSize:
        // Ours stay at the default: larger ones would only make one stream wait longer for another.
        if (value < DEFAULT_FRAME_SIZE || value > MAX_FRAME_SIZE) {
          throw protocolError("SETTINGS_MAX_FRAME_SIZE");
        }
        break;
      case Setting.EnableConnectProtocol:
        if (value > 1) throw protocolError("SETTINGS_ENABLE_CONNECT_PROTOCOL");
        this.connectProtocol = value === 1;
        break;
    }
  }
}
