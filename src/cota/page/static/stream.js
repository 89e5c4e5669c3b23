// The live stream. The browser reconnects by itself; a hidden tab lets go of its connection, because a browser has six for one server.

export class Stream {
  /**
   * @param {Object} on `fleet` (portion), `status` ({well, message}), `end` (sentence), `lost` () when it cannot come back by itself
   */
  constructor(on) {
    this.on = on;
    this.last = "";
    this.source = null;
    this.stopped = false;
    this.timer = 0;
    this._visible = () => (document.hidden ? this._close() : this._open());
    document.addEventListener("visibilitychange", this._visible);
    this._open();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this._visible);
    this._close();
  }

  _open() {
    if (this.source || this.stopped) return;
    const source = new EventSource(`api/stream?after=${encodeURIComponent(this.last)}`);
    this.source = source;
    source.addEventListener("fleet", (event) => {
      const portion = JSON.parse(event.data);
      if (portion.last) this.last = event.lastEventId;
      this.on.fleet(portion);
    });
    source.addEventListener("status", (event) => this.on.status(JSON.parse(event.data)));
    source.addEventListener("end", (event) => { this.stop(); this.on.end(JSON.parse(event.data).message); });
    source.addEventListener("error", () => {
      this.on.status({ well: false, message: "The page's server cannot be reached.", hint: "It is tried again." });
      if (source.readyState !== EventSource.CLOSED || this.source !== source) return;
      this._close();
      // Refused rather than cut off: ask why, then try again.
      this.timer = setTimeout(() => { this.on.lost(); this._open(); }, 2000);
    });
  }

  _close() {
    this.source?.close();
    this.source = null;
  }
}
