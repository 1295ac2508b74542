/*
Applies the account's limit on plays to the players on a page. The template tag
{% session_limit_play %} loads it.

A play is one playback of limited content. The limit applies to every element that has the
attribute data-session-limit-play="what". A <video> or <audio> needs nothing else. Any
other player dispatches "session-limit:play" and "session-limit:stop" on its element when
playback starts and stops. It must start and stop playback when the element receives
"session-limit:playing" and "session-limit:paused". A <video> or <audio> may have its URL in
data-session-limit-src instead of src. This script sets the URL when the element may play,
with the play's id in place of "{play}".

The server grants a play as a lease. This script renews the lease, and gives it up when
the player stops. It pauses the player if the lease went to another device or cannot be
renewed. It displaces another play only after a person's click.
*/

/** @typedef {{play: string, device: string, started_at: string, is_here: boolean,
 *   swap: string | null}} Rival */
/**
 * The JSON with which the server answers a request about a play.
 * @typedef {{code: string, play?: string, interval?: number, lease?: number,
 *   reason?: string | undefined, heading?: string | undefined, detail?: string | undefined,
 *   rivals?: Rival[], retry_after?: number,
 *   actions?: {step: string, label: string, url: string | null}[]}} Answer
 */
/** @typedef {Answer & {play: string, interval: number, lease: number}} Granted */
/**
 * The data attributes that the template tag writes on the script element.
 * @typedef {{
 *   sessionLimitPlays: string, sessionLimitToken: string, sessionLimitCookie: string,
 *   sessionLimitClock: string, sessionLimitStyle: string, sessionLimitPaused: string,
 *   sessionLimitOffline: string, sessionLimitWatch: string, sessionLimitSwap: string,
 *   sessionLimitHere: string, sessionLimitDevice: string, sessionLimitSince: string,
 * }} Settings
 */

/** @type {import("./shared.js").Shared} */
const { SECOND, addStyle, announce, element, settingsOf } =
  Reflect.get(globalThis, Symbol.for("session-limit.shared"));
const settings = /** @type {Settings} */ (settingsOf("plays"));
const SELECTOR = "[data-session-limit-play]";
// How long a player may play before the server has answered.
const PATIENCE = 10 * SECOND;
// How long to wait before a request that got no answer is sent again.
const RETRY = 2 * SECOND;
// A shorter pause, for example to seek or for an advertisement, keeps the lease.
const PAUSE = 2 * SECOND;
const TICK = SECOND;
// Replaces the play's id in a URL until the play is granted. Nothing can be fetched with
// it, but the element is not empty, so that a person can press play.
const NOTHING = "00000000-0000-0000-0000-000000000000";

/** @type {Map<Element, Play>} */
const plays = new Map();

/** The player in one element to which the limit applies, and its play. */
class Play {
  /** @type {string | null} the id of the play, once the server has granted it */
  id = null;
  /** @type {string | null} identifies the start, so that a retry does not start another play */
  key = null;
  /** @type {string | null} the server's code to end another play in favour of this one */
  swap = null;
  /** Whether the script starts the play without a person's request. It then displaces none. */
  resumes = false;
  /** Whether a request to the server is running. */
  asking = false;
  /** Whether to send another request when the running one has been answered. */
  asksAgain = false;
  /** When to send the next request that starts or renews the play. */
  askAt = Infinity;
  /** When the player must pause, unless the lease is renewed before. */
  until = Infinity;
  /** When to give the lease up, because the player was paused. */
  stopAt = Infinity;
  /** Whether to start the play again when the network is back. */
  waits = false;

  /** @type {HTMLElement | null} the panel that explains why the player is paused */
  panel = null;
  /** Whether this script caused the next "pause" event of the element. */
  isOurs = false;
  /** Whether this script caused the next "emptied" event of the element. */
  loads = false;
  /** @type {string | null} the key of the last start, if the server never answered it */
  unanswered = null;

  /** @param {HTMLElement} guarded */
  constructor(guarded) {
    this.element = guarded;
    this.media = guarded instanceof HTMLMediaElement ? guarded : null;
  }

  /** Reset the state of the play, without a request to the server. */
  forget() {
    this.id = this.key = this.swap = null;
    this.resumes = this.asking = this.asksAgain = this.waits = false;
    this.askAt = this.until = this.stopAt = Infinity;
  }

  /** Whether the play has been granted or requested. */
  get isOn() {
    return this.key !== null;
  }

  /** Whether the element has nothing to play, because its URL has not been set yet. */
  get isEmpty() {
    return !this.id && this.address !== undefined;
  }

  get address() {
    return this.element.dataset.sessionLimitSrc;
  }

  /**
   * Start the play, because a person or the page has started the player.
   *
   * @param {string | null} [swap] the server's code for the play to end
   */
  begin(swap = null) {
    if (over) {
      this.pause();
      announce(this.element, "session-limit:paused", { code: "session_ended" });
      return;
    }
    this.stopAt = Infinity;
    if (!this.isOn) this.start({ swap });
    // Let the player play only for a moment while there is no answer.
    if (!this.id) this.until = Math.min(this.until, Date.now() + PATIENCE);
  }

  /**
   * Request a new play, or repeat the last request if it was never answered.
   *
   * @param {{swap?: string | null, resumes?: boolean}} [options]
   */
  start({ swap = null, resumes = false } = {}) {
    const key = this.unanswered ?? randomKey();
    this.forget();
    this.key = key;
    this.swap = swap;
    this.resumes = resumes;
    this.ask();
  }

  /** Ask the server to start the play, or to renew it. */
  async ask() {
    this.asksAgain = this.asking;
    if (this.asking || !this.isOn) return;
    this.asking = true;
    this.askAt = Infinity;
    const { key, swap, resumes } = this;
    const begun = Date.now();
    const { status, answer } = this.id
      ? await post(`${settings.sessionLimitPlays}${this.id}/renew/`, {})
      : await post(settings.sessionLimitPlays, {
          what: this.element.dataset.sessionLimitPlay, key, swap, resumes,
        });
    if (this.key !== key) {
      // The player was stopped in the meantime, so give up the lease that was just granted.
      if (isGranted(answer)) release(answer.play);
      return;
    }
    this.asking = false;
    const { asksAgain } = this;
    // An error page of the site does not answer the request, whatever its status is.
    if (isGranted(answer)) this.granted(answer, begun);
    else if (answer.code === "no_plays") this.forget();
    else if (status >= 400 && status < 500) this.refused(answer);
    else this.askAt = Date.now() + RETRY;
    if (asksAgain) this.ask();
  }

  /** Start the player, or let it go on, for the lease granted to the request sent at `begun`. */
  granted(/** @type {Granted} */ answer, /** @type {number} */ begun) {
    const isNew = this.id === null;
    this.id = answer.play;
    this.unanswered = null;
    this.waits = false;
    // Count from the time of the request, because the server's lease did not begin earlier.
    this.until = begun + answer.lease * SECOND;
    this.askAt = begun + answer.interval * SECOND;
    this.show(null);
    if (!isNew) return;
    announce(this.element, "session-limit:playing", answer);
    if (!this.media || this.stopAt !== Infinity) return;
    this.load();
    this.play();
  }

  /** Pause the player, because the server has refused the play or the session has ended. */
  refused(/** @type {Answer} */ answer) {
    const isLapsed = answer.reason === "lapsed" || answer.code === "not_found";
    this.unanswered = null;
    this.forget();
    this.pause();
    const shows = announce(this.element, "session-limit:paused", answer, true);
    // If the lease has only run out, the account may still be below its limit.
    if (isLapsed) this.start({ resumes: true });
    else if (shows) this.show(answer);
  }

  /** Pause the player, because the lease has run out and the server does not answer. */
  lapse() {
    // The server may have received a start that it did not answer. A retry uses the same key.
    this.unanswered = this.id ? null : this.key;
    this.forget();
    this.pause();
    this.waits = true;
    const answer = { code: "offline", heading: settings.sessionLimitOffline };
    if (announce(this.element, "session-limit:paused", answer, true)) this.show(answer);
  }

  /** Stop without showing a panel, because the session has ended or the page is left. */
  leave(/** @type {Answer} */ answer) {
    const was = this.isOn;
    if (over) this.forget();
    else this.stop();
    this.pause();
    if (was) announce(this.element, "session-limit:paused", answer);
  }

  /** Pause the player, and leave full screen and picture-in-picture. */
  pause() {
    if (this.media && !this.media.paused) {
      this.isOurs = true;
      this.media.pause();
    }
    // A player in full screen would hide the explanation on the page.
    if (document.fullscreenElement?.contains(this.element)) document.exitFullscreen();
    if (document.pictureInPictureElement === this.element) document.exitPictureInPicture();
  }

  /** Start the media element, if it is paused. */
  play() {
    if (!this.media?.paused) return;
    // The browser may require a person's click. In that case, give the lease up.
    this.media.play().catch(() => { this.stopAt = Date.now() + PAUSE; });
  }

  /** Set the URL of the media element. It may contain the play's id, for a proxy to check. */
  load() {
    if (!this.media || this.address === undefined) return;
    const src = this.address.replace("{play}", this.id ?? NOTHING);
    const at = this.media.currentTime;
    this.loads = this.media.networkState !== HTMLMediaElement.NETWORK_EMPTY;
    // Setting "src" also loads the media, so call load() only if "src" stays the same.
    if (this.media.getAttribute("src") === src) this.media.load();
    else this.media.src = src;
    if (at) this.media.currentTime = at;
  }

  /** Give the lease up at once. */
  stop() {
    const { id, key } = this;
    this.unanswered = null;
    this.forget();
    // Even without an id, because the server may already have granted the start.
    if (id ?? key) release(id, key);
  }

  /** Do what is due now. Called every second. */
  tick() {
    const now = Date.now();
    if (!this.element.isConnected) {
      // No event reports the removal of an element from the page.
      this.leave({ code: "removed" });
      plays.delete(this.element);
    } else if (now >= this.until) this.lapse();
    else if (now >= this.stopAt) this.stop();
    else if (now >= this.askAt) this.ask();
  }

  /** Send the last request again, because the network connection may be back. */
  retry() {
    // The player stays paused until the server has answered.
    if (this.waits && !this.isOn) {
      this.start({ resumes: true });
      this.waits = true;
    } else if (this.isOn) this.ask();
  }

  // --- The panel ------------------------------------------------------------------------

  /** Show a panel that explains why the player is paused. `null` only removes the old one. */
  show(/** @type {Answer|null} */ answer) {
    const old = this.panel;
    const hadFocus = old?.contains(document.activeElement);
    this.panel = answer && this.panelOf(answer);
    if (this.panel) this.element.after(this.panel);
    old?.remove();
    if (!hadFocus) return;
    // Keep the focus near for a person who pressed a button of the earlier panel.
    /** @type {HTMLElement | null | undefined} */
    const next = this.panel?.querySelector("button, a");
    (next ?? this.element).focus();
  }

  /** Return the panel that explains `answer` and offers the next steps. */
  panelOf(/** @type {Answer} */ answer) {
    addStyle(settings.sessionLimitStyle);
    const { actions, rivals, retry_after: wait } = answer;
    // Without actions, the reason may be temporary, such as a failed connection.
    const watch = !actions || wait || actions.some(({ step }) => step === "watch_here");
    const detail = answer.detail ? element("p", { textContent: answer.detail }) : null;
    if (wait) setTimeout(() => detail?.remove(), wait * SECOND);
    return element(
      "div",
      { className: "session-limit session-limit-play", role: "alert" },
      element("p", {
        className: "session-limit-play-heading",
        textContent: answer.heading ?? settings.sessionLimitPaused,
      }),
      detail,
      rivals?.length && element("ul", { role: "list" }, ...rivals.map((r) => this.rival(r))),
      element(
        "div",
        { className: "session-limit-actions" },
        watch && this.button(settings.sessionLimitWatch, null, wait),
        ...(actions ?? []).map(({ label, url }) =>
          url && element("a", { className: "session-limit-link", href: url, textContent: label })),
      ),
    );
  }

  /** Return the list item for another play, with a button to end it if that is allowed. */
  rival(/** @type {Rival} */ rival) {
    const began = new Date(rival.started_at);
    const language = document.documentElement.lang || undefined;
    const isToday = began.toDateString() === new Date().toDateString();
    const time = began.toLocaleString(language, {
      weekday: isToday ? undefined : "short", hour: "numeric", minute: "2-digit",
    });
    const device = rival.is_here ? settings.sessionLimitHere : rival.device || settings.sessionLimitDevice;
    const id = `session-limit-rival-${rival.play}`;
    return element(
      "li",
      {},
      element(
        "span",
        { id },
        element("bdi", { textContent: device }),
        " ",
        element("time", {
          className: "session-limit-fact",
          dateTime: rival.started_at,
          textContent: settings.sessionLimitSince.replace("{time}", time),
        }),
      ),
      rival.swap && this.button(settings.sessionLimitSwap, rival.swap, 0, id),
    );
  }

  /**
   * Return a button that starts this play.
   *
   * @param {string} text
   * @param {string | null} swap the server's code for the play to end
   * @param {number} [wait] the number of seconds for which the button is disabled
   * @param {string | null} [describedBy] the id of the element that describes the button
   */
  button(text, swap, wait = 0, describedBy = null) {
    const made = element("button", {
      type: "button",
      className: "session-limit-button",
      textContent: text,
      disabled: wait > 0,
    });
    if (swap) made.classList.add("session-limit-quiet", "session-limit-small");
    if (describedBy) made.setAttribute("aria-describedby", describedBy);
    if (wait) setTimeout(() => { made.disabled = false; }, wait * SECOND);
    made.addEventListener("click", () => {
      // The script would have started this play by itself, which displaces no other play.
      // A person's click may displace one, so start anew.
      if (this.waits) this.forget();
      if (!this.isOn) this.begin(swap);
    });
    return made;
  }
}

// --- The server ---------------------------------------------------------------------------

/**
 * Return whether the server has granted or renewed a play.
 *
 * @returns {answer is Granted}
 */
function isGranted(/** @type {Answer} */ answer) {
  return answer.code === "playing";
}

/**
 * Send JSON to the server, and return the HTTP status and the JSON that it answers.
 *
 * @param {string} url
 * @param {object} data
 * @param {boolean} [keepalive] let the request outlive the page
 * @returns {Promise<{status: number, answer: Answer}>} status 0 without an answer
 */
async function post(url, data, keepalive = false) {
  try {
    const response = await fetch(url, {
      method: "POST",
      credentials: "same-origin",
      cache: "no-store",
      keepalive,
      headers: {
        Accept: "application/json",
        "Content-Type": "application/json",
        "X-CSRFToken": token(),
      },
      body: JSON.stringify(data),
      signal: keepalive ? null : AbortSignal.timeout(PATIENCE),
    });
    // The site may answer with an error page instead, for example if the CSRF check fails.
    const answer = await response.json().catch(() => ({ code: "" }));
    return { status: response.status, answer };
  } catch {
    return { status: 0, answer: { code: "" } };
  }
}

/** Return the CSRF token from the cookie, if scripts can read it, or from the page. */
function token() {
  const name = `${settings.sessionLimitCookie}=`;
  const cookie = document.cookie.split("; ").find((pair) => pair.startsWith(name));
  return cookie ? cookie.slice(name.length) : settings.sessionLimitToken;
}

/**
 * Tell the server to stop a play, even if the page is being left.
 *
 * @param {string | null} id the id of the play, or `null` if it is not known
 * @param {string | null} [key] the key of the start, which serves if there is no id
 */
function release(id, key = null) {
  post(`${settings.sessionLimitPlays}${id ? `${id}/` : ""}stop/`, { key }, true);
}

// --- The page -----------------------------------------------------------------------------

/** Whether the session has ended. */
let over = false;

function randomKey() {
  // Browsers do not offer randomUUID() over plain HTTP.
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
}

/** Return the `Play` of an element to which the limit applies, or `null` for any other target. */
function playOf(/** @type {EventTarget | null} */ target) {
  if (!(target instanceof HTMLElement) || !target.matches(SELECTOR)) return null;
  const play = plays.get(target) ?? new Play(target);
  plays.set(target, play);
  return play;
}

function each(/** @type {(play: Play) => void} */ act) {
  for (const play of plays.values()) act(play);
}

/** Call `act` every second. A worker keeps time, because browsers slow timers of hidden pages. */
function everyTick(/** @type {() => void} */ act) {
  const byPage = () => setInterval(act, TICK);
  try {
    const clock = new Worker(settings.sessionLimitClock);
    clock.addEventListener("message", act);
    clock.addEventListener("error", byPage, { once: true });
    clock.postMessage(TICK);
  } catch {
    byPage();
  }
}

if (settings.sessionLimitPlays) {
  const begin = (/** @type {Event} */ { target }) => playOf(target)?.begin();
  const stop = (/** @type {Event} */ { target }) => playOf(target)?.stop();
  addEventListener("play", begin, true);
  addEventListener("session-limit:play", begin, true);
  addEventListener("ended", stop, true);
  addEventListener("session-limit:stop", stop, true);
  addEventListener("emptied", ({ target }) => {
    const play = playOf(target);
    if (!play) return;
    // After "emptied", a "pause" event that was due no longer comes.
    play.isOurs = false;
    if (play.loads) play.loads = false;
    else play.stop();
  }, true);
  addEventListener("pause", ({ target }) => {
    const play = playOf(target);
    if (play?.isOurs) play.isOurs = false;
    else if (play?.isOn && !play.isEmpty) play.stopAt = Date.now() + PAUSE;
  }, true);
  // After the machine has slept, this event comes sooner than the next tick.
  addEventListener("timeupdate", ({ target }) => playOf(target)?.tick(), true);
  for (const found of document.querySelectorAll(`:is(video, audio)${SELECTOR}`)) {
    const play = playOf(found);
    if (!play?.media) continue;
    const { media } = play;
    const isLater = play.address !== undefined && !media.hasAttribute("src");
    // The element is already playing, or would play by itself if it had its URL.
    if (!media.paused || (isLater && media.autoplay)) play.begin();
    else if (isLater) {
      media.preload = "none";
      play.load();
    }
  }
  everyTick(() => each((play) => play.tick()));
  addEventListener("online", () => each((play) => play.retry()));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) each((play) => { play.tick(); play.retry(); });
  });
  // watch.js dispatches this event when a play of this session may have ended.
  document.addEventListener("session-limit:changed", () => each((play) => play.ask()));
  document.addEventListener("session-limit:ended", (event) => {
    over = true;
    const { code, reason, heading, detail } =
      /** @type {CustomEvent<Answer>} */ (event).detail ?? {};
    // Wait for the project's own listeners. They may call preventDefault() and pause by
    // themselves.
    queueMicrotask(() => each((play) => {
      if (event.defaultPrevented) play.forget();
      else play.leave({ code, reason, heading, detail });
    }));
  });
  document.addEventListener("session-limit:renewed", () => { over = false; });
  addEventListener("pagehide", () => each((play) => play.leave({ code: "left" })));
}
